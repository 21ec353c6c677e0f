"""Critics f(x, y): Keras models that score every x of a batch against every y."""

from collections.abc import Sequence

import keras
import tensorflow as tf

__all__ = [
    "BilinearCritic",
    "ConcatenatedCritic",
    "ConvolutionalCritic",
    "SeparableCritic",
    "StackedCritic",
]

register = keras.saving.register_keras_serializable(package="keras_infomodels")


class _Critic(keras.Model):
    """Base class of critics: their configuration and hidden layers. All start at f = 0."""

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
    """Embedding g(x) of one variable and its scalar a(x), each a linear map plus a network."""

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
    """Critic f(x, y) = g(x)'h(y) + a(x) + b(y), for vectors x and y.

    Each of g, h, a and b is the sum of a linear map and a network. One matrix product computes the
    scores of all pairs of a batch. Of the critics in this module, this one needs the fewest data.
    Called with x (n, d_x) and y (m, d_y), it returns scores (n, m).

    Args:
        embedding: int. Length of g(x) and h(y). A critic of length k can represent k independent
            pairs of dependent columns.
        widths: sequence of int. Widths of the hidden layers of each network.
        activation: str. Keras activation of the hidden layers.

    Example:
        critic = ki.information.SeparableCritic(embedding=32)
        scores = critic((tf.zeros((8, 3)), tf.zeros((8, 2))))  # shape (8, 8)
    """

    def __init__(self, embedding: int = 64, widths=(128, 128), activation="gelu", **kwargs):
        super().__init__(widths, activation, **kwargs)
        self.embedding = int(embedding)
        self.x_side = Side(self._hidden(), self.embedding, "zeros")
        self.y_side = Side(self._hidden(), self.embedding, "glorot_uniform")

    def call(self, inputs):
        """Computes the scores of all pairs of an x and a y.

        Args:
            inputs: pair of tensors x and y. Shapes (n, d_x) and (m, d_y).

        Returns:
            Tensor (n, m), with f(x_i, y_j) at [i, j].
        """
        (g, a), (h, b) = self.x_side(inputs[0]), self.y_side(inputs[1])
        return tf.matmul(g, h, transpose_b=True) + a + tf.transpose(b)

    def get_config(self) -> dict:
        return super().get_config() | {"embedding": self.embedding}


