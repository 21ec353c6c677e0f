"""The table of classes that a preset may name, and a user's own classes in presets."""

import json

import keras
import numpy as np
import pytest

import keras_infomodels as ki
from keras_infomodels import networks, presets, registry

IMAGES = np.random.default_rng(0).uniform(size=(4, 6, 6, 1)).astype(np.float32)


class Scale(keras.layers.Layer):
    """A layer with a weight and an argument."""

    def __init__(self, power=1.0, **kwargs):
        super().__init__(**kwargs)
        self.power = power

    def build(self, shape):
        self.factor = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.factor**self.power

    def get_config(self):
        return {**super().get_config(), "power": self.power}


class Decoder(keras.Model):
    """A subclass model that holds another object, in the way of Keras."""

    input_shape = (None, 2)

    def __init__(self, hidden, **kwargs):
        super().__init__(**kwargs)
        self.hidden = hidden
        self.pixels = keras.layers.Dense(36)
        self.image = keras.layers.Reshape((6, 6, 1))

    def build(self, shape):
        if not self.hidden.built:
            self.hidden.build(shape)
        self.pixels.build((None, self.hidden.units))
        self.built = True

    def call(self, z):
        return {"logits": self.image(self.pixels(self.hidden(z)))}

    def get_config(self):
        hidden = keras.saving.serialize_keras_object(self.hidden)
        return {**super().get_config(), "hidden": hidden}

    @classmethod
    def from_config(cls, config):
        hidden = keras.saving.deserialize_keras_object(config.pop("hidden"))
        return cls(hidden=hidden, **config)


class SharpVAE(ki.VAE):
    """A model class of one's own."""


def encoder(*more):
    x = keras.Input((6, 6, 1))
    h = keras.layers.Flatten()(x)
    for layer in more:
        h = layer(h)
    loc, scale = keras.layers.Dense(2)(h), keras.layers.Dense(2, "softplus")(h)
    return keras.Model(x, {"loc": loc, "scale": scale})


