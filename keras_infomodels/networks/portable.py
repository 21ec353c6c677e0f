"""Tracing of a model with operations that other runtimes have."""

import contextlib
import math
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels.networks.convolutions import Conv2DTranspose
from keras_infomodels.networks.upsampling import UpsamplingConv2D

__all__ = ["gelu_by_erf", "portable", "subpixel_kernel"]


def gelu_by_erf(x: tf.Tensor) -> tf.Tensor:
    """Computes GELU as x (1 + erf(x / sqrt 2)) / 2.

    TensorFlow computes GELU by erfc, which ONNX, TF.js and OpenVINO lack. In float32 the results
    differ by at most 2.4e-7 max(1, |x|).
    """
    return 0.5 * x * (1.0 + tf.math.erf(x * math.sqrt(0.5)))


@contextlib.contextmanager
def portable(model: keras.Model, static_shapes: bool = False) -> Iterator[None]:
    """Context manager in which a model is traced for an export.

    Within the context, layers with the activation "gelu" use `gelu_by_erf`. Outside of it they use
    erfc, as in training and `predict`. `UpsamplingConv2D` repeats pixels first and convolves them
    then. Only one thread at a time may use the context.

    Args:
        model: keras.Model. Layers inside layers and networks are changed too.
        static_shapes: bool. `True` replaces `Conv2DTranspose` by a convolution and
            `depth_to_space`, with the same result up to rounding. TFLite's own transposed
            convolution needs a dynamic shape if the batch size is free. `False` keeps it.
    """
    with contextlib.ExitStack() as stack:

        def replace(target, name: str, value):
            if name in vars(target):
                stack.callback(setattr, target, name, getattr(target, name))
            else:  # a method, which the class has
                stack.callback(delattr, target, name)
            setattr(target, name, value)

        for layer in model._flatten_layers():
            for name in ("activation", "recurrent_activation"):
                if getattr(layer, name, None) is keras.activations.gelu:
                    replace(layer, name, gelu_by_erf)
            if isinstance(layer, UpsamplingConv2D):
                replace(layer, "call", layer.call_in_two)
            if static_shapes and _has_subpixel_form(layer):
                replace(layer, "call", _subpixel_call(layer))
            # `keras.ops.gelu` in a functional network is an operation, not a layer.
            for operation in getattr(layer, "operations", ()):
                exact = getattr(operation, "approximate", None) is False
                if type(operation).__name__ == "Gelu" and exact:
                    replace(operation, "call", gelu_by_erf)
        yield


def subpixel_kernel(kernel: tf.Tensor, stride: int, paddings: tuple[int, int]) -> tf.Tensor:
    """Returns the kernel of the convolution that equals a transposed one before `depth_to_space`.

    y[s q + r] is the sum over t of x[q + t] kernel[r + p - s t], where p is the padding in front.
    Each of the s phases r has a convolution of its own. Source: Shi et al., "Is the deconvolution
    layer the same as a convolutional layer?", 2016.

    Args:
        kernel: tensor (height, width, channels out, channels in) of the transposed convolution.
        stride: int. Stride of both axes.
        paddings: (int, int). Number of rows and of columns that are cut off in front.

    Returns:
        Tensor (odd height, odd width, channels in, stride^2 channels out).
    """
    for axis, padding in zip((0, 2), paddings, strict=True):
        size = kernel.shape[axis]
        radius = max((padding + stride - 1) // stride, (size - 1 - padding) // stride)
        taps, phases = np.arange(-radius, radius + 1)[:, None], np.arange(stride)
        indices = phases + padding - stride * taps
        indices = np.where((indices >= 0) & (indices < size), indices, size)  # `size` is a zero
        margins = np.zeros((len(kernel.shape), 2), int)
        margins[axis, 1] = 1
        # (taps, phases) take the place of the axis
        kernel = tf.gather(tf.pad(kernel, margins), indices, axis=axis)
    # (rows, row phases, columns, column phases, out, in)
    rows, _, columns, _, outputs, inputs = kernel.shape
    kernel = tf.transpose(kernel, (0, 2, 5, 1, 3, 4))
    return tf.reshape(kernel, (rows, columns, inputs, stride**2 * outputs))


def _has_subpixel_form(layer: keras.layers.Layer) -> bool:
    if type(layer) not in (keras.layers.Conv2DTranspose, Conv2DTranspose):
        return False
    plain = layer.output_padding is None and set(layer.dilation_rate) == {1}
    return plain and len(set(layer.strides)) == 1 and layer.data_format == "channels_last"


def _subpixel_call(layer: keras.layers.Conv2DTranspose) -> Callable:
    stride, valid = layer.strides[0], layer.padding == "valid"
    cut = [max(size - stride, 0) for size in layer.kernel_size]  # in all, by padding "same"
    paddings = tuple(0 if valid else size // 2 for size in cut)

    def call(inputs, training=None):
        kernel = subpixel_kernel(tf.convert_to_tensor(layer.kernel), stride, paddings)
        sizes = [stride * size for size in inputs.shape[1:3]]
        if valid:
            more = [[0, 0], *([0, -(-size // stride)] for size in cut), [0, 0]]
            inputs = tf.pad(inputs, more)
            sizes = [size + extra for size, extra in zip(sizes, cut, strict=True)]
        # (batch, height, width, stride^2 channels)
        outputs = tf.nn.conv2d(inputs, tf.cast(kernel, inputs.dtype), 1, "SAME")
        outputs = tf.nn.depth_to_space(outputs, stride) if stride > 1 else outputs
        outputs = outputs[:, : sizes[0], : sizes[1]] if valid else outputs
        if layer.use_bias:
            outputs += tf.cast(tf.convert_to_tensor(layer.bias), outputs.dtype)
        return outputs if layer.activation is None else layer.activation(outputs)

    return call