@register
class BilinearCritic(_Critic):
    """Critic f(x, y) = g(x)'W h(y), for vectors x and y.

    g and h are the last hidden layers of two networks, and W is a matrix. Without hidden layers the
    critic is x'Wy, which detects only correlations. Called with x (n, d_x) and y (m, d_y), it
    returns scores (n, m).

    Args:
        x_width: int. Number d_x of columns of x. Used only if there are no hidden layers.
        widths: sequence of int. Widths of the hidden layers of each network; may be empty.
        activation: str. Keras activation of the hidden layers.

    Example:
        critic = ki.information.BilinearCritic(x_width=3)
        scores = critic((tf.zeros((8, 3)), tf.zeros((8, 2))))  # shape (8, 8)
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
        """Computes the scores of all pairs of an x and a y.

        Args:
            inputs: pair of tensors x and y. Shapes (n, d_x) and (m, d_y).

        Returns:
            Tensor (n, m), with f(x_i, y_j) at [i, j].
        """
        return tf.matmul(
            self.x_side(inputs[0]), self.product(self.y_side(inputs[1])), transpose_b=True
        )


@register
class ConcatenatedCritic(_Critic):
    """Critic f(x, y), one network of the concatenated vectors x and y.

    It is the most flexible critic, but it runs the network on all n m pairs of a batch. Called with
    x (n, d_x) and y (m, d_y), it returns scores (n, m).

    Args:
        widths: sequence of int. Widths of the hidden layers.
        activation: str. Keras activation of the hidden layers.

    Example:
        critic = ki.information.ConcatenatedCritic(widths=(64, 64))
        scores = critic((tf.zeros((8, 3)), tf.zeros((8, 2))))  # shape (8, 8)
    """

    def __init__(self, widths=(128, 128), activation="gelu", **kwargs):
        super().__init__(widths, activation, **kwargs)
        self.hidden = self._hidden()
        self.score = keras.layers.Dense(1, kernel_initializer="zeros")

    def call(self, inputs):
        """Computes the scores of all pairs of an x and a y.

        Args:
            inputs: pair of tensors x and y. Shapes (n, d_x) and (m, d_y).

        Returns:
            Tensor (n, m), with f(x_i, y_j) at [i, j].
        """
        x, y = inputs
        n, m = tf.shape(x)[0], tf.shape(y)[0]
        pairs = tf.concat([tf.repeat(x, m, axis=0), tf.tile(y, [n, 1])], axis=1)
        return tf.reshape(self.score(self.hidden(pairs)), (n, m))


@register
class ConvolutionalCritic(keras.Model):
    """Critic f(x, y) = g(x)'h(y) + a(x) + b(y), with strided convolutions for images.

    Called with x (n, *x_shape) and y (m, *y_shape), it returns scores (n, m).

    Args:
        x_shape: tuple of int. Shape of one x: (height, width, channels) for an image, or (d,) for a
            vector, which gets the networks of `SeparableCritic`.
        y_shape: tuple of int. Shape of one y.
        embedding: int. Length of g(x) and h(y).
        filters: sequence of int. Filters of the convolutions, each of which halves height and
            width.
        units: int. Units of the dense layer after them.

    Example:
        critic = ki.information.ConvolutionalCritic((28, 28, 1), (10,))
        scores = critic((tf.zeros((8, 28, 28, 1)), tf.zeros((8, 10))))  # shape (8, 8)
    """

    def __init__(
        self,
        x_shape: Sequence[int],
        y_shape: Sequence[int],
        embedding: int = 32,
        filters: Sequence[int] = (16, 32),
        units: int = 128,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.shapes = tuple(x_shape), tuple(y_shape)
        self.embedding, self.units = int(embedding), int(units)
        self.filters = tuple(int(f) for f in filters)
        self.x_side, self.y_side = (self._side(shape) for shape in self.shapes)

    def _side(self, shape: tuple[int, ...]) -> keras.Sequential:
        layers = [keras.layers.Input(shape)]
        if len(shape) == 3:
            layers += [
                keras.layers.Conv2D(f, 3, 2, "same", activation="gelu") for f in self.filters
            ]
            layers += [keras.layers.Flatten()]
        else:
            layers += [keras.layers.Dense(self.units, "gelu")]
        layers += [keras.layers.Dense(self.units, "gelu"), keras.layers.Dense(self.embedding + 1)]
        return keras.Sequential(layers)

    def call(self, inputs):
        """Computes the scores of all pairs of an x and a y.

        Args:
            inputs: pair of tensors x and y. Shapes (n, *x_shape) and (m, *y_shape).

        Returns:
            Tensor (n, m), with f(x_i, y_j) at [i, j].
        """
        x, y = (side(part) for side, part in zip((self.x_side, self.y_side), inputs, strict=True))
        own = x[:, -1:] + tf.transpose(y[:, -1:])
        return tf.matmul(x[:, :-1], y[:, :-1], transpose_b=True) / self.embedding**0.5 + own

    def get_config(self) -> dict:
        return super().get_config() | {
            "x_shape": self.shapes[0],
            "y_shape": self.shapes[1],
            "embedding": self.embedding,
            "filters": self.filters,
            "units": self.units,
        }


class StackedCritic(keras.layers.Layer):
    """Several `SeparableCritic`s of one size, computed by one batched matrix product.

    Args:
        count: int. Number of critics.
        embedding: int. Length of g(x) and h(y).
        width: int. Width of both hidden layers.
    """

    def __init__(self, count: int, embedding: int = 64, width: int = 64, **kwargs):
        super().__init__(**kwargs)
        self.count, self.embedding, self.hidden_width = count, embedding, width

    def build(self, input_shape):
        self.sides = [
            self._weights(shape[-1], name, zero)
            for shape, name, zero in zip(input_shape, "xy", (True, False), strict=True)
        ]

    def _weights(self, d: int, name: str, zero: bool) -> dict:
        h, e = self.hidden_width, self.embedding
        sizes = {"first": (d, h), "second": (h, h), "linear": (d, e), "network": (h, e)}
        kernels = {
            part: self.add_weight(
                shape=(self.count, *size),
                name=f"{name}_{part}",
                initializer="zeros" if zero and part in ("linear", "network") else _Stacked(),
            )
            for part, size in (sizes | {"own": (h, 1)}).items()
            if part != "own"
        }
        kernels["own"] = self.add_weight(
            shape=(self.count, h, 1), name=f"{name}_own", initializer="zeros"
        )
        biases = {
            f"{part}_bias": self.add_weight(
                shape=(self.count, 1, size), name=f"{name}_{part}_bias", initializer="zeros"
            )
            for part, size in (("first", h), ("second", h), ("linear", e))
        }
        return kernels | biases

    def call(self, inputs):
        """Computes scores (count, n, m) of x (count, n, d_x) and y (count, m, d_y)."""
        (g, a), (h, b) = map(self._embed, self.sides, inputs)
        return tf.matmul(g, h, transpose_b=True) + a + tf.transpose(b, (0, 2, 1))

    @staticmethod
    def _embed(w: dict, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        h = tf.nn.gelu(tf.matmul(x, w["first"]) + w["first_bias"], approximate=True)
        h = tf.nn.gelu(tf.matmul(h, w["second"]) + w["second_bias"], approximate=True)
        linear = tf.matmul(x, w["linear"]) + w["linear_bias"]
        return linear + tf.matmul(h, w["network"]), tf.matmul(h, w["own"])


class _Stacked(keras.initializers.Initializer):
    """Glorot's uniform initializer for each matrix in a stack (count, d, h)."""

    def __call__(self, shape, dtype=None):
        limit = (6 / (shape[-2] + shape[-1])) ** 0.5
        return keras.random.uniform(shape, -limit, limit, dtype=dtype)
