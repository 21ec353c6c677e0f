"""Critics f(x, y): Keras models that score every x of a batch against every y."""

from collections.abc import Sequence

import keras
import tensorflow as tf

__all__ = ["BilinearCritic", "ConcatenatedCritic", "SeparableCritic"]

register = keras.saving.register_keras_serializable(package="keras_infomodels")


class _Critic(keras.Model):
    """Shared: configuration, and how networks are made. All start at f = 0."""

    def __init__(self, widths: Sequence[int] = (128, 128), activation: str = "gelu", **kwargs):
        super().__init__(**kwargs)
        self.widths = tuple(int(w) for w in widths)
        self.activation = activation

    def get_config(self) -> dict:
        return super().get_config() | {"widths": self.widths, "activation": self.activation}

    def _hidden(self) -> keras.Sequential:
        layers = [keras.layers.Dense(w, self.activation) for w in self.widths]
        return keras.Sequential(layers or [keras.layers.Identity()])


class Side(keras.layers.Layer):
    """An embedding of one variable, a linear map and a network of it, and a score of its own."""

    def __init__(self, hidden: keras.Sequential, embedding: int, kernel: str, **kwargs):
        super().__init__(**kwargs)
        self.hidden = hidden
        self.linear = keras.layers.Dense(embedding, kernel_initializer=kernel)
        self.network = keras.layers.Dense(embedding, use_bias=False, kernel_initializer=kernel)
        self.own = keras.layers.Dense(1, kernel_initializer="zeros")

    def call(self, x):
        h = self.hidden(x)
        return self.linear(x) + self.network(h), self.own(h)


@register
class SeparableCritic(_Critic):
    """f(x, y) = g(x)'h(y) + a(x) + b(y), each a network beside a linear map.

    All pairs of a batch cost one matrix product. Needs the least data of the three.

    Args:
        embedding: length of g and h; shorter than the number of independent pairs of columns it
            cannot hold their information.
        widths, activation: of the hidden layers on either side.
    """

    def __init__(self, embedding: int = 64, widths=(128, 128), activation="gelu", **kwargs):
        super().__init__(widths, activation, **kwargs)
        self.embedding = int(embedding)
        self.x_side = Side(self._hidden(), self.embedding, "zeros")
        self.y_side = Side(self._hidden(), self.embedding, "glorot_uniform")

    def call(self, inputs):
        """Scores (n, m) of x (n, d_x) and y (m, d_y)."""
        (g, a), (h, b) = self.x_side(inputs[0]), self.y_side(inputs[1])
        return tf.matmul(g, h, transpose_b=True) + a + tf.transpose(b)

    def get_config(self) -> dict:
        return super().get_config() | {"embedding": self.embedding}


@register
class BilinearCritic(_Critic):
    """f(x, y) = g(x)'W h(y), with g and h the last hidden layers, or x and y where there is none.

    With no hidden layer it is x'Wy, which sees correlation alone.

    Args:
        x_width: columns of x; W takes as many numbers where there is no hidden layer.
        widths, activation: of the hidden layers on either side.
    """

    def __init__(self, x_width: int, widths=(128, 128), activation="gelu", **kwargs):
        super().__init__(widths, activation, **kwargs)
        self.x_width = int(x_width)
        self.x_side, self.y_side = self._hidden(), self._hidden()
        self.product = keras.layers.Dense(
            self.widths[-1] if self.widths else self.x_width,
            use_bias=False,
            kernel_initializer="zeros",
        )

    def get_config(self) -> dict:
        return super().get_config() | {"x_width": self.x_width}

    def call(self, inputs):
        """Scores (n, m) of x (n, d_x) and y (m, d_y)."""
        return tf.matmul(
            self.x_side(inputs[0]), self.product(self.y_side(inputs[1])), transpose_b=True
        )


@register
class ConcatenatedCritic(_Critic):
    """f(x, y), a network of both together: n m passes for a batch, and the most flexible.

    Args:
        widths, activation: of the hidden layers.
    """

    def __init__(self, widths=(128, 128), activation="gelu", **kwargs):
        super().__init__(widths, activation, **kwargs)
        self.hidden = self._hidden()
        self.score = keras.layers.Dense(1, kernel_initializer="zeros")

    def call(self, inputs):
        """Scores (n, m) of x (n, d_x) and y (m, d_y)."""
        x, y = inputs
        n, m = tf.shape(x)[0], tf.shape(y)[0]
        pairs = tf.concat([tf.repeat(x, m, axis=0), tf.tile(y, [n, 1])], axis=1)
        return tf.reshape(self.score(self.hidden(pairs)), (n, m))
