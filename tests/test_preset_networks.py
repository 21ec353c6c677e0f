"""Presets of networks that users build from layers of Keras, honest and hostile ones."""

import json
import shutil

import keras
import numpy as np
import pytest
from keras import layers

import keras_infomodels as ki
from keras_infomodels import (
    export,
    models,
    networks,
    preset_checks,
    preset_configs,
    presets,
    registry,
)
from keras_infomodels.distributions import Categorical, Code
from keras_infomodels.preset_files import fingerprint

SHAPE = (6, 6, 1)
IMAGES = np.random.default_rng(0).uniform(size=(6, *SHAPE)).astype(np.float32)


def encoder():
    """With a layer and a network that are used twice, and a layer as activation."""
    x = keras.Input(SHAPE, name="image")
    h = layers.Conv2D(2, 3, activation=layers.LeakyReLU(0.1), kernel_regularizer="l2")(x)
    h = layers.Flatten()(layers.BatchNormalization()(h))
    twice = layers.Dense(h.shape[-1], "tanh", kernel_initializer="he_normal")
    h = layers.Dropout(0.1, seed=3)(twice(twice(h)))
    body = keras.Sequential(
        [keras.Input(h.shape[1:]), layers.Dense(4, "gelu"), layers.LayerNormalization()]
    )
    h = layers.Concatenate()([body(h), body(layers.Add()([h, h]))])
    loc, scale = layers.Dense(2, name="loc")(h), layers.Dense(2, "softplus", name="scale")(h)
    return keras.Model(x, {"loc": loc, "scale": scale}, name="encoder")


def decoder():
    z = keras.Input((2,), name="z")
    h = layers.Dense(9, layers.ReLU())(z)
    h = layers.UpSampling2D(2)(layers.Reshape((3, 3, 1))(h))
    return keras.Model(z, {"logits": layers.Conv2DTranspose(1, 3, padding="same")(h)})


def vae():
    return models.VAE(encoder(), decoder(), likelihood="bernoulli_stochastic")


def infogan():
    generator = keras.Sequential(
        [keras.Input((5,)), layers.Dense(36, "sigmoid"), layers.Reshape(SHAPE)]
    )
    x = keras.Input(SHAPE)
    h = layers.SpectralNormalization(layers.Dense(4, "relu"))(layers.Flatten()(x))
    discriminator = keras.Model(x, {"logits": layers.Dense(1)(h), "features": h})
    return models.InfoGAN(generator, discriminator, 2, [Code("digit", Categorical(3))])


def classifier():
    x = keras.Input(SHAPE)
    h = layers.GlobalAveragePooling2D()(layers.SeparableConv2D(4, 3, activation="relu")(x))
    return models.Classifier(keras.Model(x, {"logits": layers.Dense(3)(h), "features": h}))


def adversarial():
    """A network of this library beside two of Keras, one of which a divergence holds."""
    judge = keras.Sequential([keras.Input((2,)), layers.Dense(3, "relu"), layers.Dense(1)])
    return models.AdversarialAutoencoder(
        encoder(),
        networks.MLPDecoder(SHAPE, 2, (3,)),
        likelihood="bernoulli_stochastic",
        discriminator=judge,
    )


def answer(model):
    if isinstance(model, models.GAN):
        latents = model.latents.join(model.latents.sample(6, [0, 1]))
        return [model(latents), model.infer_codes(IMAGES)["digit"].mean()]
    if isinstance(model, models.Classifier):
        return [model(IMAGES), model.features(IMAGES)]
    return [model(IMAGES), model.encode(IMAGES).mean(), model.encode(IMAGES).stddev()]


