"""Trains tiny models with and without a strategy, for `test_replicas.py`, which reads its JSON.

python strategies.py mirrored NAME [NAME ...]   one device, and two parts of the CPU
python strategies.py double NAME [NAME ...]     the same in double precision
python strategies.py worker NAME [NAME ...]     this worker of TF_CONFIG
python strategies.py refusals                   what is not made in one scope

A name is one of MAKE, "nan" or "rows", or a name of MAKE after "short:", with fewer epochs, or
"curves:", with Adam.
"""

import contextlib
import json
import os
import sys
from functools import partial

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf

if __name__ == "__main__" and sys.argv[1] == "double":
    import double

    double.enter()

from keras_infomodels import datasets, divergences, models, networks
from keras_infomodels.distributions import Categorical, CategoricalNormal, Code, Latents, Uniform
from keras_infomodels.training.augmentation import Augmentation
from keras_infomodels.training.classification import Classification
from keras_infomodels.training.consistency import Consistency
from keras_infomodels.training.strategies import choose_strategy

SHAPE = (8, 8, 1)
EPOCHS = 7  # of 32, 32 and 11 images, which two replicas share as 16, 16 and 6 or 5


def autoencoder(cls=models.InfoVAE, parameters=("logits",), **settings):
    shared = {"image_shape": SHAPE, "latent_dim": 3, "widths": (16,)}
    encoder = networks.MLPEncoder(**shared)
    decoder = networks.MLPDecoder(parameters=parameters, **shared)
    return cls(encoder, decoder, **{"likelihood": "bernoulli_stochastic", **settings})


def quantized():
    encoder = networks.MLPEncoder(SHAPE, 3, (16,), min_stddev=None)
    return models.QLAE(encoder, networks.MLPDecoder(SHAPE, 3, (16,)), "bernoulli_stochastic")


def categorical():
    encoder = networks.MLPEncoder(SHAPE, 7, (16,), num_categories=4, min_stddev=0.05)
    decoder = networks.MLPDecoder(SHAPE, 7, (16,))
    return models.AdversarialAutoencoder(
        encoder,
        decoder,
        CategoricalNormal(4, 3),
        "bernoulli_threshold",
        classification=Classification(2.0),
        consistency=Consistency(3.0, "both"),
    )


def gan(cls=models.InfoGAN, normalization="batch", **settings):
    codes = [Code("digit", Categorical(4)), Code("slant", Uniform())]
    codes = [] if cls is models.GAN else codes
    generator = networks.ConvGenerator(SHAPE, Latents(5, codes).dimension, (4, 3), 8)
    discriminator = networks.ConvDiscriminator(SHAPE, (3, 4), 8, normalization)
    return cls(generator, discriminator, 5, codes, **settings)


def with_divergence(divergence):
    return autoencoder(alpha=0.5, lambda_=3.0, divergence=divergence)


MAKE = {
    "VAE": lambda: autoencoder(models.VAE),
    "BetaVAE": lambda: autoencoder(models.BetaVAE, warmup=5),
    "InfoVAE": lambda: autoencoder(alpha=0.5, lambda_=10.0),
    "MMDVAE": lambda: autoencoder(models.MMDVAE, ("loc",), likelihood="shared_gaussian"),
    "AnnealedVAE": lambda: autoencoder(models.AnnealedVAE, warmup=5),
    "QLAE": quantized,
    "DIPVAE": lambda: autoencoder(models.DIPVAE),
    "AdversarialAutoencoder": lambda: autoencoder(models.AdversarialAutoencoder),
    "categorical": categorical,
    "MarginalKL": lambda: with_divergence(divergences.MarginalKL()),
    "Stein": lambda: with_divergence(divergences.Stein()),
    "SlicedWasserstein": lambda: with_divergence(divergences.SlicedWasserstein()),
    "TotalCorrelation": lambda: with_divergence(
        divergences.TotalCorrelation(networks.MLPDiscriminator(latent_dim=3))
    ),
    "MinibatchTotalCorrelation": lambda: with_divergence(divergences.MinibatchTotalCorrelation()),
    "GAN": lambda: gan(models.GAN),
    "penalties": lambda: gan(
        models.GAN,
        None,
        objective="wasserstein",
        r1=1.0,
        update="alternating",
        discriminator_steps=2,
        augmentation=Augmentation(),
    ),
    "InfoGAN": lambda: gan(stratified=True),
    "InfoGANCR": lambda: gan(models.InfoGANCR, contrastive_warmup=5),
    "semi_supervised": lambda: gan(
        posterior="stop_gradient",
        fake_consistency_weight=0.5,
        consistency=Consistency(1.0, "affine"),
        classification=Classification(1.0),
    ),
    "Classifier": lambda: models.Classifier(
        networks.ConvClassifier(SHAPE, 3, (3, 4), 8), augment=True
    ),
}


def images():
    return np.random.default_rng(0).uniform(size=(75, *SHAPE)).astype(keras.config.floatx())


def build(name, strategy, optimizer=lambda: keras.optimizers.SGD(5e-4, clipnorm=50.0)):
    keras.utils.set_random_seed(0)
    several = strategy.num_replicas_in_sync > 1
    with strategy.scope() if several else contextlib.nullcontext():
        model = MAKE[name]()
        optimizers = [optimizer() for _ in model.optimizer_groups()]
    model.compile(*optimizers)
    # One device needs no graph; the contract test compares both.
    model.run_eagerly = not several
    return model


