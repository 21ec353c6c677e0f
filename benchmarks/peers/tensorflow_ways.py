"""Ways to train with TensorFlow: plain Keras as keras.io writes it, and this library.

Each function of `WAYS` returns a model that is compiled for `fit`. Both libraries get the same
array, the same optimizers and the same networks, which plain Keras makes of its own layers.
"""

import keras
import numpy as np
import tensorflow as tf

BATCHES = {"vae": 128, "mmd_vae": 128, "aae": 100, "vae_conv": 128, "infogan": 128}
LATENT_DIM, NOISE_DIM, MMD_WEIGHT = 10, 62, 1000.0
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def data(count: int) -> np.ndarray:
    """Binary images, float32 (count, 28, 28, 1)."""
    return np.random.default_rng(0).integers(0, 2, (count, 28, 28, 1)).astype(np.float32)


def networks(kind: str):
    from keras_infomodels import networks as own

    if kind == "vae_conv":
        return own.ConvEncoder(latent_dim=LATENT_DIM), own.ConvDecoder(latent_dim=LATENT_DIM)
    return own.MLPEncoder(latent_dim=LATENT_DIM), own.MLPDecoder(latent_dim=LATENT_DIM)


def of_keras(network: keras.Model) -> keras.Model:
    """A network of the same architecture, made of Keras' own layers."""

    def own(layer):
        cls = getattr(keras.layers, type(layer).__name__)
        return cls.from_config(layer.get_config())

    return keras.models.clone_model(keras.Model(network.inputs, network.output), clone_function=own)


def ours(kind: str, **compiled) -> keras.Model:
    """This library's model of that kind; without arguments compiled as a user does."""
    from keras_infomodels import models

    if kind == "infogan":
        model = infogan(models.InfoGAN, compiled.pop("dtype", None))
        adam = keras.optimizers.Adam
        model.compile(adam(1e-3, beta_1=0.5), adam(2e-4, beta_1=0.5), **compiled)
        return model
    classes = {"mmd_vae": models.MMDVAE, "aae": models.AdversarialAutoencoder}
    model = classes.get(kind, models.VAE)(*networks(kind))
    model.compile("adam", **compiled)
    return model


def plain(kind: str, **compiled) -> keras.Model:
    """A model with a `train_step` of its own, as keras.io/examples/generative shows them."""
    if kind == "infogan":
        model = infogan(PlainInfoGAN)
        adam = keras.optimizers.Adam
        model.compile(adam(1e-3, beta_1=0.5), adam(2e-4, beta_1=0.5), **compiled)
    elif kind == "aae":
        model = PlainAAE(*map(of_keras, networks(kind)))
        model.compile("adam", keras.optimizers.Adam(1e-3, beta_1=0.5), **compiled)
    else:
        model = (PlainMMDVAE if kind == "mmd_vae" else PlainVAE)(*map(of_keras, networks(kind)))
        model.compile("adam", **compiled)
    return model


class PlainVAE(keras.Model):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.trackers = [keras.metrics.Mean(name) for name in ("loss", "reconstruction", "other")]
        self.built = True

    @property
    def metrics(self):
        return self.trackers

    def forward(self, x):
        outputs = self.encoder(x, training=True)
        noise = keras.random.normal(tf.shape(outputs["loc"]))
        z = outputs["loc"] + outputs["scale"] * noise
        logits = self.decoder(z, training=True)["logits"]
        losses = tf.nn.sigmoid_cross_entropy_with_logits(x, logits)
        return outputs, z, tf.reduce_mean(tf.reduce_sum(losses, (1, 2, 3)))

    def other(self, outputs, z):
        variance = outputs["scale"] ** 2
        kl = 0.5 * (outputs["loc"] ** 2 + variance - 1 - tf.math.log(variance))
        return tf.reduce_mean(tf.reduce_sum(kl, 1)), 1.0

    def train_step(self, x):
        with tf.GradientTape() as tape:
            outputs, z, reconstruction = self.forward(x)
            other, weight = self.other(outputs, z)
            loss = reconstruction + weight * other
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        return self.track(loss, reconstruction, other)

    def track(self, *values):
        for tracker, value in zip(self.trackers, values, strict=True):
            tracker.update_state(value)
        return {tracker.name: tracker.result() for tracker in self.trackers}


class PlainMMDVAE(PlainVAE):
    def other(self, outputs, z):
        draws = keras.random.normal(tf.shape(z))
        n = tf.cast(tf.shape(z)[0], tf.float32)
        within = (gram(z, z) + gram(draws, draws) - 2 * n) / (n * (n - 1))
        return within - 2 * gram(z, draws) / n**2, MMD_WEIGHT


def gram(x, y):
    """The sum of the inverse multiquadric kernel over all pairs."""
    squared = tf.reduce_sum(x**2, 1)[:, None] + tf.reduce_sum(y**2, 1) - 2 * x @ tf.transpose(y)
    scales = [2 * LATENT_DIM * scale for scale in SCALES]
    return tf.reduce_sum(tf.add_n([c / (c + tf.nn.relu(squared)) for c in scales]) / len(SCALES))


