"""GAN objectives: the losses of a discriminator and a generator, on logits T.

The f-GAN family uses the variational bound F = E_p g(T) - E_q f*(g(T)) <= D_f(p || q), where p is
the distribution of the data and q that of generated images. The discriminator maximizes F, and the
generator minimizes it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

__all__ = ["OBJECTIVES", "Objective"]


@dataclass(frozen=True)
class Objective:
    """Losses of a discriminator and a generator, as functions from logits to a loss per image.

    Attributes:
        real: function. The discriminator's loss on an image of the data.
        fake: function. The discriminator's loss on a generated image.
        generator: function. The generator's loss on a generated image.
        saturation: float. The discriminator's loss if it is always right. `None` if the loss has no
            minimum.
    """

    real: Callable[[tf.Tensor], tf.Tensor]
    fake: Callable[[tf.Tensor], tf.Tensor]
    generator: Callable[[tf.Tensor], tf.Tensor]
    saturation: float | None = None


def _f_gan(activated, conjugate, saturation: float | None = None) -> Objective:
    """Creates an objective of the f-GAN family from g(T) and f*(g(T))."""
    return Objective(lambda t: -activated(t), conjugate, lambda t: -conjugate(t), saturation)


_LN2 = 0.6931471805599453
_softplus = tf.nn.softplus

OBJECTIVES = {
    "non_saturating": Objective(
        lambda t: _softplus(-t), _softplus, lambda t: _softplus(-t), saturation=0.0
    ),
    "hinge": Objective(
        lambda t: tf.nn.relu(1 - t), lambda t: tf.nn.relu(1 + t), lambda t: -t, saturation=0.0
    ),
    "wasserstein": Objective(lambda t: -t, lambda t: t, lambda t: -t),
    "kl": _f_gan(lambda t: t, lambda t: tf.exp(t - 1)),
    "reverse_kl": _f_gan(lambda t: -tf.exp(-t), lambda t: t - 1),
    "js": _f_gan(lambda t: _LN2 - _softplus(-t), lambda t: _softplus(t) - _LN2, -2 * _LN2),
    "pearson": _f_gan(lambda t: t, lambda t: tf.where(t < -2, -tf.ones_like(t), t**2 / 4 + t)),
    "squared_hellinger": _f_gan(lambda t: 1 - tf.exp(-t), lambda t: tf.exp(t) - 1, -2.0),
}
"""By name. With r = p/q, the best discriminator's T and its loss (real plus fake):

    non_saturating     T = ln r         2 ln 2 - 2 JSD(p, q)
    hinge              T = sign(ln r)   2 - 2 TV(p, q)
    wasserstein                         -(Lipschitz constant of T) W1(p, q)
    kl                 T = 1 + ln r     -KL(p || q)
    reverse_kl         T = ln r         -KL(q || p)
    js                 T = ln r         -2 JSD(p, q)
    pearson            T = 2 (r - 1)    -chi^2(p || q) = -E_q (r - 1)^2
    squared_hellinger  T = ln(r) / 2    -H^2(p, q) = -integral of (sqrt p - sqrt q)^2

and the f-GAN's f(u), output activation g(T) and conjugate f*(t):

    kl                 u ln u                              T                    exp(t - 1)
    reverse_kl         -ln u                               -exp(-T)             -1 - ln(-t)
    js                 u ln u - (1 + u) ln((1 + u) / 2)    ln 2 - ln(1 + e^-T)  -ln(2 - exp t)
    pearson            (u - 1)^2                           T                    t^2 / 4 + t
    squared_hellinger  (sqrt u - 1)^2                      1 - exp(-T)          t / (1 - t)

Pearson's conjugate is -1 below t = -2, which no ratio u >= 0 reaches. The paper's table has the
square there, too, whose gradient would push the generator away from the data.

Source: Nowozin et al., "f-GAN", 2016, tables 1, 2 and 6; Goodfellow et al., 2014; Arjovsky et al.,
"Wasserstein GAN", 2017; Lim and Ye, "Geometric GAN", 2017 (hinge).
"""