@pytest.fixture
def table(monkeypatch):
    """What is registered within a test is forgotten after it."""
    monkeypatch.setattr(registry, "_registered", {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A preset with a layer, a network and a model of one's own."""
    keras.utils.set_random_seed(0)
    decoder = Decoder(keras.layers.Dense(3, "relu"))
    decoder.build((None, 2))
    model = SharpVAE(encoder(Scale(2.0)), decoder, likelihood="continuous_bernoulli")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_registered", {})
        for cls in (Scale, Decoder, SharpVAE):
            assert registry.register(cls) is cls
        folder = model.save_to_preset(tmp_path_factory.mktemp("own") / "preset")
    np.save(folder.parent / "expected.npy", model(IMAGES))
    return folder


OWN = {"Scale": Scale, "Decoder": Decoder, "SharpVAE": SharpVAE}


@pytest.mark.usefixtures("table")
def test_register_admits_own_layers_networks_and_models(folder):
    assert json.loads((folder / "config.json").read_text())["format"] == 2
    for cls in OWN.values():
        registry.register(cls)
    model = SharpVAE.from_preset(folder)
    assert type(model.decoder) is Decoder
    np.testing.assert_array_equal(model(IMAGES), np.load(folder.parent / "expected.npy"))
    half = presets.from_preset(folder, dtype="mixed_bfloat16")
    policies = {layer.dtype_policy.name for layer in half.encoder.layers if type(layer) is Scale}
    assert policies == {half.decoder.dtype_policy.name} == {"mixed_bfloat16"}


@pytest.mark.usefixtures("table")
def test_load_model_admits_custom_objects_for_one_call(folder, tmp_path):
    model = ki.load_model(folder, custom_objects=OWN)
    np.testing.assert_array_equal(model(IMAGES), np.load(folder.parent / "expected.npy"))
    assert registry.classes() == registry.BUILT_IN
    with pytest.raises(ValueError, match=r"names the model class 'SharpVAE'.*register\(cls\)"):
        ki.load_model(folder)
    with pytest.raises(ValueError, match=r"names the class 'Scale'.*custom_objects"):
        ki.load_model(folder, custom_objects={"SharpVAE": SharpVAE, "Decoder": Decoder})
    with pytest.raises(TypeError, match="not a class"):
        ki.load_model(folder, custom_objects={"Scale": lambda x: x})
    model.save(tmp_path / "model.keras")
    copy = ki.load_model(tmp_path / "model.keras", custom_objects=OWN)
    np.testing.assert_array_equal(copy(IMAGES), model(IMAGES))
    with pytest.raises(ValueError, match="Could not locate class 'SharpVAE'"):
        ki.load_model(tmp_path / "model.keras")


@pytest.mark.usefixtures("table")
def test_save_to_preset_refuses_a_class_that_is_not_registered(tmp_path):
    decoder = networks.MLPDecoder((6, 6, 1), 2, (3,))
    model = ki.VAE(encoder(Scale()), decoder)
    with pytest.raises(ValueError, match=r"cannot hold the class 'Scale'.*Register Scale"):
        model.save_to_preset(tmp_path / "preset")
    # Another class of the same name is another class.
    registry.register(type("Scale", (keras.layers.Layer,), {"__module__": "elsewhere"}))
    with pytest.raises(ValueError, match=r"cannot hold the class 'Scale'"):
        model.save_to_preset(tmp_path / "preset")
    assert not (tmp_path / "preset").exists()


@pytest.mark.usefixtures("table")
def test_save_to_preset_refuses_a_config_that_leaves_layers_out(tmp_path):
    class Forgetful(keras.layers.Dense):
        def get_config(self):
            return {**super().get_config(), "units": 1, "use_bias": False}

    registry.register(Forgetful)
    model = ki.VAE(encoder(Forgetful(2)), networks.MLPDecoder((6, 6, 1), 2, (3,)))
    with pytest.raises(ValueError, match=r"get_config\(\) of a registered class leaves something"):
        model.save_to_preset(tmp_path / "preset")


@pytest.mark.usefixtures("table")
def test_register_refuses_what_presets_cannot_hold():
    class MLPEncoder(keras.layers.Layer):
        pass

    class Code(keras.layers.Lambda):
        pass

    class Bare:
        pass

    class HalfWay:
        def get_config(self):
            return {}

    for cls, message in (
        (MLPEncoder, "'MLPEncoder' is taken by keras_infomodels"),
        (keras.layers.Lambda, "its config carries code"),
        (type("Mine", (Code,), {}), "its config carries code"),
        (Bare, r"Bare has no get_config\(\)"),
        (HalfWay, r"HalfWay has no from_config\(\)"),
    ):
        with pytest.raises(ValueError, match=message):
            registry.register(cls)
    for value in (lambda x: x, Scale(), "Scale"):
        with pytest.raises(TypeError, match="not a class"):
            registry.register(value)
    assert registry.classes() == registry.BUILT_IN


@pytest.mark.usefixtures("table")
def test_register_refuses_a_name_that_another_class_has():
    registry.register(Scale)
    assert registry.get("Scale") is Scale
    with pytest.raises(ValueError, match=r"'Scale' is taken by .*test_class_registry\.Scale"):
        registry.register(type("Scale", (Decoder,), {"__module__": "elsewhere"}))
    # A cell of a notebook that is run again defines its class again.
    again = type("Scale", (Decoder,), {"__module__": Scale.__module__})
    registry.register(again)
    assert registry.get("Scale") is again


def test_get_names_the_classes_of_this_library():
    assert registry.get("VAE") is ki.VAE
    assert presets.CLASSES is registry.BUILT_IN
    with pytest.raises(KeyError, match=r"registry\.register\(cls\)"):
        registry.get("Scales")
