"""What a fresh posterior can read from a frozen generator."""

from collections.abc import Callable
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels.defaults import EXAMPLES
from keras_infomodels.distributions import Latents
from keras_infomodels.information import Estimate, mean_estimate
from keras_infomodels.models.gan.checks import check_recognition
from keras_infomodels.networks import ConvDiscriminator, RecognitionHead
from keras_infomodels.seeds import fold_seed
from keras_infomodels.spec import check_int
from keras_infomodels.tf_data import untuned

__all__ = ["fit_posterior"]


def fit_posterior(
    generator: Callable[[tf.Tensor], tf.Tensor],
    prior: Latents,
    network: keras.Model | None = None,
    steps: int = 2000,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    held_out: int = EXAMPLES,
    seed: int = 0,
    verbose: int | str = "auto",
) -> dict[str, Estimate]:
    """I(c; x) of each code from below, by a new Q(c|x) trained on the frozen generator.

        I(c; x) >= H(c) + E log Q(c|x)

    Q is trained on new draws in every step, so it cannot over-fit, and the bound is read from
    draws that it was not trained on. It is what this family and network can extract: a
    deterministic generator that is injective in (noise, c) has I(c; x) = H(c) for a category and
    infinity for a continuous code whether it was trained for it or not.
    Source: Barber and Agakov, "The IM algorithm", 2003, equation 3.

    Args:
        generator: from latents (batch, d) to images, such as `model.generator`.
        prior: of the latents, such as `model.latents`; it names the codes and Q's families.
        network: Keras model from images to numbers (batch, `Code.parameters`) by code name; None
            is a `ConvDiscriminator` trunk under a `RecognitionHead`, for images.
        steps: of Adam, whose rate falls from `learning_rate` to 0 by cosine; in ten epochs,
            so rounded up to a multiple of ten.
        batch_size: draws a step.
        learning_rate: at the beginning.
        held_out: draws that the bound is read from.
        seed: of all draws and of the network's weights.
        verbose: of Keras' `fit`.

    Returns:
        A lower bound by code name, in nats, with its standard error and ceiling; `history` has the
        bound of each epoch's draws, and a note says where it rose after the first half of them.

    Raises:
        ValueError: the prior has no code, the network has not its numbers, or steps or held_out is
            no integer above 0.
    """
    if not prior.codes:
        raise ValueError("There is no code to infer: the prior is noise alone.")

    each, held_out = -(-check_int("steps", steps, 1) // 10), check_int("held_out", held_out, 1)

    @tf.function
    def draw(stream, index):
        parts = prior.sample(batch_size, fold_seed(seed, stream, index))
        images = generator(prior.join(parts))
        return images, {name: parts[name] for name in prior.codes}

    images, _ = draw(1, tf.constant(0))
    if network is None:
        keras.utils.set_random_seed(seed)
        network = _network(tuple(images.shape[1:]), prior)
    check_recognition(network, tuple(images.shape[1:]), list(prior.codes.values()))
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, 10 * each)
    network.compile(
        keras.optimizers.Adam(rate),
        loss={name: _surprise(code) for name, code in prior.codes.items()},
        steps_per_execution=min(10, each),
    )
    draws = untuned(tf.data.Dataset.range(10 * each).map(lambda i: draw(0, i)))
    losses = network.fit(
        draws, epochs=10, steps_per_epoch=each, shuffle=False, verbose=verbose
    ).history

    surprises = {name: [] for name in prior.codes}
    for index in range(-(-held_out // batch_size)):
        images, codes = draw(1, tf.constant(index))  # a Python number would be traced anew
        numbers = network(images, training=False)
        for name, code in prior.codes.items():
            surprises[name].append(code.log_prob(numbers[name], codes[name]).numpy())
    return {
        name: _bound(
            code, np.concatenate(surprises[name]), losses.get(f"{name}_loss", losses["loss"])
        )
        for name, code in prior.codes.items()
    }


def _network(image_shape: tuple[int, ...], prior: Latents) -> keras.Model:
    if len(image_shape) != 3:
        raise ValueError(
            f"For data of shape {image_shape} give a network; the default one takes images."
        )
    trunk = ConvDiscriminator(image_shape, judging=False)
    image = keras.Input(image_shape)
    features = trunk(image)["features"]
    sizes = {name: code.parameters for name, code in prior.codes.items()}
    return keras.Model(image, RecognitionHead(features.shape[-1], sizes)(features))


def _surprise(code):
    def loss(c, numbers):
        return -code.log_prob(numbers, c)

    return loss


def _bound(code, log_q: np.ndarray, losses: list[float]) -> Estimate:
    found = mean_estimate(code.entropy + log_q.astype(np.float64), "lower bound", code.ceiling)
    bounds = [code.entropy - loss for loss in losses]
    # Not of the last epochs: a rate that falls to 0 levels every curve off.
    rise = bounds[-1] - bounds[4]
    note = ""
    if rise > max(0.02, 3 * found.standard_error):
        note = f"rose by {rise:.3f} nats in the second half of its training: take more steps"
    return replace(found, note=note, history={"information": bounds})
