"""Information of codes in generated images, by a new Q trained on a frozen generator."""

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
from keras_infomodels.progress import progress
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
    """Computes a lower bound on I(c; x) of each code, by training a new network Q(c|x).

        I(c; x) >= H(c) + E log Q(c|x)

    c is a code, x an image that the generator makes from noise and codes, and H(c) the entropy of
    the code's prior. The generator is not changed. Q is trained on new images in every step, so it
    cannot overfit. The bound is computed from further images.

    The result is the information that this network Q can extract. The true information is often
    larger: if a deterministic generator makes a different image for each input, I(c; x) is H(c) for
    a category and infinite for a continuous code, even for an untrained generator.
    Source: Barber and Agakov, "The IM algorithm", 2003, equation 3.

    Args:
        generator: function from latents (batch, d) to images, such as `model.generator`.
        prior: `Latents`. Prior of the generator's noise and codes, such as `model.latents`.
        network: Keras model. Q, from images to a dict from code name to outputs (batch,
            `Code.parameters`). `None` creates a `ConvDiscriminator` without logits, followed by a
            `RecognitionHead`.
        steps: int. Number of training steps of Adam, rounded up to a multiple of ten. The learning
            rate falls from `learning_rate` to 0 by a cosine schedule.
        batch_size: int. Number of generated images in each step.
        learning_rate: float. Initial learning rate.
        held_out: int. Number of generated images from which the bound is computed.
        seed: int. Seed of all draws and of the network's weights.
        verbose: int or str. Verbosity of Keras' `fit`; "bar" shows one progress bar for all of the
            training.

    Returns:
        dict from code name to `Estimate` of the kind "lower bound", in nats, with standard error
        and ceiling. `history` has the bound after each of ten parts of the training. `note` says if
        the bound still rose in the second half.

    Raises:
        ValueError: If the prior has no code, the network has other outputs, or `steps` or
            `held_out` is not an integer above 0.

    Example:
        model = ki.from_preset("infogan_mnist")
        g, latents = model.generator, model.latents
        bounds = ki.evaluation.fit_posterior(g, latents, steps=20, held_out=1000)
        print(bounds["digit"])  # more steps reach 2.30 of at most 2.303 nats
    """
    if not prior.codes:
        raise ValueError("There is no code to infer: the prior has only noise.")

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
        # An execution of more steps than are left in a part would take those of the next one.
        steps_per_execution=max(n for n in range(1, 11) if each % n == 0),
    )
    draws = untuned(tf.data.Dataset.range(10 * each).map(lambda i: draw(0, i)))
    losses = network.fit(
        draws,
        epochs=10,
        steps_per_epoch=each,
        shuffle=False,
        verbose=0 if verbose == "bar" else verbose,
        callbacks=[_Bar()] if verbose == "bar" else [],
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


class _Bar(keras.callbacks.Callback):
    """Shows one progress bar for all epochs."""

    def on_train_begin(self, logs=None):
        total = self.params["epochs"] * self.params["steps"]
        self.bar = progress(total=total, desc=f"I_p by a network Q (steps={total})", unit="step")

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update(batch + 1 - self.bar.n % self.params["steps"])

    def on_train_end(self, logs=None):
        self.bar.close()


def _network(image_shape: tuple[int, ...], prior: Latents) -> keras.Model:
    if len(image_shape) != 3:
        raise ValueError(
            f"For data of shape {image_shape} give a network; the default one takes images."
        )
    trunk = ConvDiscriminator(image_shape, return_logits=False)
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
