"""Both formats against Keras, and in processes that have nothing of this library."""

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from exports import CLASSES, PRESETS, VARIANTS
from tensorflow.core.protobuf import saved_model_pb2

from keras_infomodels import export, models, presets
from keras_infomodels.export import Runtime, standalone
from keras_infomodels.export.contents import Contents, float32_copy
from keras_infomodels.export.inputs import draw_inputs, noise_images

QUICK = {
    "saved_model": ["infogan"],
    "tflite": ["vae", "gaussian"],
}
CASES = [
    pytest.param(kind, name, marks=[] if name in quick else [pytest.mark.slow])
    for kind, quick in QUICK.items()
    for name in [*CLASSES, *VARIANTS]
]
VAE = ["encode", "decode", "reconstruct", "generate", "encode_sample", "score", "generate_seeded"]
INFOGAN = ["generate", "infer_codes", "discriminate", "generate_seeded"]


def latents(model, count=6):
    """Inputs of `generate` by name, and z as the model's own decoder or generator takes it."""
    random = np.random.default_rng(1)
    parts, z = {}, []
    for each in model.export_signatures()["generate"].inputs:
        part = random.normal(size=(count, *each.shape))
        if each.kind == "category":
            part = np.eye(*each.shape)[random.integers(*each.shape, size=count) * 0 + 1]
        if each.kind == "uniform":
            part = np.tanh(part)
        parts[each.name] = part.astype(np.float32)
        z.append(parts[each.name])
    if "component" in parts:  # the second component's mean and deviation
        return parts, model.prior.means[1] + model.prior.stddev * parts["noise"]
    if isinstance(model, models.QLAE):  # the values at such places of the codebook
        places = np.floor((parts["position"] + 1) / 2 * model.num_values).astype(int)
        return parts, model.codebook[np.arange(model.latent_dim), places]
    return parts, np.hstack(z)


def expected_of_vae(model, images):
    """Outputs of the signatures by the model's own methods, apart from `export_signatures`."""
    q = model.encode(images)
    parts, z = latents(model)
    q = q if model.categorical else {"z": q}
    encoding = {"loc": q["z"].mean()}
    given = {
        "encode": {"image": images},
        "decode": {"z": z},
        "reconstruct": {"image": images},
        "generate": parts,
        "score": {"image": images},
    }
    code = encoding["loc"]
    if not model.deterministic:
        noise = np.random.default_rng(2).normal(size=code.shape).astype(np.float32)
        encoding["scale"] = q["z"].stddev()
        code = code + q["z"].stddev() * noise
        given["score"] = given["encode_sample"] = {"image": images, "noise": noise}
    if model.categorical:
        encoding["probabilities"] = q["category"].probs_parameter()
        code = tf.concat([encoding["probabilities"], code], axis=1)
    own = model.decoder(z)
    wanted = {
        "encode": encoding,
        "decode": {"image": model.decode(z).mean()}
        | {key: value for key, value in own.items() if key != "loc"},
        "reconstruct": {"image": model.reconstruct(images)},
        "generate": {"image": model.decode(z).mean()},
        "score": {"reconstruction": -model.decode(code).log_prob(images)},
    }
    if not model.deterministic:
        wanted["encode_sample"] = {"z": code}
    if model.has_density:
        prior = model.prior.distribution()
        try:
            rate = q["z"].kl_divergence(prior)
        except NotImplementedError:
            rate = q["z"].log_prob(code) - prior.log_prob(code)
        wanted["score"]["rate"] = rate
    return given, wanted


def expected_of_gan(model, images):
    parts, z = latents(model)
    given = {"generate": parts, "discriminate": {"image": images}}
    wanted = {
        "generate": {"image": model.generator(z, training=False)},
        "discriminate": {"logits": model.discriminate(images, False)["logits"]},
    }
    if model.latents.codes:
        given["infer_codes"] = {"image": images}
        codes = {}
        for name, q in model.infer_codes(images).items():
            if name == "digit":
                codes["digit_probabilities"] = q.probs_parameter()
            else:
                codes |= {f"{name}_mean": q.mean(), f"{name}_stddev": q.stddev()}
        wanted["infer_codes"] = codes
    return given, wanted


