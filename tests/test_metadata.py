"""What a file says of itself, made to do harm: one sentence, and nothing is allocated."""

import copy
import json
from pathlib import Path

import pytest

from keras_infomodels.export import Runtime, loading
from keras_infomodels.export.metadata import check_interface, parse_metadata

PATH = Path("file.tflite")
TENSOR = {"shape": [3], "dtype": "float32"}
HONEST = {
    "format": 1,
    "library": "keras-infomodels 0.1.0",
    "model": "InfoGAN",
    "preset": None,
    "license": None,
    "batch_size": None,
    "codes": {"digit": {"prior": "Categorical", "categories": 3}},
    "signatures": {
        "generate": {
            "inputs": {"digit": {"kind": "category", "range": [0, 1], **TENSOR}},
            "outputs": {"image": {"shape": [2, 2, 1], "dtype": "float32", "range": [0, 1]}},
        }
    },
    "quantization": None,
    "left_out": {"generate_seeded": "it draws random numbers"},
}
DIGIT = ("signatures", "generate", "inputs", "digit")

CRAFTED = [
    (("format",), 2),
    (("library",), None),
    (("model",), "\x1b[2J"),
    (("model",), ["InfoGAN"]),
    (("preset",), "x" * 2000),
    (("license",), "a\nb"),
    (("batch_size",), 0),
    (("batch_size",), 10**9),
    (("batch_size",), "4"),
    (("batch_size",), True),
    (("codes",), None),
    (("codes",), {"digit": "Categorical"}),
    (("codes",), {"\x07": {"prior": "Normal"}}),
    (("signatures",), {}),
    (("signatures",), []),
    (("signatures",), {f"s{i}": None for i in range(200)}),
    (("signatures", "generate"), None),
    (("signatures", "generate"), {"inputs": {}, "outputs": {}}),
    (("signatures", "generate", "inputs"), []),
    (("signatures", "gen\rerate"), HONEST["signatures"]["generate"]),
    ((*DIGIT, "kind"), None),
    ((*DIGIT, "kind"), "digit"),
    ((*DIGIT, "kind"), ["category"]),
    ((*DIGIT, "kind"), "count"),
    ((*DIGIT, "shape"), [10**9]),
    ((*DIGIT, "shape"), [2**21, 2**21]),
    ((*DIGIT, "shape"), [-1]),
    ((*DIGIT, "shape"), [3, 3]),
    ((*DIGIT, "shape"), "3"),
    ((*DIGIT, "shape"), [[3]]),
    ((*DIGIT, "shape"), [1] * 40),
    ((*DIGIT, "dtype"), "object"),
    ((*DIGIT, "dtype"), ["float32"]),
    ((*DIGIT, "range"), [1, 0]),
    ((*DIGIT, "range"), [0]),
    ((*DIGIT, "range"), [0, 1e308]),
    ((*DIGIT, "range"), ["0", "1"]),
    ((*DIGIT, "unit"), 3),
    ((*DIGIT, "quantization"), {"dtype": "int8", "scale": 0, "zero_point": 0}),
    ((*DIGIT, "quantization"), {"dtype": "int8", "scale": 1.0, "zero_point": 10**9}),
    ((*DIGIT, "quantization"), {"scale": 1.0, "zero_point": 0}),
    (("quantization",), "int4"),
    (("quantization",), ["int8"]),
    (("left_out",), ["score"]),
    (("left_out",), {"score": 3}),
    (("prior",), None),
    (("prior",), {"class": "MultivariateNormal", "loc": [0], "scale_tril": [[1]]}),
]


def crafted(path, value) -> dict:
    document = copy.deepcopy(HONEST)
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return document


def test_parse_metadata_takes_what_exports_say(exports):
    text = json.dumps(HONEST)
    assert parse_metadata(text + "\x00more", PATH) == HONEST
    for name in ("infogan", "vae"):
        loading.read_metadata(exports.tflite(name))


@pytest.mark.parametrize("change", CRAFTED, ids=lambda change: f"{change[0][-1]}-{change[1]!r:.20}")
def test_parse_metadata_refuses_crafted_facts_in_a_sentence(change):
    with pytest.raises(ValueError, match=r"is damaged: |does not read") as error:
        parse_metadata(json.dumps(crafted(*change)), PATH)
    assert str(error.value).isprintable()


@pytest.mark.parametrize("key", sorted(set(HONEST) - {"left_out", "quantization", "batch_size"}))
def test_parse_metadata_refuses_missing_facts(key):
    facts = {name: value for name, value in HONEST.items() if name != key}
    if key in ("preset", "license"):
        return
    with pytest.raises(ValueError, match=r"is damaged: |does not read"):
        parse_metadata(json.dumps(facts), PATH)


@pytest.mark.parametrize("text", ["", "[1]", "[" * 10**5, '{"format": NaN}', "1" * 10**4, "\x00"])
def test_parse_metadata_refuses_what_is_no_json(text):
    with pytest.raises(ValueError, match="does not read"):
        parse_metadata(text, PATH)


def test_check_interface_compares_names_shapes_and_types():
    honest = {
        "generate": {
            "inputs": {"digit": {"shape": [-1, 3], "dtype": "float32"}},
            "outputs": {"image": {"shape": [-1, 2, 2, 1], "dtype": "float32"}},
        }
    }
    check_interface(HONEST, honest, PATH)
    for kind, key, value in (
        ("inputs", "digit", {"shape": [-1, 4], "dtype": "float32"}),
        ("inputs", "digit", {"shape": [5, 3], "dtype": "float64"}),
        ("inputs", "letter", {"shape": [-1, 3], "dtype": "float32"}),
        ("outputs", "image", {"shape": [-1, 4, 1], "dtype": "float32"}),
    ):
        other = copy.deepcopy(honest)
        other["generate"][kind] = {key: value}
        with pytest.raises(ValueError, match=f"generate has other {kind}"):
            check_interface(HONEST, other, PATH)
    with pytest.raises(ValueError, match="lacks signatures"):
        check_interface(HONEST, {}, PATH)


@pytest.mark.parametrize("isolated", [True, False])
def test_runtime_refuses_a_shape_that_the_file_itself_has_not(exports, tmp_path, isolated):
    """Otherwise a file of 30 kB would make its caller draw gigabytes of noise."""
    content = exports.tflite("infogan").read_bytes()
    start, end = loading._SEAL.search(content).span(1)
    content = content[:start] + loading.BLANK.encode() + content[end:]
    honest, lie = b'"kind": "normal", "shape": [2]', b'"kind": "normal", "shape": [9]'
    assert honest in content
    path = tmp_path / "model.tflite"
    path.write_bytes(loading.seal(content.replace(honest, lie)))
    with pytest.raises(ValueError, match="generate has other inputs than its metadata says"):
        Runtime(path, isolated=isolated)
