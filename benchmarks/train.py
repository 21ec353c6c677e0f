"""InfoGAN's step against the plain Keras step, on the same networks, data and optimizers.

    python benchmarks/train.py [--rounds 3] [--steps 60]
    python benchmarks/train.py --quality 100 101 [--epochs 5] [--data-dir D]
    python benchmarks/train.py --shared 100 101 102 103 --epochs 3 [--data-dir D]

The plain step is the usual one of a Keras GAN: two gradient tapes, the discriminator first, then
new noise and the generator (with Q) against the new discriminator, float32, of Keras' own layers
and compiled as Keras does by default; the codes' term moves the generator and Q's head, as
`posterior="stop_gradient"` here.
All ways take turns in one process, so that a busy machine slows them alike; the figure is the
median over the rounds, beside it the least and the most. The last rows add what the recipe
infogan_mnist adds. With `--quality` the plain step and the fastest ways train on MNIST, each with
these seeds, and what they have become is measured by the same lines. With `--shared` an InfoGAN
with a shared trunk and no additions trains in float32 and bfloat16, with Keras' update of Adam and
the fused one; the rows have the discriminator's loss in each epoch.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np

BATCH, NOISE = 128, 62


def codes():
    from keras_infomodels.distributions import Categorical, Code, Uniform

    uniform = {"weight": 0.1, "min_stddev": 0.1}
    return [
        Code("digit", Categorical(10)),
        *(Code(name, Uniform(), **uniform) for name in ("c1", "c2")),
    ]


def networks(dtype=None):
    from keras_infomodels.distributions import Latents
    from keras_infomodels.networks import ConvDiscriminator, ConvGenerator

    latent_dim = Latents(NOISE, codes()).dimension
    return ConvGenerator(latent_dim=latent_dim, dtype=dtype), ConvDiscriminator(dtype=dtype)


def ours(compiled: dict | None = None, dtype=None, fused=True, **kwargs):
    from keras_infomodels import models
    from keras_infomodels.training import Consistency

    kwargs.setdefault("posterior", "stop_gradient")  # as the plain step has it
    if "consistency" in kwargs:
        kwargs["consistency"] = Consistency(1.0, kwargs["consistency"])
    model = models.InfoGAN(*networks(dtype), NOISE, codes(), dtype=dtype, **kwargs)
    model.compile(*adams(fused), **compiled or {})
    return model


def adams(fused=True):
    import keras

    class KerasAdam(keras.optimizers.Adam):
        """Adam with Keras' own update, because `fit` replaces that of no subclass."""

    adam = keras.optimizers.Adam if fused else KerasAdam
    return adam(1e-3, beta_1=0.5), adam(2e-4, beta_1=0.5)


def plain():
    import keras
    import tensorflow as tf
    from peers.tensorflow_ways import of_keras

    from keras_infomodels.distributions import Latents
    from keras_infomodels.networks import RecognitionHead

    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    class PlainInfoGAN(keras.Model):
        def __init__(self):
            super().__init__()
            generator, discriminator = networks()
            self.generator, self.discriminator = of_keras(generator), of_keras(discriminator)
            self.latents = Latents(NOISE, codes())
            features = discriminator.get_config()["width"]
            sizes = {name: code.parameters for name, code in self.latents.codes.items()}
            self.recognition = of_keras(RecognitionHead(features, sizes))
            self.built = True

        def compile(self, optimizer, discriminator_optimizer):
            super().compile(optimizer)
            self.discriminator_optimizer = discriminator_optimizer

        def draw(self, n):
            seed = tf.random.uniform((2,), 0, 2**31 - 1, tf.int32)
            return self.latents.sample(n, seed)

        def train_step(self, real):
            n = tf.shape(real)[0]
            fake = self.generator(self.latents.join(self.draw(n)), training=True)
            with tf.GradientTape() as tape:
                t_real = self.discriminator(real, training=True)["logits"]
                t_fake = self.discriminator(fake, training=True)["logits"]
                loss = cross_entropy(tf.ones_like(t_real), t_real)
                loss += cross_entropy(tf.zeros_like(t_fake), t_fake)
            own = self.discriminator.trainable_variables
            self.discriminator_optimizer.apply(tape.gradient(loss, own), own)
            parts = self.draw(n)
            with tf.GradientTape() as tape:
                fake = self.generator(self.latents.join(parts), training=True)
                outputs = self.discriminator(fake, training=True)
                numbers = self.recognition(outputs["features"], training=True)
                loss = cross_entropy(tf.ones_like(outputs["logits"]), outputs["logits"])
                for name, code in self.latents.codes.items():
                    log_q = tf.reduce_mean(code.log_prob(numbers[name], parts[name]))
                    loss -= code.weight * log_q
            own = self.generator.trainable_variables + self.recognition.trainable_variables
            self.optimizer.apply(tape.gradient(loss, own), own)
            return {"loss": loss}

    model = PlainInfoGAN()
    model.compile(*adams())
    return model


TEN = {"steps_per_execution": 10}
ADDITIONS = {
    "posterior": "shared",
    "stratified": True,
    "fake_consistency_weight": 1.0,
    "consistency": "both",
}
FAST = {"compiled": TEN, "dtype": "mixed_bfloat16"}
WAYS = {
    "plain Keras step": plain,
    "ours, alternating": lambda: ours(update="alternating"),
    "ours": ours,
    "ours, 10 steps per execution": lambda: ours(TEN),
    "the same, Keras' update of Adam": lambda: ours(TEN, fused=False),
    "the same, bfloat16": lambda: ours(**FAST),
    "the same, bfloat16 and XLA": lambda: ours(**FAST | {"compiled": TEN | {"jit_compile": True}}),
    "the same, bfloat16, shared": lambda: ours(**FAST, posterior="shared"),
    "with the recipe's additions, affine": lambda: ours(
        TEN, **ADDITIONS | {"consistency": "affine"}
    ),
    "with all of the recipe's additions": lambda: ours(TEN, **ADDITIONS),
    "with all of them, bfloat16": lambda: ours(**FAST, **ADDITIONS),
}

