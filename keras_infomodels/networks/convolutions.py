"""Convolutions between images and feature maps, with faster training on processors."""

import keras
import tensorflow as tf

__all__ = ["FEW", "Conv2D", "Conv2DTranspose", "conv_transpose"]

FEW = 4
"""Most channels of an image. Kernels of TensorFlow for processors compute 16 channels or none."""


@keras.saving.register_keras_serializable(package="keras_infomodels")
class Conv2D(keras.layers.Conv2D):
    """Keras' convolution, with a faster gradient for images of up to four channels.

    In training, the gradient of the loss by the images is computed by `conv_transpose`. It is what
    a discriminator returns to its generator.
    """

    def call(self, inputs, training=None):
        if not (training and _is_simple(self) and inputs.shape[-1] <= FEW):
            return super().call(inputs)
        stride, sizes = self.strides[0], inputs.shape[1:3]
        kernel = tf.convert_to_tensor(self.kernel)
        bias = [tf.convert_to_tensor(self.bias)] if self.use_bias else []

        @tf.custom_gradient
        def convolve(inputs, kernel, *bias):
            def gradients(upstream):
                by_inputs = _enlarge(upstream, kernel, stride, sizes)
                by_kernel = _gradient_by_kernel(inputs, kernel, upstream, stride)
                return (
                    by_inputs,
                    by_kernel,
                    *[tf.raw_ops.BiasAddGrad(out_backprop=upstream) for _ in bias],
                )

            outputs = tf.nn.conv2d(inputs, kernel, stride, "SAME")
            # Here, so that TensorFlow merges the two.
            return tf.nn.bias_add(outputs, *bias) if bias else outputs, gradients

        outputs = convolve(inputs, kernel, *bias)
        return outputs if self.activation is None else self.activation(outputs)


@keras.saving.register_keras_serializable(package="keras_infomodels")
class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """Keras' transposed convolution, in training faster for images of up to four channels."""

    def call(self, inputs, training=None):
        plain = _is_simple(self) and self.output_padding is None
        if not (training and plain and self.filters <= FEW):
            return super().call(inputs)
        outputs = conv_transpose(inputs, tf.convert_to_tensor(self.kernel), self.strides[0])
        if self.use_bias:
            outputs += tf.convert_to_tensor(self.bias)
        return outputs if self.activation is None else self.activation(outputs)


def conv_transpose(inputs: tf.Tensor, kernel: tf.Tensor, stride: int) -> tf.Tensor:
    """Computes a transposed convolution with padding "same" whose outputs have few channels.

    The result and the gradients are those of `keras.ops.conv_transpose` up to rounding. TensorFlow
    computes at least 16 channels on a processor, and drops those that are not wanted. Here the
    stride^2 phases of a pixel are channels of one convolution, which become pixels then.
    Source: Shi et al., "Is the deconvolution layer the same as a convolutional layer?", 2016.

    Args:
        inputs: tensor (batch, height, width, channels in).
        kernel: tensor (rows, columns, channels out, channels in).
        stride: int. Stride of both axes.

    Returns:
        Tensor (batch, stride height, stride width, channels out).
    """
    sizes = [stride * size for size in inputs.shape[1:3]]

    @tf.custom_gradient
    def enlarge(inputs, kernel):
        def gradients(upstream):
            by_inputs = tf.nn.conv2d(upstream, kernel, stride, "SAME")
            return by_inputs, _gradient_by_kernel(upstream, kernel, inputs, stride)

        return _enlarge(inputs, kernel, stride, sizes), gradients

    return enlarge(inputs, kernel)


def _enlarge(x: tf.Tensor, kernel: tf.Tensor, stride: int, sizes) -> tf.Tensor:
    """The gradient of a convolution of padding "same" by its images, which have these sizes.

    Pixel s q + r - p is the sum over t of x[q - t] kernel[s t + r], for a padding of p in front.
    """
    *lengths, outputs, inputs = kernel.shape
    taps = [-(-length // stride) for length in lengths]
    more = [(0, stride * n - length) for n, length in zip(taps, lengths, strict=True)]
    kernel = tf.pad(kernel, [*more, (0, 0), (0, 0)])
    # (row taps, row phases, column taps, column phases, out, in)
    kernel = tf.reshape(kernel, (taps[0], stride, taps[1], stride, outputs, inputs))
    kernel = tf.transpose(tf.reverse(kernel, (0, 2)), (0, 2, 5, 1, 3, 4))
    kernel = tf.reshape(kernel, (*taps, inputs, stride**2 * outputs))
    margins = [[n - 1, n - 1] for n in taps]
    y = tf.nn.conv2d(x, kernel, 1, [[0, 0], *margins, [0, 0]])
    # As `depth_to_space`, which is slower here.
    rows, columns = (size + n - 1 for size, n in zip(x.shape[1:3], taps, strict=True))
    y = tf.reshape(y, (-1, rows, columns, stride, stride, outputs))
    y = tf.transpose(y, (0, 1, 3, 2, 4, 5))
    y = tf.reshape(y, (-1, stride * rows, stride * columns, outputs))
    cut = [
        max(stride * (before - 1) + length - after, 0) // 2
        for before, length, after in zip(x.shape[1:3], lengths, sizes, strict=True)
    ]
    return y[:, cut[0] : cut[0] + sizes[0], cut[1] : cut[1] + sizes[1]]


def _gradient_by_kernel(images, kernel, upstream, stride: int) -> tf.Tensor:
    return tf.compat.v1.nn.conv2d_backprop_filter(
        images, tf.shape(kernel), upstream, (1, stride, stride, 1), "SAME"
    )


def _is_simple(layer) -> bool:
    """Whether a layer has padding "same", one stride for both axes, and channels last."""
    grouped = getattr(layer, "groups", 1) > 1 or max(layer.dilation_rate) > 1
    plain = layer.padding == "same" and layer.data_format == "channels_last"
    return plain and not grouped and len(set(layer.strides)) == 1