class PlainAAE(PlainVAE):
    def __init__(self, encoder, decoder):
        from keras_infomodels.networks import MLPDiscriminator

        super().__init__(encoder, decoder)
        self.discriminator = of_keras(MLPDiscriminator(latent_dim=LATENT_DIM))
        self.cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    def compile(self, optimizer, discriminator_optimizer, **kwargs):
        super().compile(optimizer, **kwargs)
        self.discriminator_optimizer = discriminator_optimizer

    def train_step(self, x):
        own = self.encoder.trainable_weights + self.decoder.trainable_weights
        with tf.GradientTape() as tape:
            _, z, reconstruction = self.forward(x)
            judged = self.discriminator(z, training=True)
            other = self.cross_entropy(tf.ones_like(judged), judged)
            loss = reconstruction + other
        self.optimizer.apply_gradients(zip(tape.gradient(loss, own), own, strict=True))
        draws = keras.random.normal(tf.shape(z))
        theirs = self.discriminator.trainable_weights
        with tf.GradientTape() as tape:
            real = self.discriminator(draws, training=True)
            fake = self.discriminator(z, training=True)
            judging = self.cross_entropy(tf.ones_like(real), real)
            judging += self.cross_entropy(tf.zeros_like(fake), fake)
        gradients = tape.gradient(judging, theirs)
        self.discriminator_optimizer.apply_gradients(zip(gradients, theirs, strict=True))
        return self.track(reconstruction, other, judging)


def codes():
    from keras_infomodels.distributions import Categorical, Code, Uniform

    uniform = {"weight": 0.1, "min_stddev": 0.1}
    return [
        Code("digit", Categorical(10)),
        *(Code(name, Uniform(), **uniform) for name in ("c1", "c2")),
    ]


def infogan(cls, dtype=None):
    from keras_infomodels.distributions import Latents
    from keras_infomodels.networks import ConvDiscriminator, ConvGenerator

    latent_dim = Latents(NOISE_DIM, codes()).dimension
    networks = ConvGenerator(latent_dim=latent_dim, dtype=dtype), ConvDiscriminator(dtype=dtype)
    if cls is PlainInfoGAN:
        return cls(*map(of_keras, networks), networks[1].get_config()["width"])
    return cls(*networks, NOISE_DIM, codes(), posterior="stop_gradient", dtype=dtype)


class PlainInfoGAN(keras.Model):
    """Two tapes: the discriminator first, then new noise and the generator with Q."""

    def __init__(self, generator, discriminator, features):
        from keras_infomodels.distributions import Latents
        from keras_infomodels.networks import RecognitionHead

        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.latents = Latents(NOISE_DIM, codes())
        sizes = {name: code.parameters for name, code in self.latents.codes.items()}
        self.recognition = of_keras(RecognitionHead(features, sizes))
        self.cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
        self.built = True

    def compile(self, optimizer, discriminator_optimizer, **kwargs):
        super().compile(optimizer, **kwargs)
        self.discriminator_optimizer = discriminator_optimizer

    def draw(self, n):
        return self.latents.sample(n, tf.random.uniform((2,), 0, 2**31 - 1, tf.int32))

    def train_step(self, real):
        n = tf.shape(real)[0]
        fake = self.generator(self.latents.join(self.draw(n)), training=True)
        with tf.GradientTape() as tape:
            t_real = self.discriminator(real, training=True)["logits"]
            t_fake = self.discriminator(fake, training=True)["logits"]
            loss = self.cross_entropy(tf.ones_like(t_real), t_real)
            loss += self.cross_entropy(tf.zeros_like(t_fake), t_fake)
        own = self.discriminator.trainable_variables
        self.discriminator_optimizer.apply(tape.gradient(loss, own), own)
        parts = self.draw(n)
        with tf.GradientTape() as tape:
            fake = self.generator(self.latents.join(parts), training=True)
            outputs = self.discriminator(fake, training=True)
            numbers = self.recognition(outputs["features"], training=True)
            loss = self.cross_entropy(tf.ones_like(outputs["logits"]), outputs["logits"])
            for name, code in self.latents.codes.items():
                log_q = tf.reduce_mean(code.log_prob(numbers[name], parts[name]))
                loss -= code.weight * log_q
        own = self.generator.trainable_variables + self.recognition.trainable_variables
        self.optimizer.apply(tape.gradient(loss, own), own)
        return {"loss": loss}


WAYS = {
    "keras": plain,
    "keras_xla": lambda kind: plain(kind, jit_compile=True),
    "ours": ours,
    "ours_xla": lambda kind: ours(kind, jit_compile=True),
    "ours_bfloat16": lambda kind: ours(kind, dtype="mixed_bfloat16"),
}


def trainer(kind: str, way: str, steps: int, epochs: int):
    """A function that trains for so many epochs of so many steps by one call of `fit`."""
    batch = BATCHES[kind]
    x = data(batch * steps)
    model = WAYS[way](kind)
    return lambda: model.fit(x, batch_size=batch, epochs=epochs, verbose=0)