def expected(model, images):
    if isinstance(model, models.GAN):
        return expected_of_gan(model, images)
    if isinstance(model, models.Classifier):
        probabilities = model.predict(images, verbose=0)
        features = model.network(images, training=False)["features"]
        logits = model.network.get_layer("logits")(features)
        wanted = {
            "classify": {"logits": logits, "probabilities": probabilities},
            "features": {"features": features},
        }
        return {name: {"image": images} for name in wanted}, wanted
    if getattr(model.likelihood, "binarization", None) == "threshold":
        images = (images >= 0.5).astype(np.float32)
    return expected_of_vae(model, images)


def assert_equal(wanted, outputs, tolerance=1e-4):
    assert set(wanted) == set(outputs)
    for signature, tensors in wanted.items():
        assert set(outputs[signature]) == set(tensors)
        for name, value in tensors.items():
            np.testing.assert_allclose(
                outputs[signature][name], value, tolerance, tolerance, err_msg=f"{signature} {name}"
            )


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_export_signatures_equal_the_models_own_methods(exports, kind, name):
    """float32 sums of up to some hundred terms: 1e-4."""
    model = float32_copy(exports.model(name))
    runtime = Runtime(getattr(exports, kind)(name))
    given, wanted = expected(model, exports.images(name, 5))
    left_out = set(runtime.metadata.get("left_out", {}))
    draws = "generate" in wanted
    assert left_out == (
        {"generate_seeded"} | {"score"} & set(left_out) if kind == "tflite" and draws else set()
    )
    wanted = {key: value for key, value in wanted.items() if key not in left_out}
    outputs = {key: runtime.run(key, **given[key]) for key in wanted}
    assert_equal(wanted, outputs)
    if kind == "saved_model" and draws:
        assert set(runtime.signatures) == {*wanted, "generate_seeded"}
        images = runtime.run("generate_seeded", count=np.int32(7), seed=np.int32([5, 0]))["image"]
        np.testing.assert_allclose(images, model.generate(7, seed=5), atol=1e-5)
    else:
        assert set(runtime.signatures) == set(wanted)