def check_same(model, copy):
    assert type(copy) is type(model)
    for ours, theirs in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # Two traced graphs of the same layers may round differently.
    for ours, theirs in zip(answer(model), answer(copy), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("make", [infogan, classifier, adversarial])
def test_save_to_preset_holds_functional_networks(make, tmp_path):
    keras.utils.set_random_seed(0)
    model = make()
    # Weights that no initializer makes, as after training.
    model.set_weights([weight + 0.25 for weight in model.get_weights()])
    folder = model.save_to_preset(tmp_path / "preset")
    assert json.loads((folder / "config.json").read_text())["format"] == 2
    assert json.loads((folder / "metadata.json").read_text())["format"] == 2
    check_same(model, ki.load_model(folder))


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(0)
    model = vae()
    model.compile(keras.optimizers.Adam(1e-2), run_eagerly=True)  # two steps, not worth a trace
    model.fit(IMAGES, batch_size=3, verbose=0)
    return model


@pytest.fixture(scope="module")
def saved(trained, tmp_path_factory):
    return trained.save_to_preset(tmp_path_factory.mktemp("networks") / "preset")


def test_from_preset_gives_trained_functional_networks_back(trained, saved, tmp_path):
    copy = presets.from_preset(saved)
    check_same(trained, copy)
    assert [float(loss) for loss in copy.losses] == [float(loss) for loss in trained.losses]
    # A copy of the copy is the same preset.
    again = copy.save_to_preset(tmp_path / "again")
    assert (again / "config.json").read_text() == (saved / "config.json").read_text()


def test_from_preset_gives_functional_networks_a_dtype(trained, saved):
    half = presets.from_preset(saved, dtype="mixed_bfloat16")
    policies = {layer.name: layer.dtype_policy.name for layer in half.encoder._flatten_layers()}
    assert policies["loc"] == policies["scale"] == policies["image"] == "float32"
    hidden = [name for name in policies if name.startswith(("dense", "conv", "layer_norm"))]
    assert len(hidden) >= 4
    assert {policies[name] for name in hidden} == {"mixed_bfloat16"}
    np.testing.assert_allclose(half(IMAGES), trained(IMAGES), atol=0.05)
    for ours, theirs in zip(trained.get_weights(), half.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_to_tflite_exports_functional_networks_of_a_preset(tmp_path):
    model = classifier()
    model.save_to_preset(tmp_path / "preset")
    half = presets.from_preset(tmp_path / "preset", dtype="mixed_bfloat16")
    export.to_tflite(half, tmp_path / "model.tflite")
    runtime = export.Runtime(tmp_path / "model.tflite")
    probabilities = runtime.run("classify", image=IMAGES)["probabilities"]
    np.testing.assert_allclose(probabilities, model(IMAGES), atol=1e-5)


def test_from_preset_without_weights_initializes_functional_networks(trained, saved):
    fresh = presets.from_preset(saved, load_weights=False)
    assert [w.shape for w in fresh.get_weights()] == [w.shape for w in trained.get_weights()]


def test_check_config_admits_a_deep_network():
    h = x = keras.Input((4,))
    for _ in range(30):
        h = layers.Add()([h, layers.Dense(4, "relu")(h)])
    table = registry.classes()
    serialized = keras.saving.serialize_keras_object(keras.Model(x, {"features": h}))
    document = preset_configs.describe(serialized, table)
    assert len(document["config"]["layers"]) == 61
    preset_checks.check_config(document, table)


def test_save_to_preset_keeps_format_1_for_this_librarys_classes(make_model, tmp_path):
    folder = make_model(models.VAE).save_to_preset(tmp_path / "preset")
    for name in ("config.json", "metadata.json"):
        assert json.loads((folder / name).read_text())["format"] == 1


def shared_layer():
    """One layer in two networks, which a config would make twice."""
    shared = layers.Dense(2)
    x, z = keras.Input((2,)), keras.Input((2,))
    return models.VAE(
        keras.Model(x, {"loc": shared(x), "scale": layers.Dense(2, "softplus")(x)}),
        keras.Model(z, {"logits": shared(z)}),
    )


def with_hidden(*hidden):
    """A maker of a model with something else between image and code."""

    def make():
        x = keras.Input(SHAPE)
        h = layers.Flatten()(x)
        for layer in hidden:
            h = layer(h)
        network = keras.Model(x, {"logits": layers.Dense(3)(h), "features": h})
        return models.Classifier(network)

    return make


def own_activation(x):
    return x


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (shared_layer, "share a layer"),
        (with_hidden(layers.Lambda(lambda x: x)), r"'Lambda'.*Use layers of keras\.layers"),
        (with_hidden(layers.Dense(2, activation=lambda x: x)), "Python lambda"),
        (with_hidden(layers.Dense(2, activation=own_activation)), "function 'own_activation'"),
        (with_hidden(lambda x: 2 * x), r"operation 'Multiply'.*use a layer of keras\.layers"),
        (with_hidden(lambda x: x[:, :2]), "operation 'GetItem'"),
        (with_hidden(lambda x: layers.Reshape((36, 1))(x), layers.LSTM(2, unroll=True)), "unroll"),
    ],
)
def test_save_to_preset_refuses_code_and_says_what_to_do(make, message, tmp_path):
    with pytest.raises(ValueError, match=message) as error:
        make().save_to_preset(tmp_path / "preset")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "preset").exists()


# Presets made to do harm


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "preset")


def edit(folder, change):
    """Edits the config of the encoder, and signs the folder."""
    document = json.loads((folder / "config.json").read_text())
    change(document["config"]["encoder"]["config"], document["config"])
    (folder / "config.json").write_text(json.dumps(document))
    facts = json.loads((folder / "metadata.json").read_text())
    facts["files"] = {name: fingerprint(folder, name) for name in facts["files"]}
    (folder / "metadata.json").write_text(json.dumps(facts))


def find(network, class_name):
    return next(layer for layer in network["layers"] if layer["class_name"] == class_name)


def setting(key, value, class_name="Dense"):
    """Sets an argument of a layer."""
    return lambda network, _: find(network, class_name)["config"].update({key: value})


