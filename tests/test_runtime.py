"""Exported files without TensorFlow: right results, and one clear line for everything else."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from keras_infomodels.export import Runtime, isolation, loading, standalone


def test_runtime_loads_neither_tensorflow_nor_keras(exports):
    code = f"""
from keras_infomodels.export.runtime import Runtime
runtime = Runtime({str(exports.tflite("infogan"))!r})
print(runtime.generate(digit=2, n=8, seed=0).shape, list(runtime.infer_codes(runtime.generate(3))))
import sys
heavy = ["tensorflow", "keras", "tf_keras", "tensorflow_probability", "scipy", "matplotlib"]
print([name for name in heavy if name in sys.modules])
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    names = ["digit_probabilities", "a_mean", "a_stddev", "b_mean", "b_stddev"]
    assert process.stdout.splitlines() == [f"(8, 6, 6, 1) {names}", "[]"], process.stderr


def test_runtime_generate_takes_codes_by_name_and_seeds(exports):
    model, runtime = exports.model("infogan"), Runtime(exports.tflite("infogan"))
    images = runtime.generate(4, seed=7, digit=1, a=[-1, 0, 0.5, 1])
    np.testing.assert_array_equal(
        images, runtime.generate(4, 7, {"digit": 1, "a": [-1, 0, 0.5, 1]})
    )
    assert (runtime.generate(4, seed=8, digit=1) != images).any()
    assert (runtime.generate(4, digit=1) != runtime.generate(4, digit=1)).any()
    # The noise of a seed is that of NumPy's generator, first of all draws.
    noise = np.random.default_rng(7).standard_normal((4, 2)).astype(np.float32)
    b = runtime.run(
        "generate", noise=noise, digit=np.eye(3)[[1] * 4], a=np.zeros((4, 1)), b=np.ones((4, 1))
    )
    np.testing.assert_array_equal(b["image"], runtime.generate(4, 7, digit=1, a=0, b=1))
    latents = np.hstack([noise, np.eye(3)[[1] * 4], np.zeros((4, 1)), np.ones((4, 1))])
    np.testing.assert_allclose(b["image"], model(latents.astype(np.float32)), atol=1e-5)


def test_runtime_of_a_saved_model_answers_like_a_tflite(exports):
    lite, full = (Runtime(getattr(exports, kind)("infogan")) for kind in ("tflite", "saved_model"))
    images = lite.generate(5, seed=1, digit=0)
    np.testing.assert_allclose(full.generate(5, seed=1, digit=0), images, atol=1e-5)
    for name, array in full.infer_codes(images).items():
        np.testing.assert_allclose(array, lite.infer_codes(images)[name], atol=1e-4)


def test_runtime_encode_takes_any_number_in_several_threads(exports):
    runtime, model = Runtime(exports.tflite("vae"), threads=2), exports.model("vae")
    images = exports.images("vae", 300)
    loc = model.encode(images).mean().numpy()
    with ThreadPoolExecutor(4) as pool:
        counts = [1, 300, 7, 256, 257, 2, 299, 3] * 3
        for count, found in zip(
            counts, pool.map(lambda n: runtime.encode(images[:n]), counts), strict=True
        ):
            np.testing.assert_allclose(found["loc"], loc[:count], atol=1e-5)


IMAGE = np.zeros((2, 6, 6, 1), np.float32)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda r: r.infer_codes(IMAGE[0]), r"image has shape \(n, 6, 6, 1\), n at least 1; got"),
        (lambda r: r.infer_codes(IMAGE[:0]), "n at least 1"),
        (lambda r: r.infer_codes((255 * IMAGE).astype(np.uint8)), "got uint8. Divide bytes by 255"),
        (lambda r: r.infer_codes(IMAGE + 2), "image is from 0 to 1, got 2 to 2"),
        (lambda r: r.infer_codes(IMAGE * np.nan), "holds NaN"),
        (lambda r: r.run("infer_codes", picture=IMAGE), "takes image; got picture"),
        (lambda r: r.run("nothing", image=IMAGE), "no signature 'nothing'; it has generate, infer"),
        (lambda r: r.run("generate_seeded"), "no signature 'generate_seeded': it draws random"),
        (lambda r: r.encode(IMAGE), "no signature 'encode'"),
        (lambda r: r.generate(0), "at least 1"),
        (lambda r: r.generate(2, letter=1), "codes are digit, a, b; got 'letter'"),
        (lambda r: r.generate(2, noise=1), "codes are digit, a, b; got 'noise'"),
        (lambda r: r.generate(2, digit=3), "integer from 0 to 2, got 3"),
        (lambda r: r.generate(2, digit=0.5), "integer from 0 to 2"),
        (lambda r: r.generate(2, digit="one"), "digit is one number or 2 of them, got 'one'"),
        (lambda r: r.generate(2, a=1.5), "a is a number from -1 to 1, got 1.5"),
        (lambda r: r.generate(2, b=np.inf), "b is a number from -inf to inf"),
        (lambda r: r.generate(2, digit=[0, 1, 2]), "one number or 2 of them"),
        (
            lambda r: r.run(
                "generate", noise=np.zeros((2, 2)), digit=np.eye(3), a=[[0.0]], b=[[0.0]]
            ),
            r"same number of examples, got \[1, 2, 3\]",
        ),
    ],
)
def test_runtime_refuses_a_wrong_call_in_one_clear_line(exports, call, words):
    runtime = Runtime(exports.tflite("infogan"))
    with pytest.raises(ValueError, match=words) as error:
        call(runtime)
    assert "\n" not in str(error.value)