COMPARED = ("plain Keras step", "the same, bfloat16", "the same, bfloat16, shared")
SHARED = {
    f"{update} update, {dtype.removeprefix('mixed_')}": {"fused": update == "fused", "dtype": dtype}
    for dtype in ("float32", "mixed_bfloat16")
    for update in ("Keras'", "fused")
}


def speed(rounds: int, steps: int) -> list[dict]:
    """Milliseconds a step of each way, a row each, in order."""
    import tensorflow as tf

    from keras_infomodels.tf_data import untuned

    images = np.random.default_rng(0).uniform(size=(BATCH, 28, 28, 1)).astype(np.float32)
    dataset = untuned(tf.data.Dataset.from_tensors(images).repeat())
    models = {name: make() for name, make in WAYS.items()}
    for model in models.values():  # traced before it is timed
        model.fit(dataset, steps_per_epoch=10, shuffle=False, verbose=0)
    taken = {name: [] for name in models}
    for _ in range(rounds):
        for name, model in models.items():
            start = time.perf_counter()
            model.fit(dataset, steps_per_epoch=steps, shuffle=False, verbose=0)
            taken[name].append(1000 * (time.perf_counter() - start) / steps)
    base = statistics.median(taken["plain Keras step"])
    print(f"batch {BATCH}, {models['ours'].count_params():,} parameters, {steps} steps a round\n")
    print("| | ms a step | of rounds | examples a second | times the plain step |")
    print("|---|---|---|---|---|")
    for name, each in taken.items():
        median = statistics.median(each)
        print(
            f"| {name} | {median:.0f} | {min(each):.0f} to {max(each):.0f} "
            f"| {1000 * BATCH / median:.0f} | {base / median:.2f} |"
        )
    return [{"way": name, "milliseconds": each} for name, each in taken.items()]


def quality(seed: int, way: str, epochs: int, data_dir) -> dict:
    """Samples and category after training, read by the same lines whatever the way."""
    import keras
    import tensorflow as tf

    import keras_infomodels as ki
    from keras_infomodels.evaluation import clustering_error, fit_posterior, frechet_distance

    keras.utils.set_random_seed(seed)
    model = WAYS[way]()
    training = ki.datasets.load("mnist", "train[:55000]", BATCH, data_dir=data_dir, seed=seed)
    model.fit(training, epochs=epochs, verbose=2)
    test, labels = ki.datasets.load_arrays("mnist", "test", data_dir=data_dir)
    test = test.astype(np.float32) / 255
    latents = model.latents.join(model.latents.sample(len(test), tf.constant([0, 0])))
    fakes = np.asarray(model.generator.predict(latents, 500, verbose=0), np.float32)
    outputs = model.discriminator.predict(test, 500, verbose=0)
    found = model.recognition.predict(outputs["features"], 500, verbose=0)["digit"].argmax(1)
    judge = ki.from_preset("mnist_classifier")
    real, fake = (
        np.concatenate([judge.features(part) for part in np.split(images, 20)])
        for images in (test, fakes)
    )
    bounds = fit_posterior(model.generator, model.latents, steps=1000, verbose=0)
    return {
        "way": way,
        "seed": seed,
        "epochs": epochs,
        "frechet_distance": frechet_distance(fake, real),
        "one_to_one_error": clustering_error(labels, found).error,
        **{f"fresh_{name}": estimate.nats for name, estimate in bounds.items()},
    }


def shared_trunk(seed: int, way: str, epochs: int, data_dir) -> dict:
    """The discriminator's loss of an InfoGAN with a shared trunk, in each epoch."""
    import keras

    import keras_infomodels as ki

    keras.utils.set_random_seed(seed)
    model = ours(TEN, posterior="shared", **SHARED[way])
    training = ki.datasets.load("mnist", "train[:55000]", BATCH, data_dir=data_dir, seed=seed)
    losses = model.fit(training, epochs=epochs, verbose=2).history["discriminator_loss"]
    return {"way": way, "seed": seed, "discriminator_loss": losses}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60, help="of each way in each round")
    parser.add_argument("--quality", type=int, nargs="+", metavar="SEED", default=[])
    parser.add_argument("--shared", type=int, nargs="+", metavar="SEED", default=[])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--data-dir")
    parser.add_argument("--out", type=Path, default=Path("runs/train"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if not (arguments.quality or arguments.shared):
        rows = speed(arguments.rounds, arguments.steps)
        (arguments.out / "speed.json").write_text(json.dumps(rows, indent=1) + "\n")
        return
    measure, ways = (shared_trunk, SHARED) if arguments.shared else (quality, COMPARED)
    path = arguments.out / f"{measure.__name__}.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    for seed in arguments.shared or arguments.quality:
        for way in ways:
            if (way, seed) not in {(row["way"], row["seed"]) for row in rows}:
                rows.append(measure(seed, way, arguments.epochs, arguments.data_dir))
                path.write_text(json.dumps(rows, indent=1) + "\n")
    for row in rows:
        print(*(f"{name} {value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
