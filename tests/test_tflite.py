"""What is inside a `.tflite`, and what quantization costs."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.schema_py_generated import BuiltinOperator
from exports import CLASSES, VARIANTS

from keras_infomodels import distributions, export, models, networks
from keras_infomodels.export import Runtime, loading, tflite
from keras_infomodels.export.contents import Contents
from keras_infomodels.export.flatbuffer import Flatbuffer
from keras_infomodels.export.inputs import draw_inputs
from keras_infomodels.export.saved_model import write_saved_model

QUANTIZED = ["float16", "dynamic", "int8"]


def large_weights(path) -> dict[str, set[str]]:
    """Signature -> types of its matrices of 1,024 weights or more, read by the interpreter."""
    interpreter, types = Interpreter(str(path)), {}
    for name in interpreter.get_signature_list():
        index = interpreter.get_signature_runner(name)._subgraph_index
        types[name] = {
            np.dtype(tensor["dtype"]).name
            for tensor in interpreter.get_tensor_details(subgraph_index=index)
            if len(tensor["shape"]) > 1 and np.prod(tensor["shape"]) >= 1024
        }
    return types


def test_to_tflite_has_builtin_operators_and_noise_as_an_input(exports):
    interpreter = Interpreter(str(exports.tflite("vae")))
    operators = {op["op_name"] for op in interpreter._get_ops_details()}
    assert operators
    assert not {name for name in operators if name.startswith(("Flex", "Custom", "Random"))}
    assert not operators & {"BROADCAST_ARGS", "BROADCAST_TO", "SHAPE", "SELECT_V2"}
    assert interpreter.get_signature_list()["encode_sample"]["inputs"] == ["image", "noise"]


@pytest.mark.parametrize(
    "quantize",
    [*(pytest.param(q, marks=pytest.mark.slow) for q in (None, "dynamic", "int8")), "float16"],
)
def test_to_tflite_quantize_gives_weights_the_type_asked_for(exports, quantize):
    wanted = {
        None: {"float32"},
        "float16": {"float16", "float32"},  # as they are kept, and as they are used
        "dynamic": {"int8"},
        "int8": {"int8"},
    }[quantize]
    path = exports.tflite("larger_infogan", quantize)
    for name, types in large_weights(path).items():
        assert types == wanted, name
    assert Runtime(path).metadata["quantization"] == quantize


def test_to_tflite_int8_io_has_no_floats_inside(exports):
    path = exports.tflite("larger_infogan", "int8", int8_io=True)
    interpreter = Interpreter(str(path))
    for index in range(interpreter.num_subgraphs()):
        details = interpreter.get_tensor_details(subgraph_index=index)
        assert "float32" not in {np.dtype(tensor["dtype"]).name for tensor in details}
    runner = interpreter.get_signature_runner("generate")
    assert {each["dtype"] for each in runner.get_input_details().values()} == {np.int8}
    # The runtime applies the scales: one step of the image is 1/256.
    floats = Runtime(exports.tflite("larger_infogan", "int8")).generate(5, seed=0)
    images = Runtime(path).generate(5, seed=0)
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, floats, atol=1 / 256)


@pytest.mark.slow
def test_flatbuffer_check_finds_a_signature_without_calibration(exports, tmp_path):
    """The converter leaves it in float32 without a word."""
    contents, names = Contents(exports.model("gaussian")), ["encode", "decode"]
    write_saved_model(contents, tmp_path / "saved_model", names)
    samples = tflite._calibration(contents, names, exports.images("gaussian"))
    for calibrated, wanted in ((names, None), (["encode"], "decode holds float32")):
        arrays = {name: samples[name] if name in calibrated else [] for name in names}
        content = tflite._run_converter(tmp_path / "saved_model", names, "int8", False, arrays)
        if wanted is None:
            Flatbuffer(content).check("int8")
        else:
            with pytest.raises(ValueError, match=wanted):
                Flatbuffer(content).check("int8")


def test_calibration_fills_a_fixed_batch_up(exports):
    """Six images are two batches of four, the first two images being in both."""
    contents = Contents(exports.model("gaussian"), batch_size=4)
    images = exports.images("gaussian", 6)
    samples = tflite._calibration(contents, ["encode"], images)["encode"]
    assert [len(sample["image"]) for sample in samples] == [4, 4]
    together = np.concatenate([sample["image"] for sample in samples])
    np.testing.assert_array_equal(together, images[[0, 1, 2, 3, 4, 5, 0, 1]])


@pytest.mark.slow
def test_to_tflite_computes_no_shapes(exports):
    """They make dynamic tensors, and cut the graph in two for a delegate."""
    operators = {
        size: {code.builtinCode for code in Flatbuffer(path.read_bytes()).model.operatorCodes}
        for size, path in ((None, exports.tflite("gan")), (4, exports.tflite("gan", batch_size=4)))
    }
    assert BuiltinOperator.TRANSPOSE_CONV in operators[4]
    assert BuiltinOperator.DEPTH_TO_SPACE in operators[None]
    computed = {BuiltinOperator.SHAPE, BuiltinOperator.PACK}
    assert not (operators[None] | operators[4]) & computed


@pytest.mark.parametrize("name", ["gan", "vae"])
def test_to_tflite_puts_the_main_signature_first(exports, name):
    """Clients that know no signatures, such as OpenVINO, run subgraph 0."""
    flatbuffer = Flatbuffer(exports.tflite(name).read_bytes())
    main = {"gan": "generate", "vae": "encode"}[name]
    assert flatbuffer.signatures[main].subgraphIndex == 0
    interpreter = Interpreter(str(exports.tflite(name)))
    first = interpreter.get_signature_runner(main).get_output_details()
    assert {each["index"] for each in first.values()} == {
        each["index"] for each in interpreter.get_output_details()
    }


COMPILED = ["gan", "vae", "convolutional"]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in COMPILED else pytest.mark.slow)
        for name in [*CLASSES, *VARIANTS]
    ],
)
def test_check_parity_compiled_model_is_right_for_1_and_8_examples(exports, name):
    path = exports.tflite(name)
    report = export.check_parity(exports.model(name), path, exports.images(name, 8))
    calls = {(key, size) for key in Runtime(path).signatures for size in (1, 8)}
    assert set(report.compiled) == calls
    assert all(value <= 1e-5 for value in report.compiled.values())
    assert "CompiledModel: " in str(report)


def test_to_tflite_refuses_what_compiled_model_computes_wrongly(exports, tmp_path, monkeypatch):
    """The shape of a RESHAPE that is computed: uninitialized memory, or the end of the process."""
    monkeypatch.setattr(Flatbuffer, "make_reshapes_stateless", lambda self: None)
    model, images = exports.model("gaussian"), exports.images("gaussian", 8)
    path = tmp_path / "model.tflite"
    with pytest.raises(
        ValueError, match=r"CompiledModel, given \d examples of .* a fixed batch_size"
    ):
        export.to_tflite(model, path, images=images)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_to_tflite_batch_size_takes_any_number_of_images(exports, count):
    path, images = exports.tflite("gan", batch_size=4), exports.images("gan", count)
    shape = Interpreter(str(path)).get_signature_runner("discriminate").get_input_details()
    np.testing.assert_array_equal(shape["image"]["shape_signature"], [4, 6, 6, 1])
    fixed, free = (
        Runtime(file).run("discriminate", image=images)["logits"]
        for file in (path, exports.tflite("gan"))
    )
    assert fixed.shape == (count, 1)
    np.testing.assert_allclose(fixed, free, atol=1e-5)


def test_check_parity_costs_are_in_the_models_own_terms(exports):
    """Against the same quantities by hand, from the float16 file's outputs."""
    path, images = exports.tflite("gaussian", "float16"), exports.images("gaussian")
    model, runtime = exports.model("gaussian"), Runtime(path)
    report = export.check_parity(model, path, images)
    cost = {each.name: each for each in report.costs}
    assert set(cost) == {"reconstruction", "rate"}
    q = runtime.encode(images)
    z = q["loc"] + q["scale"] * np.random.default_rng(0).standard_normal(q["loc"].shape)
    p = runtime.run("decode", z=z)
    squares = ((images - p["image"]) / p["scale"]) ** 2
    nats = (squares / 2 + np.log(p["scale"]) + np.log(2 * np.pi) / 2).sum(axis=(1, 2, 3)).mean()
    rate = (q["scale"] ** 2 + q["loc"] ** 2 - 1 - 2 * np.log(q["scale"])).sum(axis=1).mean() / 2
    assert cost["reconstruction"].file == pytest.approx(nats, rel=1e-4)
    assert cost["rate"].file == pytest.approx(rate, rel=1e-4)
    assert cost["rate"].keras == pytest.approx(rate, abs=0.01)  # float16 has 11 bits
    assert cost["reconstruction"].limit == pytest.approx(0.02 * abs(cost["reconstruction"].keras))
    assert "reconstruction" in str(report)


