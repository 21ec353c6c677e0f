"""InfoGAN's step against the plain Keras step, on the same networks, data and optimizers.

    python benchmarks/train.py [--rounds 3] [--steps 60]

The plain step is the usual one of a Keras GAN: two gradient tapes, the discriminator first, then
new noise and the generator (with Q) against the new discriminator, float32, compiled as Keras does
by default. All ways take turns in one process, so that a busy machine slows them alike; the figure
is the median over the rounds. The last rows add what the recipe infogan_mnist adds.
"""

import argparse
import statistics
import time

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
    import keras

    from keras_infomodels.distributions import Latents
    from keras_infomodels.networks import ConvDiscriminator, ConvGenerator

    keras.utils.set_random_seed(0)
    latent_dim = Latents(NOISE, codes()).dimension
    return ConvGenerator(latent_dim=latent_dim, dtype=dtype), ConvDiscriminator(dtype=dtype)


def ours(compiled: dict | None = None, dtype=None, fused=False, **kwargs):
    from keras_infomodels import models

    model = models.InfoGAN(*networks(dtype), NOISE, codes(), dtype=dtype, **kwargs)
    model.compile(*adams(fused), **compiled or {})
    return model


def adams(fused=False):
    import keras

    from keras_infomodels.optimizers import FusedAdam

    adam = FusedAdam if fused else keras.optimizers.Adam
    return adam(1e-3, beta_1=0.5), adam(2e-4, beta_1=0.5)


def plain():
    import keras
    import tensorflow as tf

    from keras_infomodels.distributions import Latents
    from keras_infomodels.networks import RecognitionHead

    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    class PlainInfoGAN(keras.Model):
        def __init__(self):
            super().__init__()
            self.generator, self.discriminator = networks()
            self.latents = Latents(NOISE, codes())
            features = self.discriminator.get_config()["width"]
            sizes = {name: code.parameters for name, code in self.latents.codes.items()}
            self.recognition = RecognitionHead(features, sizes)
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
    "stratified": True,
    "fake_consistency_weight": 1.0,
    "real_consistency_weight": 1.0,
    "consistency": "both",
}
FAST = {"compiled": TEN, "dtype": "mixed_bfloat16", "fused": True}
WAYS = {
    "plain Keras step": plain,
    "ours, alternating": lambda: ours(update="alternating"),
    "ours": ours,
    "ours, 10 steps per execution": lambda: ours(TEN),
    "the same, FusedAdam": lambda: ours(TEN, fused=True),
    "the same, bfloat16": lambda: ours(TEN, "mixed_bfloat16"),
    "the same, FusedAdam and bfloat16": lambda: ours(**FAST),
    "the same, FusedAdam, bfloat16 and XLA": lambda: ours(
        **FAST | {"compiled": TEN | {"jit_compile": True}}
    ),
    "with the recipe's additions, affine": lambda: ours(
        TEN, **ADDITIONS | {"consistency": "affine"}
    ),
    "with all of the recipe's additions": lambda: ours(TEN, **ADDITIONS),
    "with all of them, FusedAdam and bfloat16": lambda: ours(**FAST, **ADDITIONS),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60, help="of each way in each round")
    arguments = parser.parse_args()

    import tensorflow as tf

    from keras_infomodels.datasets.batches import untuned

    images = np.random.default_rng(0).uniform(size=(BATCH, 28, 28, 1)).astype(np.float32)
    dataset = untuned(tf.data.Dataset.from_tensors(images).repeat())
    models = {name: make() for name, make in WAYS.items()}
    for model in models.values():
        model.fit(dataset, steps_per_epoch=10, shuffle=False, verbose=0)
    seconds = {name: [] for name in models}
    for _ in range(arguments.rounds):
        for name, model in models.items():
            start = time.perf_counter()
            model.fit(dataset, steps_per_epoch=arguments.steps, shuffle=False, verbose=0)
            seconds[name].append((time.perf_counter() - start) / arguments.steps)
    base = statistics.median(seconds["plain Keras step"])
    print(f"batch {BATCH}, {models['ours'].count_params():,} parameters\n")
    print("| | ms a step | examples a second | times the plain step |")
    print("|---|---|---|---|")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"| {name} | {1000 * median:.0f} | {BATCH / median:.0f} | {base / median:.2f} |")


if __name__ == "__main__":
    main()
