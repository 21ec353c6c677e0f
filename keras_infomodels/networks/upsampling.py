"""Convolution of enlarged images, without checkerboard artifacts."""

import keras
import tensorflow as tf

from keras_infomodels.networks.convolutions import FEW, conv_transpose
from keras_infomodels.networks.heads import CHANNELS_LAST

__all__ = ["UpsamplingConv2D"]


class UpsamplingConv2D(keras.layers.Conv2D):
    """3x3 convolution of images each of whose pixels is repeated in a block of 2x2.

    The input is (batch, height, width, channels), the output (batch, 2 height, 2 width, filters).
    It equals `UpSampling2D(2)` followed by `Conv2D(filters, 3, padding="same")`. All pixels see the
    same weights, so no pattern of period 2 arises by itself, as it does in a transposed convolution
    with free weights. Source: Odena, Dumoulin and Olah, "Deconvolution and checkerboard artifacts",
    2016.

    Args:
        filters: int. Number of output channels.
        **kwargs: arguments of `keras.layers.Conv2D`, but for its sizes, padding and data format.

    Example:
        UpsamplingConv2D(8)(tf.zeros((2, 5, 7, 3))).shape  # (2, 10, 14, 8)
    """

    def __init__(self, filters: int, **kwargs):
        super().__init__(filters, 3, padding="same", data_format=CHANNELS_LAST, **kwargs)

    def call(self, inputs: tf.Tensor, training=None) -> tf.Tensor:
        # A transposed convolution of stride 2 makes 4/9 of the multiplications: its 4x4 kernel is
        # the 3x3 kernel, reversed and summed over the four places of a block.
        kernel = tf.transpose(tf.reverse(self.kernel, (0, 1)), (0, 1, 3, 2))
        kernel = tf.pad(kernel, ((1, 1), (1, 1), (0, 0), (0, 0)))
        kernel = kernel[1:] + kernel[:-1]
        kernel = kernel[:, 1:] + kernel[:, :-1]
        if training and self.filters <= FEW:
            return self._finished(conv_transpose(inputs, kernel, 2))
        outputs = keras.ops.conv_transpose(
            inputs, kernel, 2, padding="same", data_format=CHANNELS_LAST
        )
        return self._finished(outputs)

    def call_in_two(self, inputs: tf.Tensor, training=None) -> tf.Tensor:
        """Computes the same by two operations, which other runtimes have."""
        sizes = [2 * size for size in inputs.shape[1:3]]
        inputs = tf.image.resize(inputs, sizes, "nearest")
        return self._finished(tf.nn.conv2d(inputs, self.kernel, 1, "SAME"))

    def _finished(self, outputs: tf.Tensor) -> tf.Tensor:
        outputs = outputs + self.bias if self.use_bias else outputs
        return outputs if self.activation is None else self.activation(outputs)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        batch, *sizes, _ = input_shape
        return batch, *(None if size is None else 2 * size for size in sizes), self.filters

    def get_config(self) -> dict:
        config = super().get_config()
        fixed = ("kernel_size", "padding", "data_format", "strides", "dilation_rate", "groups")
        return {name: value for name, value in config.items() if name not in fixed}
