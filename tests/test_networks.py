import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels import networks
from keras_infomodels.networks.normalization import BatchNormalization

ENCODERS = [networks.MLPEncoder, networks.ConvEncoder]
DECODERS = [networks.MLPDecoder, networks.ConvDecoder]
SHAPES = [(28, 28, 1), (32, 32, 3), (45, 33, 1), (64, 64, 3)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cls", ENCODERS)
def test_mlp_encoder_and_conv_encoder_take_any_image(cls, shape):
    encoder = cls(image_shape=shape, latent_dim=4, min_stddev=0.3)
    for batch in (1, 3):
        outputs = encoder(100 * np.random.default_rng(0).normal(size=(batch, *shape)))
        assert set(outputs) == {"loc", "scale"}
        assert outputs["loc"].shape == outputs["scale"].shape == (batch, 4)
        assert float(keras.ops.min(outputs["scale"])) >= 0.3


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cls", DECODERS)
def test_mlp_decoder_and_conv_decoder_give_the_parameters_asked_for(cls, shape):
    decoder = cls(image_shape=shape, latent_dim=4, parameters=("loc", "scale"), min_stddev=0.3)
    outputs = decoder(np.random.default_rng(0).normal(size=(2, 4)))
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "loc": (2, *shape),
        "scale": (2, *shape),
    }
    assert float(keras.ops.min(outputs["loc"])) >= 0
    assert float(keras.ops.max(outputs["loc"])) <= 1
    assert float(keras.ops.min(outputs["scale"])) >= 0.3


def test_conv_decoder_and_conv_generator_double_up_to_the_image():
    """16 rows and 24 columns are 4 and 6, doubled by each of two convolutions: nothing to crop."""
    for network in (
        networks.ConvDecoder((16, 24, 1), 3, (8, 5), 7),
        networks.ConvGenerator((16, 24, 1), 3, (8, 5), 7),
    ):
        assert tuple(network.get_layer("reshape").output.shape) == (None, 4, 6, 8)
        assert not [layer for layer in network.layers if "crop" in layer.name]


def test_networks_refuse_arguments_that_they_do_not_know():
    """Keras' functional models ignore them."""
    with pytest.raises(TypeError, match="MLPEncoder has no argument 'latent'"):
        networks.MLPEncoder((8, 8, 1), latent=3)
    with pytest.raises(TypeError, match=r"'laten_dim'\. Did you mean 'latent_dim'"):
        networks.ConvGenerator((8, 8, 1), laten_dim=3)
    assert networks.MLPEncoder((8, 8, 1), 3, name="small", trainable=False).name == "small"


@pytest.mark.parametrize("cls", ENCODERS + DECODERS)
def test_get_config_of_encoders_and_decoders_rebuilds_them(cls):
    network = cls(image_shape=(28, 28, 1), latent_dim=5)
    copy = cls.from_config(network.get_config())
    assert copy.get_config() == network.get_config()
    copy.set_weights(network.get_weights())
    x = np.random.default_rng(0).normal(size=(2, *network.input_shape[1:]))
    for name, value in network(x).items():
        np.testing.assert_array_equal(copy(x)[name], value)


@pytest.mark.parametrize("cls", ENCODERS + DECODERS)
def test_encoders_and_decoders_in_mixed_bfloat16_output_float32(cls):
    network = cls(dtype="mixed_bfloat16")
    outputs = network(np.zeros((2, *network.input_shape[1:])))
    assert {keras.backend.standardize_dtype(v.dtype) for v in outputs.values()} == {"float32"}
    assert "mixed_bfloat16" in {layer.dtype_policy.name for layer in network.layers}
    assert network.get_config()["dtype"] == "mixed_bfloat16"


@pytest.mark.parametrize(
    ("encoder", "decoder"),
    [(networks.MLPEncoder, networks.MLPDecoder), (networks.ConvEncoder, networks.ConvDecoder)],
)
def test_count_params_of_default_encoders_and_decoders_is_small(encoder, decoder):
    assert encoder().count_params() + decoder().count_params() <= 600_000


@pytest.mark.parametrize("cls", ENCODERS)
@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"image_shape": (28, 28)}, "height, width, channels"),
        ({"latent_dim": 0}, "at least 1"),
        ({"min_stddev": -1.0}, "0 or above"),
    ],
)
def test_mlp_encoder_and_conv_encoder_refuse_wrong_settings(cls, arguments, what):
    with pytest.raises(ValueError, match=what):
        cls(**arguments)


def test_mlp_decoder_and_conv_encoder_refuse_parameters_and_filters():
    with pytest.raises(ValueError, match="logits"):
        networks.MLPDecoder(parameters=("probs",))
    with pytest.raises(ValueError, match="filters"):
        networks.ConvEncoder(filters=())


def normalized(cls, x, dtype, training=True, trainable=True):
    """Outputs, gradients of x, gamma and beta, and averages of batch normalization."""
    layer = cls(dtype=dtype)
    layer.build(x.shape)
    for value, weight in zip((1.5, -0.5, 0.3, 2.0), layer.weights, strict=True):
        weight.assign(tf.fill(weight.shape, value))
    layer.trainable = trainable
    watched = [tf.constant(x), layer.gamma.value, layer.beta.value]

    @tf.function
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=training)
            loss = tf.reduce_sum(
                tf.sin(tf.range(1.0, x.shape[-1] + 1)) * tf.cast(outputs, "float32") ** 3
            )
        return outputs, *tape.gradient(loss, [x, *watched[1:]])

    results = run(watched[0])
    kernels = {node.op for node in run.get_concrete_function(watched[0]).graph.as_graph_def().node}
    return kernels, [np.array(tf.cast(v, tf.float32)) for v in (*results, *layer.weights[2:])]


@pytest.mark.parametrize("shape", [(2, 3, 2, 5), (16, 5)])
@pytest.mark.parametrize(("training", "trainable"), [(True, True), (True, False), (False, True)])
def test_batch_normalization_is_that_of_keras(shape, training, trainable):
    x = np.random.default_rng(0).normal(0.4, 1.3, size=shape).astype(np.float32)
    x = np.array(tf.cast(tf.cast(x, tf.bfloat16), tf.float32))
    keras_layer = keras.layers.BatchNormalization
    _, exact = normalized(keras_layer, x, "float32", training, trainable)
    kernels, ours = normalized(BatchNormalization, x, "mixed_bfloat16", training, trainable)
    assert ("FusedBatchNormV3" in kernels) == (len(shape) == 4 and training and trainable)
    *activations, mean, variance = zip(ours, exact, strict=True)
    for own, other in activations:
        np.testing.assert_allclose(own, other, atol=0.02 * np.abs(other).max())
    # The averages stay float32 and without Bessel's correction, as Keras has them.
    for own, other in (mean, variance):
        np.testing.assert_allclose(own, other, rtol=1e-5)
    kernels, float32 = normalized(BatchNormalization, x, "float32", training, trainable)
    assert ("FusedBatchNormV3" in kernels) == (training and trainable)
    for own, other in zip(float32, exact, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())


def test_conv_discriminator_takes_judging_of_old_configs_and_warns_of_the_argument():
    with pytest.warns(DeprecationWarning, match="return_logits=False"):
        old = networks.ConvDiscriminator((8, 8, 1), (4,), 8, judging=False)
    assert set(old(tf.zeros((2, 8, 8, 1)))) == {"features"}
    config = old.get_config()
    assert config.pop("return_logits") is False
    loaded = networks.ConvDiscriminator.from_config(config | {"judging": False})
    assert set(loaded(tf.zeros((2, 8, 8, 1)))) == {"features"}