def trained(name, strategy, epochs):
    """The history, predictions and weights of a short training."""
    model = build(name, strategy)
    labels = np.arange(75) % 3
    labels[::5] = -1
    labels = labels if model.label_classes else None
    data = datasets.from_arrays(images(), labels, 32, seed=1)
    history = model.fit(data, validation_data=data, epochs=epochs, verbose=0).history
    inputs = images()[:7]
    if isinstance(model, models.GAN):
        inputs = model.latents.join(model.latents.sample(7, [0, 1])).numpy()
    return history, model.predict(inputs, verbose=0), weights(model)


def curves(name, strategy, seed=0):
    """The terms of each epoch of a training by Adam: 17 epochs of 3 steps.

    The seed is that of the noise alone.
    """
    model = build(name, strategy, lambda: keras.optimizers.Adam(1e-3))
    model.seed = seed
    data = datasets.from_arrays(images(), None, 32, seed=1)
    return model.fit(data, epochs=17, verbose=0).history


def weights(model):
    return np.concatenate([np.ravel(weight) for weight in model.get_weights()])


def compare(name, strategy, epochs):
    """Largest differences between one device and a strategy.

    Those of the history are relative to 0.01 + |value|, because an MMD is a difference of means of
    size 1.
    """
    one = trained(name, tf.distribute.get_strategy(), epochs)
    all_ = trained(name, strategy, epochs)
    assert one[1].shape == all_[1].shape
    assert one[0].keys() == all_[0].keys()
    return {
        "moved": float(np.abs(one[2] - weights(build(name, tf.distribute.get_strategy()))).max()),
        "weights": float(np.abs(one[2] - all_[2]).max()),
        "predictions": float(np.abs(one[1] - all_[1]).max()),
        "history": max(
            float(np.max(np.abs(np.subtract(all_[0][key], values)) / (0.01 + np.abs(values))))
            for key, values in one[0].items()
        ),
    }


def without_update(strategy):
    """Steps done, and how far the weights are from those before a NaN on the second replica."""
    broken = images()
    broken[32 + 20] = np.nan
    kept = build("InfoVAE", strategy)
    kept.fit(tf.data.Dataset.from_tensor_slices(broken[:32]).batch(32), verbose=0)
    model = build("InfoVAE", strategy)
    model.set_weights(build("InfoVAE", strategy).get_weights())
    message = ""
    try:
        model.fit(tf.data.Dataset.from_tensor_slices(broken).batch(32), verbose=0)
    except FloatingPointError as error:
        message = str(error)
    same = float(np.abs(weights(model) - weights(kept)).max())
    return {"steps": int(model.optimizer.iterations.numpy()), "weights": same, "message": message}


class Rows(divergences.Divergence):
    """The number of examples that a divergence is given."""

    def __call__(self, z, posterior, prior, seed):
        return tf.cast(tf.shape(z)[0], z.dtype) + 0 * tf.reduce_sum(z + posterior.mean())

    def get_config(self):
        return {}


def counted(strategy):
    """What a divergence sees, as a mean over examples."""
    found = {}
    for local in (False, True):
        with strategy.scope():
            model = with_divergence(Rows())
        model.compile("sgd", local_divergence=local)
        data = datasets.from_arrays(images(), None, 32, seed=1)
        found[str(local)] = model.evaluate(data, return_dict=True, verbose=0)["divergence"]
    return found


def refusals(strategy):
    """What is said of models that are not of one scope."""
    messages = {}

    def record(name, function):
        try:
            messages[name] = repr(function())
        except ValueError as error:
            messages[name] = str(error)

    def compiled(networks_inside, model_inside, optimizer_inside=True):
        def scope(inside):
            return strategy.scope() if inside else contextlib.nullcontext()

        shared = {"image_shape": SHAPE, "latent_dim": 3, "widths": (16,)}
        with scope(networks_inside):
            pair = networks.MLPEncoder(**shared), networks.MLPDecoder(**shared)
        with scope(model_inside):
            model = models.VAE(*pair)
        with scope(optimizer_inside):
            optimizer = keras.optimizers.SGD()
        model.compile(optimizer)

    record("model outside", lambda: compiled(True, False, False))
    record("networks outside", lambda: compiled(False, True))
    record("optimizer outside", lambda: compiled(True, True, False))
    from keras_infomodels.information import MutualInformation

    def information():
        x = np.random.default_rng(0).normal(size=(200, 1))
        with strategy.scope():
            estimator = MutualInformation("info_nce", epochs=1)
            return estimator.fit(x, x + 1).nats >= 0

    record("information inside", information)

    def data():
        with strategy.scope():
            dataset = datasets.from_arrays(images(), batch_size=32)
        return [len(batch) for batch in dataset], int(dataset.epoch)

    record("data inside", data)
    return messages


def main(mode, names):
    strategy = choose_strategy(2 if mode != "worker" else None)
    if mode == "refusals":
        return refusals(strategy)
    if mode == "worker":
        found = {}
        for name in names:
            kind, _, model = name.rpartition(":")
            if kind.endswith("curves"):
                found[name] = curves(model, strategy, int(kind.startswith("other")))
            elif name == "nan":
                found[name] = without_update(strategy)
            else:
                history, predictions, found_weights = trained(name, strategy, 2)
                found[name] = history, predictions.tolist(), found_weights.tolist()
        return found
    found = {}
    for name in names:
        kind, _, model = name.rpartition(":")
        if kind == "curves":
            one = tf.distribute.get_strategy()
            found[name] = [curves(model, one), curves(model, one, 1), curves(model, strategy)]
        else:
            others = {"nan": without_update, "rows": counted}
            epochs = 3 if kind == "short" else EPOCHS
            function = others.get(name, partial(compare, model, epochs=epochs))
            found[name] = function(strategy)
    return found


if __name__ == "__main__":
    result = main(sys.argv[1], sys.argv[2:])
    sys.stdout.write(json.dumps(result) + "\n")
