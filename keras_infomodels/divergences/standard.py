"""Recognition of the standard normal prior."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfd = tfp.distributions

__all__ = ["is_standard_normal"]


def is_standard_normal(prior: tfd.Distribution) -> bool:
    """Returns `True` if a prior is known to be N(0, I) while a graph is traced."""
    # Other distributions with these moments, such as mixtures, must not pass.
    if not isinstance(prior, tfd.MultivariateNormalDiag):
        return False
    loc = 0.0 if prior.loc is None else tf.get_static_value(prior.loc)
    scale = tf.get_static_value(prior.scale.diag_part())
    # In eager mode everything is known.
    return bool((loc is None or np.all(loc == 0)) and (scale is None or np.all(scale == 1)))