def test_check_parity_log_density_is_relative_to_the_number_of_pixels(exports):
    """A sum of log densities may be near 0, but each of its 64 terms is off by as much as ever."""
    path, images = exports.tflite("gaussian", "float16"), exports.images("gaussian")
    model = exports.model("gaussian")
    signature = model.export_signatures()["score"]
    arrays = draw_inputs(Contents(model), "score", images)
    answer, wanted = Runtime(path).run("score", **arrays), signature.function(**arrays)
    found = {}
    for name, least in (("reconstruction", 8 * 8), ("rate", 1)):
        value = wanted[name].numpy()
        found[name] = np.abs(answer[name] - value) / np.maximum(least, np.abs(value))
    assert np.abs(wanted["reconstruction"]).min() < 64, "all above their scale"
    report = export.check_parity(model, path, images).signatures["score"]
    assert report.largest == pytest.approx(max(map(np.max, found.values())), rel=1e-3)
    assert report.mean == pytest.approx(np.mean(list(found.values())), rel=1e-3)


def test_check_parity_information_of_codes_is_what_the_model_says(exports):
    """From mean and deviation of a Beta and from probabilities, against the distributions."""
    model, images = exports.model("larger_infogan"), exports.images("larger_infogan", 300)
    path = exports.tflite("larger_infogan", "float16")
    cost = {c.name: c for c in export.check_parity(model, path, images, force=True).costs}
    parts = model.latents.sample(300, [0, 4])
    q = model.infer_codes(model(model.latents.join(parts)))
    for name, code in model.latents.codes.items():
        nats = code.entropy + float(np.mean(q[name].log_prob(parts[name])))
        assert cost[f"information_{name}"].keras == pytest.approx(nats, abs=1e-3)
        assert cost[f"information_{name}"].file == pytest.approx(nats, abs=0.02)
    wrong = q["digit"].mode().numpy().argmax(1) != parts["digit"].numpy().argmax(1)
    assert cost["category_error_digit"].keras == pytest.approx(100 * wrong.mean())
    assert cost["image_change"].file < 0.1
    assert "changed_digit" in cost


