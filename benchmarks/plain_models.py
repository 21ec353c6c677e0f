"""A ConvVAE and a DCGAN in plain Keras, in the style of the examples of keras.io."""

import math

import keras
import tensorflow as tf
from keras import layers

FLOOR = 1 / (255 * math.sqrt(12))


class ConvVAE(keras.Model):
    """A VAE of two or three strided convolutions and one dense layer a side.

    Args:
        shape: (height, width, channels).
        latent_dim: int.
        likelihood: "discretized_logistic" or "shared_gaussian".
        beta: float. Weight of the rate.
    """

    def __init__(self, shape, latent_dim: int, likelihood: str, beta: float = 1.0):
        super().__init__()
        self.beta = beta
        self.latent_dim, self.likelihood, self.shape = latent_dim, likelihood, shape
        filters = (32, 64) if shape[0] <= 32 else (32, 64, 64)
        grid = [size // 2 ** len(filters) for size in shape[:2]]
        x = inputs = keras.Input(shape)
        for count in filters:
            x = layers.Conv2D(count, 3, 2, "same", activation="relu")(x)
        x = layers.Dense(128, "relu")(layers.Flatten()(x))
        outputs = [layers.Dense(latent_dim)(x), layers.Dense(latent_dim)(x)]
        self.encoder = keras.Model(inputs, outputs)
        x = inputs = keras.Input((latent_dim,))
        x = layers.Dense(grid[0] * grid[1] * filters[-1], "relu")(x)
        x = layers.Reshape((*grid, filters[-1]))(x)
        for count in filters[::-1]:
            x = layers.Conv2DTranspose(count, 3, 2, "same", activation="relu")(x)
        loc = layers.Conv2DTranspose(shape[2], 3, padding="same", activation="sigmoid")(x)
        outputs = [loc]
        if likelihood == "discretized_logistic":
            raw = layers.Conv2DTranspose(shape[2], 3, padding="same", activation="softplus")(x)
            outputs.append(raw + 0.002)
        self.decoder = keras.Model(inputs, outputs)
        self.variance = self.add_weight((), "ones", trainable=False)
        self.trackers = {n: keras.metrics.Mean(n) for n in ("loss", "reconstruction", "rate")}
        self.compile(keras.optimizers.Adam(1e-3))

    @property
    def metrics(self):
        return list(self.trackers.values())

    def call(self, x):
        return self.mean(self.decode(self.encoder(x)[0]))

    def decode(self, z):
        outputs = self.decoder(z)
        return outputs if isinstance(outputs, list) else [outputs]

    def mean(self, parameters):
        if self.likelihood == "shared_gaussian":
            return parameters[0]
        loc, scale = parameters
        return scale * (tf.nn.softplus(loc / scale) - tf.nn.softplus((loc - 1) / scale))

    def generate(self, n, seed):
        z = keras.random.normal((n, self.latent_dim), seed=seed)
        return keras.ops.convert_to_numpy(self.mean(self.decode(z)))

    def terms(self, x, training):
        mean, log_variance = self.encoder(x)
        z = mean + tf.exp(0.5 * log_variance) * keras.random.normal(tf.shape(mean))
        rate = -0.5 * tf.reduce_sum(1 + log_variance - mean**2 - tf.exp(log_variance), axis=1)
        parameters = self.decode(z)
        if self.likelihood == "shared_gaussian":
            log_prob = self.gaussian(x, parameters[0], training)
        else:
            log_prob = logistic(x, *parameters)
        reconstruction = -tf.reduce_sum(log_prob, axis=(1, 2, 3))
        return tf.reduce_mean(reconstruction), tf.reduce_mean(rate)

    def gaussian(self, x, loc, training):
        variance = tf.convert_to_tensor(self.variance)
        if training:
            error = tf.stop_gradient(tf.maximum(tf.reduce_mean((x - loc) ** 2), FLOOR**2))
            steps = tf.cast(self.optimizer.iterations, tf.float32) + 1
            self.variance.assign(variance + (error - variance) * tf.maximum(1 / steps, 0.01))
            variance = error
        return -0.5 * (tf.math.log(2 * math.pi * variance) + (x - loc) ** 2 / variance)

    def train_step(self, x):
        with tf.GradientTape() as tape:
            reconstruction, rate = self.terms(x, True)
            loss = reconstruction + self.beta * rate
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
        return self.log(reconstruction, rate)

    def test_step(self, x):
        return self.log(*self.terms(x, False))

    def log(self, reconstruction, rate):
        values = {"loss": reconstruction + rate, "reconstruction": reconstruction, "rate": rate}
        for name, value in values.items():
            self.trackers[name].update_state(value)
        return {name: tracker.result() for name, tracker in self.trackers.items()}


def logistic(x, loc, scale):
    """ln of the probability of a byte by a logistic distribution rounded to bytes."""
    upper, lower = (x + 1 / 510 - loc) / scale, (x - 1 / 510 - loc) / scale
    middle = tf.math.log(tf.maximum(tf.sigmoid(upper) - tf.sigmoid(lower), 1e-12))
    first, last = tf.math.log_sigmoid(upper), tf.math.log_sigmoid(-lower)
    return tf.where(x < 1 / 510, first, tf.where(x > 1 - 1 / 510, last, middle))


class DCGAN(keras.Model):
    """A GAN of 4x4 convolutions with batch normalization.

    Args:
        shape: (height, width, channels).
        noise_dim: int.
        filters: sequence of int, from the narrowest grid on; by default of the size of images.
    """

    def __init__(self, shape, noise_dim: int = 62, filters=None):
        super().__init__()
        self.noise_dim = noise_dim
        filters = filters or ((128, 96, 64, 32) if shape[0] == 64 else (128, 96, 64))
        grid = [size // 2 ** len(filters) for size in shape[:2]]
        x = inputs = keras.Input((noise_dim,))
        x = layers.Dense(grid[0] * grid[1] * filters[0], use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Reshape((*grid, filters[0]))(x)
        for count in filters[1:]:
            x = layers.Conv2DTranspose(count, 4, 2, "same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.Conv2DTranspose(shape[2], 4, 2, "same", activation="sigmoid")(x)
        self.generator = keras.Model(inputs, x)
        x = inputs = keras.Input(shape)
        for index, count in enumerate(filters[::-1]):
            x = layers.Conv2D(count, 4, 2, "same", use_bias=not index)(x)
            x = layers.BatchNormalization()(x) if index else x
            x = layers.LeakyReLU(0.2)(x)
        x = layers.Dense(1)(layers.Dropout(0.2)(layers.Flatten()(x)))
        self.discriminator = keras.Model(inputs, x)
        self.compile()
        self.g_optimizer = keras.optimizers.Adam(2e-4, 0.5)
        self.d_optimizer = keras.optimizers.Adam(2e-4, 0.5)
        self.g_optimizer.build(self.generator.trainable_weights)
        self.d_optimizer.build(self.discriminator.trainable_weights)
        self.entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    def generate(self, n, seed):
        noise = keras.random.normal((n, self.noise_dim), seed=seed)
        return self.generator.predict(noise, verbose=0)

    def train_step(self, x):
        noise = keras.random.normal((tf.shape(x)[0], self.noise_dim))
        with tf.GradientTape() as tape:
            fake = self.generator(noise, training=True)
            real_logits = self.discriminator(x, training=True)
            fake_logits = self.discriminator(fake, training=True)
            d_loss = self.entropy(tf.ones_like(real_logits), real_logits)
            d_loss += self.entropy(tf.zeros_like(fake_logits), fake_logits)
        weights = self.discriminator.trainable_weights
        gradients = tape.gradient(d_loss, weights)
        self.d_optimizer.apply_gradients(zip(gradients, weights, strict=True))
        with tf.GradientTape() as tape:
            logits = self.discriminator(self.generator(noise, training=True), training=True)
            g_loss = self.entropy(tf.ones_like(logits), logits)
        weights = self.generator.trainable_weights
        gradients = tape.gradient(g_loss, weights)
        self.g_optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return {"d_loss": d_loss, "g_loss": g_loss}