@pytest.mark.parametrize(
    "names", [["vae", "infogan"], pytest.param(CLASSES, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("kind", [pytest.param("saved_model", marks=pytest.mark.slow), "tflite"])
def test_standalone_runs_exports_without_this_library(exports, tmp_path, kind, names):
    """All models in one process with TensorFlow alone, or without TensorFlow and Keras."""
    foreign = ["keras_infomodels", "tensorflow_probability"]
    foreign += ["tensorflow", "keras", "tf_keras"] if kind == "tflite" else []
    wanted, paths = {}, {}
    for name in names:
        given, wanted[name] = expected(exports.model(name), exports.images(name, 5))
        paths[name] = str(getattr(exports, kind)(name))
        np.savez(tmp_path / f"{name}.npz", **standalone.flatten(list(given.items())))
    code = f"""
import sys
sys.modules |= dict.fromkeys({foreign})
sys.path.insert(0, {str(Path(standalone.__file__).parent)!r})
import numpy as np, standalone
for name, path in {paths}.items():
    if path.endswith(".tflite"):
        signature = standalone.lite_rt(open(path, "rb").read())
    else:
        signature = standalone.saved_model(path)
    requests = standalone.nest(np.load({str(tmp_path)!r} + "/" + name + ".npz"))
    answers = [(key, signature(key)(**arrays)) for key, arrays in requests]
    np.savez({str(tmp_path)!r} + "/" + name + "_answers.npz", **standalone.flatten(answers))
"""
    process = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    for name in names:
        with np.load(tmp_path / f"{name}_answers.npz") as archive:
            assert_equal(wanted[name], dict(standalone.nest(archive)))


def test_to_saved_model_holds_no_operators_that_other_runtimes_lack(exports):
    """ONNX and TF.js have neither; what draws the noise of `generate_seeded` has its own Erf."""
    for name in ("vae", "infogan"):
        graph = saved_model_pb2.SavedModel.FromString(
            (exports.saved_model(name) / "saved_model.pb").read_bytes()
        ).meta_graphs[0]
        functions = graph.graph_def.library.function
        found = {node.op for function in functions for node in function.node_def}
        assert "MatMul" in found
        assert not found & {"Erfc", "MulNoNan"}


def test_to_saved_model_has_a_serving_default_and_a_keras_layer(exports):
    for name, names in (("vae", VAE), ("infogan", INFOGAN)):
        path = exports.saved_model(name)
        loaded = tf.saved_model.load(str(path))
        assert set(loaded.signatures) == {*names, "serving_default"}
        first = loaded.signatures["serving_default"]
        assert first.structured_outputs == loaded.signatures[names[0]].structured_outputs
    path, images = exports.saved_model("vae"), exports.images("vae", 3)
    layer = keras.layers.TFSMLayer(path, call_endpoint="encode")
    np.testing.assert_allclose(
        layer(images)["loc"], exports.model("vae").encode(images).mean(), atol=1e-6
    )


@pytest.mark.slow
def test_to_saved_model_is_shown_and_run_by_saved_model_cli(exports):
    tool = [Path(sys.executable).with_name("saved_model_cli")]
    path = exports.saved_model("infogan")
    show = ["show", "--dir", path, "--tag_set", "serve", "--signature_def", "generate"]
    process = subprocess.run([*tool, *show], capture_output=True, text=True)
    for text in (
        "inputs['digit']",
        "inputs['noise']",
        "outputs['image']",
        "tensorflow/serving/predict",
    ):
        assert text in process.stdout
    run = ["run", "--dir", path, "--tag_set", "serve", "--signature_def", "generate_seeded"]
    run += ["--input_exprs", "count=2;seed=[1,2]"]
    process = subprocess.run([*tool, *run], capture_output=True, text=True)
    assert "Result for output key image" in process.stdout, process.stderr


def test_to_saved_model_takes_the_card_and_the_codes_along(exports, tmp_path):
    preset = tmp_path / "my_model"
    presets.save_to_preset(exports.model("infogan"), preset, license="CC0-1.0")
    (preset / "README.md").write_text("# A card\n")
    path = export.to_saved_model(exports.model("infogan"), tmp_path / "served" / "3", preset=preset)
    assert (path / "assets.extra" / "README.md").read_text() == "# A card\n"
    facts = json.loads((path / "assets.extra" / "metadata.json").read_text())
    assert (facts["preset"], facts["license"], facts["model"]) == ("my_model", "CC0-1.0", "InfoGAN")
    assert facts["codes"]["digit"] == {"prior": "Categorical", "num_categories": 3}
    assert list(facts["signatures"]["generate"]["inputs"]) == ["noise", "digit", "a", "b"]
    assert facts["signatures"]["generate"]["inputs"]["a"]["range"] == [-1, 1]
    assert facts["signatures"]["generate"]["outputs"]["image"] == {
        "shape": [6, 6, 1],
        "dtype": "float32",
        "range": [0, 1],
    }
    assert Runtime(tmp_path / "served").generate(2).shape == (2, 6, 6, 1)  # the highest version


@pytest.mark.parametrize("kind", [pytest.param("saved_model", marks=pytest.mark.slow), "tflite"])
def test_to_saved_model_and_to_tflite_uint8_take_bytes(exports, kind):
    model = exports.model("vae")
    runtime = Runtime(getattr(exports, kind)("vae", uint8=True))
    given = np.arange(256).astype(np.uint8)[:180].reshape(5, 6, 6, 1)
    wanted = model.reconstruct(given / np.float32(255)).numpy() * 255
    images = runtime.reconstruct(given)
    assert images.dtype == np.uint8
    assert np.abs(images - wanted).max() <= 0.5 + 1e-3  # rounding to the nearest byte
    loc = model.encode(given / np.float32(255)).mean()
    np.testing.assert_allclose(runtime.encode(given)["loc"], loc, atol=1e-5)
    assert runtime.generate(3).dtype == np.uint8


def test_float32_copy_makes_half_precision_float32(exports):
    model = exports.model("half")
    copy = float32_copy(model)
    assert copy is not model
    assert {layer.dtype_policy.name for layer in copy._flatten_layers()} == {"float32"}
    for own, other in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)
    assert float32_copy(copy) is copy


def test_check_parity_refuses_a_differing_export(exports, tmp_path):
    model, images = presets.from_preset(PRESETS / "vae"), exports.images("vae")
    weights = model.get_weights()
    model.set_weights([weights[0] + 0.01, *weights[1:]])
    for target in (exports.saved_model("vae"), exports.tflite("vae")):
        with pytest.raises(ValueError, match="differs from the Keras model"):
            export.check_parity(model, target, images)
        report = export.check_parity(model, target, images, force=True)
        assert "encode differs" in report.failures[0]
    file = tmp_path / "model.tflite"
    file.write_bytes(b"an earlier export")
    model.set_weights([np.full_like(weights[0], np.nan), *weights[1:]])
    for write, target in ((export.to_tflite, file), (export.to_saved_model, tmp_path / "new")):
        with pytest.raises(ValueError, match="hold NaN"):
            write(model, target)
    assert file.read_bytes() == b"an earlier export"
    assert [path.name for path in tmp_path.iterdir()] == ["model.tflite"]


def test_to_saved_model_replaces_an_older_export_and_keeps_other_files(exports, tmp_path):
    path = tmp_path / "1"
    shutil.copytree(exports.saved_model("infogan"), path)
    own = {path / "notes.txt": "mine", path / "assets.extra" / "warmup": "requests"}
    for file, text in own.items():
        file.write_text(text)
    export.to_saved_model(exports.model("gan"), path)
    assert Runtime(path).metadata["model"] == "GAN"
    export.check_parity(exports.model("gan"), path)
    assert list(tmp_path.iterdir()) == [path]
    assert {file: file.read_text() for file in own} == own


def test_to_saved_model_on_a_full_disk_leaves_the_older_one(exports, tmp_path):
    """A limit of the size of files stands for the disk: 200 bytes, as no root can mount one."""
    path = tmp_path / "1"
    shutil.copytree(exports.saved_model("infogan"), path)
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, limits[1]))
    try:
        with pytest.raises(OSError, match=r"Make room|make room"):
            export.to_saved_model(exports.model("gan"), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before
    assert list(tmp_path.iterdir()) == [path]


def test_to_saved_model_and_to_tflite_leave_other_places_alone(make_model, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(FileExistsError, match="not a SavedModel"):
        export.to_saved_model(make_model(), tmp_path / "mine")
    with pytest.raises(ValueError, match=r"ends in \.tflite"):
        export.to_tflite(make_model(), tmp_path / "model.bin")


def test_check_parity_report_is_a_table(exports):
    path, images = exports.tflite("vae"), exports.images("vae", 3)
    report = export.check_parity(exports.model("vae"), path, images, isolated=True)
    text = str(report)
    assert list(report.signatures) == VAE[:-1]
    for name, parity in report.signatures.items():
        assert 0 <= parity.mean <= parity.largest <= 1e-4
        assert parity.milliseconds is None
        assert f"  {name} " in text
    assert "3 images" in text
    timed = export.check_parity(exports.model("vae"), path)
    assert all(0 < parity.milliseconds < 1000 for parity in timed.signatures.values())


def test_to_saved_model_uint8_needs_a_range(tmp_path):
    x, z = keras.Input((4,)), keras.Input((2,))
    encoder = keras.Model(x, {n: keras.layers.Dense(2, "softplus")(x) for n in ("loc", "scale")})
    decoder = keras.Model(
        z, {"loc": keras.layers.Dense(4)(z), "scale": keras.layers.Dense(4, "softplus")(z)}
    )
    model = models.VAE(encoder, decoder, likelihood="gaussian")
    with pytest.raises(ValueError, match="no range"):
        export.to_saved_model(model, tmp_path / "saved_model", uint8=True)
    with pytest.raises(ValueError, match="batch_size is at least 1"):
        export.to_saved_model(model, tmp_path / "saved_model", batch_size=0)


def test_draw_inputs_takes_latents_of_prior_and_posterior_in_turn(exports):
    model, images = exports.model("gaussian"), exports.images("gaussian", 6)
    z = draw_inputs(Contents(model), "decode", images)["z"]
    prior = model.prior.distribution().sample(6, seed=[0, 2]).numpy()
    posterior = model.encode(images).sample(seed=[0, 3]).numpy()
    np.testing.assert_array_equal(z[::2], prior[::2])
    np.testing.assert_allclose(z[1::2], posterior[1::2], rtol=1e-6)


@pytest.mark.parametrize(
    ("likelihood", "low", "grey"), [("bernoulli", 0, 0), ("bernoulli_stochastic", 0, 0.25)]
)
def test_noise_images_are_what_the_model_takes(make_model, likelihood, low, grey):
    model = make_model(likelihood=likelihood)
    images = noise_images(model, 16)
    model.check_data(images)
    assert (images * (1 - images)).max() == pytest.approx(grey, abs=1e-3)
    assert low <= images.min() < 0.5 < images.max() <= 1