def damaged(content: bytes, number: int) -> bytes:
    """A copy that is cut short, or of which one to eight bits are flipped."""
    random = np.random.default_rng(number)
    if number % 4 == 0:
        return content[: random.integers(len(content))]
    copy = bytearray(content)
    for bit in random.integers(8 * len(copy), size=1 if number % 4 < 3 else 8):
        copy[bit // 8] ^= 1 << (bit % 8)
    return bytes(copy)


@pytest.mark.parametrize("name", ["infogan", "vae"])
def test_runtime_runs_no_damaged_file(exports, tmp_path, name):
    content, path = exports.tflite(name).read_bytes(), tmp_path / "model.tflite"
    for number in range(100):
        path.write_bytes(damaged(content, number))
        with pytest.raises(ValueError, match=r"model\.tflite is damaged") as error:
            Runtime(path)
        assert "\n" not in str(error.value)
    path.write_bytes(content)
    Runtime(path)


def resealed(content: bytes, damage) -> bytes:
    """Damages what comes before the JSON, and gives it a right checksum: a hostile file."""
    start, end = loading._SEAL.search(content).span(1)
    content = content[:start] + loading.BLANK.encode() + content[end:]
    start = content.index(b'{"sha256"')
    return loading.seal(damage(content[:start]) + content[start:])


@pytest.mark.slow
def test_runtime_isolated_survives_hostile_files(exports, tmp_path):
    """Isolated they give an error of one line, or an answer: here the checksum knows nothing."""
    content, path = exports.tflite("infogan").read_bytes(), tmp_path / "model.tflite"
    errors = []
    for number in range(200):
        path.write_bytes(resealed(content, lambda part, number=number: damaged(part, number)))
        try:
            images = Runtime(path, isolated=True).generate(2, seed=0)
            assert images.shape == (2, 6, 6, 1)
        except ValueError as error:
            errors.append(str(error))
    assert len(errors) > 50  # the quarter that is cut short, at least
    assert not [error for error in errors if "\n" in error]


def test_runtime_refuses_foreign_and_absent_files(exports, tmp_path):
    path = tmp_path / "model.tflite"
    with pytest.raises(FileNotFoundError, match="There is no file"):
        Runtime(path)
    path.write_bytes(b"TFL3" * 100)
    with pytest.raises(ValueError, match="damaged, or not an export of keras-infomodels"):
        Runtime(path)
    with pytest.raises(FileNotFoundError, match=r"neither a \.tflite nor a folder"):
        Runtime(tmp_path)
    shutil.copytree(exports.saved_model("gan"), tmp_path / "1")
    with pytest.raises(ValueError, match="threads is for a"):
        Runtime(tmp_path, threads=2)
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="cannot be opened"):
        Runtime(tmp_path)
    shutil.rmtree(tmp_path / "1" / "assets.extra")
    with pytest.raises(ValueError, match="not an export of keras-infomodels"):
        Runtime(tmp_path)
    with pytest.raises(ValueError, match="threads is at least 1"):
        Runtime(exports.tflite("vae"), threads=0)


def test_runtime_isolated_reports_a_failing_file_in_one_line(exports, tmp_path):
    path = exports.tflite("infogan")
    images = Runtime(path).generate(3, seed=0)
    np.testing.assert_array_equal(Runtime(path, isolated=True).generate(3, seed=0), images)
    hostile = resealed(path.read_bytes(), lambda part: bytes(len(part)))
    (tmp_path / "model.tflite").write_bytes(hostile)
    with pytest.raises(ValueError, match=r"cannot run: the process died of \w") as error:
        Runtime(tmp_path / "model.tflite", isolated=True)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="cannot be opened"):
        Runtime(tmp_path / "model.tflite")


def test_runtime_raises_where_numbers_are_not_finite(exports):
    """A large z overflows inside, and LiteRT returns NaN without an error."""
    runtime = Runtime(exports.tflite("convolutional"))
    z = np.full((2, 4), 3e38, np.float32)
    with pytest.raises(ValueError, match="returns NaN or infinite values as"):
        runtime.decode(z)
    assert np.isfinite(runtime.decode(z / 3e38)).all()


def test_runtime_isolated_bounds_time_and_what_a_call_makes(exports, monkeypatch):
    runtime = Runtime(exports.tflite("infogan"), isolated=True)
    with pytest.raises(ValueError, match=r"make more than 268435456 numbers.*ask for fewer"):
        runtime.generate(10**9)
    monkeypatch.setattr(isolation, "_SECONDS", 0.01)
    monkeypatch.setattr(isolation, "_SECONDS_A_CALL", 0)
    with pytest.raises(ValueError, match=r"cannot run: it took more than 0.01 s\."):
        runtime.generate(1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limits of memory")
def test_standalone_limits_the_memory_of_an_isolated_file(exports, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(exports.tflite("infogan").read_bytes())
    code = f"""
import runpy, sys
module = runpy.run_path({standalone.__file__!r})
module["_limit"]()
import resource
assert resource.getrlimit(resource.RLIMIT_AS)[0] <= module["MEMORY"]
bytearray(5 * 2**30)
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.stderr.strip().endswith("MemoryError")
