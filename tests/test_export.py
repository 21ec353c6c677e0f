import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels import export, models, networks
from keras_infomodels.distributions import CategoricalNormal
from keras_infomodels.export import parity, standalone

LIKELIHOODS = [
    "bernoulli_threshold",
    "bernoulli_stochastic",
    "continuous_bernoulli",
    "gaussian",
]


def model_of(make_model, likelihood, cls=models.VAE):
    parameters = ("loc", "scale") if likelihood == "gaussian" else ("logits",)
    return make_model(cls, parameters=parameters, likelihood=likelihood)


@pytest.fixture(scope="module")
def conv_model():
    keras.utils.set_random_seed(0)
    shared = {"image_shape": (14, 10, 3), "latent_dim": 4, "width": 8}
    return models.VAE(
        networks.ConvEncoder(filters=(4, 8), **shared),
        networks.ConvDecoder(filters=(8, 4), **shared),
        likelihood="bernoulli_stochastic",
    )


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_both_formats_compute_what_keras_computes(make_model, images, tmp_path, likelihood):
    model = model_of(make_model, likelihood)
    paths = [
        export.to_saved_model(model, tmp_path / "saved_model"),
        export.to_tflite(model, tmp_path / "model.tflite"),
    ]
    for path in paths:
        results = export.check_parity(model, path, images)
        assert list(results) == ["reconstruct", "encode", "decode", "generate"]
        for result in results.values():
            assert 0 <= result.mean <= result.largest <= 1e-4


def test_the_right_things_have_the_right_names(make_model, images, tmp_path):
    """Against the model's own methods, apart from `export_signatures`."""
    model = model_of(make_model, "bernoulli_threshold", models.MMDVAE)
    z = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    posterior = model.encode(images)
    for path in (
        export.to_saved_model(model, tmp_path / "saved_model"),
        export.to_tflite(model, tmp_path / "model.tflite"),
    ):
        outputs = standalone.run(
            path,
            {
                "encode": {"image": images},
                "decode": {"z": z},
                "generate": {"noise": z},
                "reconstruct": {"image": images[:1]},
            },
        )
        expected = {
            "encode": {"loc": posterior.mean(), "scale": posterior.stddev()},
            "decode": {"image": model.decode(z).mean()},
            "generate": {"image": model.decode(z).mean()},
            "reconstruct": {"image": model.reconstruct(images[:1])},
        }
        for signature, tensors in expected.items():
            assert set(outputs[signature]) == set(tensors)
            for name, value in tensors.items():
                np.testing.assert_allclose(outputs[signature][name], value, atol=1e-4)


def test_convolutions_any_batch_size_and_processes_of_their_own(conv_model, tmp_path):
    paths = [
        export.to_saved_model(conv_model, tmp_path / "saved_model"),
        export.to_tflite(conv_model, tmp_path / "model.tflite"),
    ]
    for path in paths:
        for count in (1, 5):
            images = np.random.default_rng(count).uniform(size=(count, 14, 10, 3))
            export.check_parity(conv_model, path, images)
        export.check_parity(conv_model, path, isolated=True)


def test_the_first_signature_serves_by_default(make_model, tmp_path):
    path = export.to_saved_model(make_model(), tmp_path / "saved_model")
    loaded = tf.saved_model.load(str(path))
    assert set(loaded.signatures) == {
        "reconstruct",
        "encode",
        "decode",
        "generate",
        "serving_default",
    }
    x = tf.zeros((1, 8, 8, 1))
    np.testing.assert_array_equal(
        loaded.signatures["serving_default"](image=x)["image"],
        loaded.signatures["reconstruct"](image=x)["image"],
    )


def test_tflite_has_builtin_operators_alone(make_model, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    path = export.to_tflite(make_model(), tmp_path / "model.tflite")
    operators = {op["op_name"] for op in Interpreter(str(path))._get_ops_details()}
    assert operators
    assert not {name for name in operators if name.startswith(("Flex", "Custom"))}


def test_a_differing_export_is_not_let_through(make_model, images, tmp_path):
    model = make_model()
    path = export.to_saved_model(model, tmp_path / "saved_model")
    file = export.to_tflite(model, tmp_path / "model.tflite")
    weights = model.get_weights()
    weights[0] = weights[0] + 0.01
    model.set_weights(weights)
    for target in (path, file):
        with pytest.raises(ValueError, match="differs from the Keras model"):
            export.check_parity(model, target, images)
    weights[0] = np.full_like(weights[0], np.nan)
    model.set_weights(weights)
    before = file.read_bytes()
    for write, target in ((export.to_tflite, file), (export.to_saved_model, path)):
        with pytest.raises(ValueError, match="differs from the Keras model"):
            write(model, target)
    assert file.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.tflite", "saved_model"]


def test_a_newer_export_replaces_the_older(make_model, images, tmp_path):
    export.to_saved_model(make_model(), tmp_path / "saved_model")
    other = make_model()
    other.set_weights([w + 0.1 for w in other.get_weights()])
    export.to_saved_model(other, tmp_path / "saved_model")
    export.check_parity(other, tmp_path / "saved_model", images)


def test_places_that_are_no_export_are_left_alone(make_model, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(FileExistsError, match="no SavedModel"):
        export.to_saved_model(make_model(), tmp_path / "mine")
    with pytest.raises(ValueError, match=r"ends in \.tflite"):
        export.to_tflite(make_model(), tmp_path / "model.bin")


def test_a_foreign_process_that_fails_says_why(tmp_path):
    (tmp_path / "broken.tflite").write_bytes(b"no model")
    with pytest.raises(RuntimeError, match="failed"):
        parity._run_isolated(tmp_path / "broken.tflite", {"encode": {"image": np.zeros(1)}})


def test_a_category_is_an_input_and_an_output(images, tmp_path):
    keras.utils.set_random_seed(0)
    shared = {"image_shape": (8, 8, 1), "widths": (16,)}
    model = models.AdversarialAutoencoder(
        networks.MLPEncoder(latent_dim=2, categories=4, **shared),
        networks.MLPDecoder(latent_dim=6, **shared),
        CategoricalNormal(4, 2),
        "bernoulli_stochastic",
    )
    category, noise = np.eye(4, dtype=np.float32), np.ones((4, 2), np.float32)
    expected = model.decode(np.hstack([category, noise])).mean()
    probabilities = model.encode(images)["category"].mean()
    for path in (
        export.to_saved_model(model, tmp_path / "saved_model"),
        export.to_tflite(model, tmp_path / "model.tflite"),
    ):
        results = export.check_parity(model, path, images)
        assert max(result.largest for result in results.values()) <= 1e-4
        inputs = {"encode": {"image": images}, "generate": {"category": category, "noise": noise}}
        outputs = standalone.run(path, inputs)
        np.testing.assert_allclose(outputs["generate"]["image"], expected, atol=1e-5)
        np.testing.assert_allclose(outputs["encode"]["probabilities"], probabilities, atol=1e-5)