@pytest.mark.slow
def test_to_tflite_does_not_write_too_costly_a_file(tmp_path):
    """Pixels of 0.3 with a deviation of 0.001: the nearest level of int8 is 0.78 deviations off."""
    shared = {"image_shape": (4, 4, 1), "latent_dim": 2, "widths": (8,)}
    decoder = networks.MLPDecoder(parameters=("loc",), **shared)
    likelihood = distributions.Gaussian(0.001)
    model = models.VAE(networks.MLPEncoder(**shared), decoder, likelihood=likelihood)
    bias = np.full_like(decoder.weights[-1], np.log(0.3 / 0.7))
    decoder.set_weights([*(np.zeros_like(w) for w in decoder.get_weights()[:-1]), bias])
    images, path = np.full((40, 4, 4, 1), 0.3, np.float32), tmp_path / "model.tflite"
    settings = {"quantize": "int8", "calibration": images, "images": images}
    with pytest.raises(
        ValueError, match=r"model.tflite: The reconstruction changes from .* or force"
    ):
        export.to_tflite(model, path, **settings)
    assert list(tmp_path.iterdir()) == []
    export.to_tflite(model, path, force=True, **settings)
    assert export.check_parity(model, path, images, force=True).failures


@pytest.mark.slow
def test_to_tflite_leaves_out_what_it_cannot_hold_and_says_so(tmp_path, caplog):
    x, z = keras.Input((4,)), keras.Input((2,))
    encoder = keras.Model(x, {n: keras.layers.Dense(2, "softplus")(x) for n in ("loc", "scale")})
    decoder = keras.Model(z, {"logits": keras.ops.erf(keras.layers.Dense(4)(z))})
    model = models.VAE(encoder, decoder, likelihood="bernoulli_stochastic")
    path = export.to_tflite(model, tmp_path / "model.tflite", verbose=True)
    runtime = Runtime(path)
    assert list(runtime.signatures) == ["encode", "encode_sample"]
    assert "Left out: decode; it needs operators" in caplog.text
    with pytest.raises(ValueError, match="no signature 'decode': it needs operators"):
        runtime.decode(np.zeros((1, 2), np.float32))


def test_to_tflite_metadata_says_what_the_file_is(exports):
    path = exports.tflite("infogan")
    content, facts = loading.verified(path)
    assert facts["model"] == "InfoGAN"
    assert facts["codes"]["a"] == {"prior": "Uniform"}
    assert facts["left_out"] == {"generate_seeded": facts["left_out"]["generate_seeded"]}
    assert facts["signatures"]["infer_codes"]["outputs"]["digit_probabilities"] == {
        "shape": [3],
        "dtype": "float32",
        "range": [0, 1],
    }
    flatbuffer = Flatbuffer(content)
    assert b"keras_infomodels" in [each.name for each in flatbuffer.model.metadata]
    assert flatbuffer.model.description.startswith(b"InfoGAN by keras-infomodels")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"quantize": "int4"}, "quantize is one of"),
        ({"quantize": "int8"}, "needs calibration images"),
        ({"int8_io": True}, 'for quantize="int8"'),
        ({"quantize": "int8", "uint8": True}, "use int8_io"),
        ({"batch_size": 0}, "batch_size is at least 1"),
    ],
)
def test_to_tflite_refuses_settings_that_make_no_sense(exports, tmp_path, settings, words):
    with pytest.raises(ValueError, match=words):
        export.to_tflite(exports.model("vae"), tmp_path / "model.tflite", **settings)
    assert list(tmp_path.iterdir()) == []