def entry(key, value, class_name="Dense"):
    """Sets a key beside the arguments of a layer."""
    return lambda network, _: find(network, class_name).update({key: value})


def layer(class_name, module="keras.layers", **config):
    return {"module": module, "class_name": class_name, "config": config}


LAMBDA = {"class_name": "__lambda__", "config": {"value": ["4wAA", None, None]}}
FOREIGN = "not one of this version's"


def nested(depth):
    """A network that calls a network 16 times, which calls a network 16 times, and so on."""
    value = layer("Dense", units=2)
    for _ in range(depth):
        node = {"args": [{"keras_history": ["i", 0, 0]}], "kwargs": {}}
        first = layer("InputLayer", batch_shape=[None, 2], name="i")
        value = layer(
            "Functional",
            "keras",
            name="n",
            layers=[
                {**first, "name": "i", "inbound_nodes": []},
                {**value, "name": "inner", "inbound_nodes": [node] * 16},
            ],
            input_layers=["i", 0, 0],
            output_layers=["inner", 1, 0],
        )
    return value


HOSTILE = {
    "a Lambda": (entry("class_name", "Lambda"), FOREIGN),
    "a TFSMLayer": (entry("class_name", "TFSMLayer"), FOREIGN),
    "a lookup that reads a file": (entry("class_name", "StringLookup"), FOREIGN),
    "marshaled code": (setting("activation", LAMBDA), FOREIGN),
    "marshaled code in a call": (
        entry("inbound_nodes", [{"args": [LAMBDA], "kwargs": {}}]),
        "inbound_nodes are",
    ),
    "a private module": (entry("module", "keras.src.layers.core.dense"), FOREIGN),
    "a foreign module": (entry("module", "os"), FOREIGN),
    "no module": (entry("module", None), FOREIGN),
    "a list of modules": (entry("module", ["keras.layers"]), FOREIGN),
    "a function": (setting("activation", layer("function", "builtins")), FOREIGN),
    "a registered name": (entry("registered_name", "keras_infomodels>VAE"), "registered_name"),
    "a shared object": (entry("shared_object_id", 1), "shared_object_id"),
    "a build": (entry("build_config", {"input_shape": [10**7, 10**7]}), "build_config"),
    "a text as activation": (setting("activation", "eval"), "name of an activation"),
    "a registered activation": (setting("activation", "keras_infomodels>VAE"), "activation of"),
    "a registered initializer": (setting("kernel_initializer", "x>evil"), "keras.initializers"),
    "a layer as initializer": (setting("kernel_initializer", layer("Dense")), "initializers"),
    "a text as layer": (setting("layer", "x>evil"), "is a layer"),
    "texts as layers": (lambda network, _: network.update(layers=["x>evil"]), "list of layers"),
    "a text in a call": (
        entry("inbound_nodes", [{"args": [], "kwargs": {"training": "x>evil"}}]),
        "inbound_nodes are",
    ),
    "an unknown argument": (setting("evil", 1), "does not fit the class Functional"),
    "a graph without end": (
        entry("inbound_nodes", [{"args": [{"keras_history": ["loc", 0, 0]}], "kwargs": {}}]),
        "does not fit the class Functional",
    ),
    "no layers": (lambda network, _: network.pop("layers"), "lacks"),
    "a huge layer": (setting("units", 10**7), "makes a model of more than"),
    "a huge number": (setting("units", 10**8), "at most 10000000"),
    "a long text": (setting("name", "x" * 2000), "at most 1000 characters"),
    "layers without end": (
        lambda network, _: network.update(layers=network["layers"] * 50),
        "lists at most",
    ),
    "calls without end": (lambda _, model: model.update(encoder=nested(4)), "calls of layers"),
    "an unrolled loop": (setting("unroll", True), "unroll"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_from_preset_refuses_hostile_networks(name, folder, monkeypatch):
    change, message = HOSTILE[name]
    edit(folder, change)
    before_construction = message not in (
        "does not fit the class Functional",
        "makes a model of more than",
    )
    if before_construction:
        monkeypatch.setattr(presets, "construct", None)
    with pytest.raises(ValueError, match=message) as error:
        presets.from_preset(folder)
    assert "\n" not in str(error.value)


def test_from_preset_calls_nothing_that_is_registered_with_keras_alone(folder, monkeypatch):
    """Keras looks every class up among what is registered with it, by name."""
    called = []

    class Dense(layers.Dense):
        def __init__(self, *args, **kwargs):
            called.append(self)
            super().__init__(*args, **kwargs)

    scope = {"Dense": Dense, "evil": called.append, "tanh": called.append}
    with keras.saving.custom_object_scope(scope):
        presets.from_preset(folder, load_weights=False)
        edit(folder, entry("class_name", "evil"))
        with pytest.raises(ValueError, match=FOREIGN):
            presets.from_preset(folder, load_weights=False)
    assert not called
    assert "Dense" not in registry.classes()
