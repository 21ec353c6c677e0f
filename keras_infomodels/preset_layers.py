"""Keras classes that a preset may use, and checks of their settings."""

from collections.abc import Mapping

__all__ = ["KERAS", "NETWORKS", "check_setting", "refusal"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


NETWORKS = ("Functional", "Sequential")

KERAS = {
    "keras": frozenset(NETWORKS),
    "keras.layers": _names(
        """
        InputLayer Identity Dense EinsumDense Embedding Masking Activation
        ReLU LeakyReLU PReLU ELU Softmax
        Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose
        SeparableConv1D SeparableConv2D DepthwiseConv1D DepthwiseConv2D
        AveragePooling1D AveragePooling2D AveragePooling3D MaxPooling1D MaxPooling2D MaxPooling3D
        GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
        GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D
        BatchNormalization LayerNormalization GroupNormalization UnitNormalization RMSNormalization
        SpectralNormalization Normalization
        Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D AlphaDropout
        GaussianDropout GaussianNoise ActivityRegularization
        Add Subtract Multiply Average Maximum Minimum Concatenate Dot
        Flatten Reshape Permute RepeatVector Rescaling Resizing CenterCrop
        Cropping1D Cropping2D Cropping3D UpSampling1D UpSampling2D UpSampling3D
        ZeroPadding1D ZeroPadding2D ZeroPadding3D
        RandomFlip RandomRotation RandomTranslation RandomZoom RandomContrast RandomBrightness
        Attention AdditiveAttention MultiHeadAttention GroupQueryAttention
        RNN SimpleRNN LSTM GRU SimpleRNNCell LSTMCell GRUCell StackedRNNCells Bidirectional
        TimeDistributed ConvLSTM1D ConvLSTM2D ConvLSTM3D
        """
    ),
    "keras.initializers": _names(
        """
        Zeros Ones Constant Identity IdentityInitializer RandomNormal RandomUniform TruncatedNormal
        VarianceScaling GlorotNormal GlorotUniform HeNormal HeUniform LecunNormal LecunUniform
        Orthogonal OrthogonalInitializer
        """
    ),
    "keras.regularizers": frozenset(("L1", "L2", "L1L2", "OrthogonalRegularizer")),
    "keras.constraints": frozenset(("MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm")),
}
"""module -> names. Not in it: what holds code or names files (`Lambda`, `TFSMLayer`, the lookups),
and layers that take memory for which no weight stands."""

_ACTIVATIONS = _names(
    """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu
    linear log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus
    softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold
    """
)

_DTYPES = _names(
    """
    float16 bfloat16 float32 float64 mixed_float16 mixed_bfloat16
    bool int8 int16 int32 int64 uint8 uint16 uint32 uint64
    """
)

_OBJECTS = ("layer", "backward_layer", "cell")
_LISTS = ("layers", "cells")
_KINDS = ("initializer", "regularizer", "constraint")

_POWER_ITERATIONS = 100


def check_setting(name: str, key: str, value):
    """Raises ValueError for a setting that a Keras layer of a preset may not have.

    Keras looks up strings among all registered objects. So in place of an object, a string is
    allowed only if it names one of Keras' own objects.

    Args:
        name: str. Class of the layer.
        key: str. Key in the layer's config.
        value: JSON. Value of the key.
    """
    if key.endswith("activation"):
        fits = value is None or _is_object(value)
        fits = fits or (isinstance(value, str) and value in _ACTIVATIONS)
        wanted = "the name of an activation of Keras, or an activation layer"
    elif key.endswith(_KINDS):
        module = f"keras.{next(kind for kind in _KINDS if key.endswith(kind))}s"
        fits = value is None or (_is_object(value) and value.get("module") in (None, module))
        wanted = f"an object of {module}, or none"
    elif key == "dtype":
        fits = value is None or (isinstance(value, str) and value in _DTYPES)
        wanted = "a dtype by name, or none"
    elif key in _OBJECTS:
        fits, wanted = value is None or _is_object(value), "a layer"
    elif key in _LISTS:
        fits = isinstance(value, list) and all(map(_is_object, value))
        wanted = "a list of layers"
    elif key == "seed":
        fits = value is None or (type(value) is int and abs(value) < 2**31)
        wanted = "an integer of at most 31 bits, or none"
    elif key == "name":
        fits, wanted = isinstance(value, str) and 0 < len(value) <= 200, "a text"
    elif key == "unroll":
        # One copy of the cell for each step, of which there may be millions.
        fits, wanted = value is False, "false"
    elif (name, key) in (("Normalization", "mean"), ("Normalization", "variance")):
        # Keras would spread them over the whole shape of the data at once.
        fits, wanted = value is None, "none: let the layer adapt to data"
    elif key == "power_iterations":
        fits = type(value) is int and 1 <= value <= _POWER_ITERATIONS
        wanted = f"an integer of at most {_POWER_ITERATIONS}"
    else:
        return
    if not fits:
        raise ValueError(f"{key} of a {name} in a preset is {wanted}; this one is {_short(value)}.")


def refusal(value: Mapping) -> str:
    """Returns an error message for an object that a preset cannot hold, with an alternative.

    Args:
        value: dict. Keras' serialization of the object.
    """
    name, module = value.get("class_name"), str(value.get("module"))
    if name == "__lambda__":
        return (
            "A preset cannot hold a Python lambda: its code would be run where it is loaded. Use "
            "layers of keras.layers, or a layer class of your own admitted by "
            "keras_infomodels.registry.register(cls)."
        )
    if name == "function":
        return (
            f"A preset cannot hold the function {_short(value.get('config'))}: use an activation "
            "of keras.activations, or a layer class of your own admitted by "
            "keras_infomodels.registry.register(cls)."
        )
    if name == "Lambda":
        return (
            "A preset cannot hold the class 'Lambda': its code would be run where it is loaded. "
            "Use layers of keras.layers, or a layer class of your own admitted by "
            "keras_infomodels.registry.register(cls)."
        )
    if module.startswith("keras.src.ops") or str(name).startswith("__"):
        return (
            f"A preset cannot hold the operation {name!r} of a functional network: use a layer of "
            "keras.layers instead of keras.ops, operators and slices on its tensors (Rescaling, "
            "Add, Multiply, Activation, Reshape, Cropping1D)."
        )
    if module == "keras" or module.startswith("keras."):
        return (
            f"A preset cannot hold {module}.{name}: of Keras it holds functional and sequential "
            "networks of these layers: "
            f"{', '.join(sorted(KERAS['keras.layers']))}. Save the model with "
            'model.save("model.keras") instead.'
        )
    return (
        f"A preset cannot hold the class {name!r}: it is made of the library's own classes, of "
        "layers of keras.layers, and of classes that keras_infomodels.registry.register(cls) "
        f"admitted. Register {name}, or save the model with "
        'model.save("model.keras") instead.'
    )


def _is_object(value) -> bool:
    return isinstance(value, Mapping) and "class_name" in value


def _short(value) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
