"""Metadata of exported files: JSON that others may have written, checked before use."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["check_interface", "parse_metadata"]

LIMIT = 2**20
"""Largest number of bytes of JSON."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}")
_KINDS = ("image", "latent", "normal", "uniform", "category", "count", "seed")
_DTYPES = ("float32", "int32", "uint8", "int8")
_QUANTIZATIONS = (None, "float16", "dynamic", "int8")
_TENSORS, _AXES, _NUMBERS, _BATCH, _TEXT = 100, 6, 2**22, 10**4, 1000
"""Largest number of signatures and of their tensors, of axes, of numbers in one example, of
examples in a fixed batch, and of characters.
"""


def parse_metadata(text: str, path: Path) -> dict:
    """Parses the JSON object at the beginning of a text.

    Args:
        text: str. Text; what follows the object is ignored.
        path: Path. Name of the file in error messages.

    Raises:
        ValueError: If the text is not JSON or has another format, or if facts are missing, have
            another type or exceed the limits of this module.
    """
    try:
        document, _ = json.JSONDecoder(parse_constant=_refuse).raw_decode(text[:LIMIT])
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("format") != 1:
        raise ValueError(f"{path} has a format that this version does not read; upgrade it.")
    if problem := _problem(document):
        raise ValueError(f"{path} is not an export of keras-infomodels, or is damaged: {problem}.")
    return document


def check_interface(metadata: Mapping, interface: Mapping, path: Path):
    """Raises ValueError if the metadata and the file name different tensors.

    Args:
        metadata: dict. Result of `parse_metadata`.
        interface: dict. {signature: {"inputs" and "outputs": {name: {"shape", "dtype"}}}} of the
            file, with shapes that include the batch, -1 if it is free.
        path: Path. Name of the file in error messages.
    """
    signatures, batch = metadata["signatures"], metadata["batch_size"] or -1
    if set(signatures) - set(interface):
        raise ValueError(f"{path} is damaged: it lacks signatures that its metadata names.")
    for name, facts in signatures.items():
        for kind in ("inputs", "outputs"):
            found = interface[name][kind]
            wanted = {}
            for key, each in facts[kind].items():
                batched = each.get("kind") not in ("count", "seed")
                shape = [batch, *each["shape"]] if batched else each["shape"]
                dtype = each.get("quantization", each)["dtype"]
                wanted[key] = {"shape": shape, "dtype": dtype}
            same = set(found) == set(wanted) and all(
                found[key]["dtype"] == each["dtype"] and _fits(found[key]["shape"], each["shape"])
                for key, each in wanted.items()
            )
            if not same:
                raise ValueError(
                    f"{path} is damaged: its {name} has other {kind} than its metadata says."
                )


def _fits(found: list[int], wanted: list[int]) -> bool:
    """Returns whether shapes agree, except for axes whose size is unknown before the file runs."""
    return len(found) == len(wanted) and all(
        a == b or -1 in (a, b) for a, b in zip(found, wanted, strict=True)
    )


def _refuse(name: str):
    raise ValueError(f"{name} is no JSON")


def _problem(document: Mapping) -> str | None:
    """Returns why a document is not valid metadata, or None."""
    for key in ("library", "model", "preset", "license"):
        text = document.get(key)
        if not (_is_text(text) or (text is None and key in ("preset", "license"))):
            return f"its {key} is no text of a line"
    size = document.get("batch_size")
    if not (size is None or (type(size) is int and 1 <= size <= _BATCH)):
        return f"its batch_size is no integer from 1 to {_BATCH}"
    if document.get("quantization") not in _QUANTIZATIONS:
        return "its quantization is unknown"
    left_out = document.get("left_out", {})
    if not isinstance(left_out, dict) or not all(
        _NAME.fullmatch(key) and _is_text(text) for key, text in left_out.items()
    ):
        return "its left_out is no table of texts"
    codes = document.get("codes")
    if not isinstance(codes, dict) or not all(
        _is_text(key) and isinstance(code, dict) and _is_text(code.get("prior"))
        for key, code in codes.items()
    ):
        return "its codes are no table of priors"
    signatures = document.get("signatures")
    if not isinstance(signatures, dict) or not 1 <= len(signatures) <= _TENSORS:
        return f"its signatures are no table of 1 to {_TENSORS}"
    for name, facts in signatures.items():
        if problem := _signature_problem(facts):
            return f"its signature {name!r:.50} {problem}"
    if "prior" in document and not _is_prior(document["prior"], signatures):
        return "its prior is no normal distribution of the z of its signature 'decode'"
    names = [*signatures, *codes]
    names += [key for each in signatures.values() for kind in each.values() for key in kind]
    if not all(map(_NAME.fullmatch, names)):
        return "a name in it is not made of letters, digits, '_', '.' and '-'"
    return None


def _signature_problem(facts) -> str | None:
    if not isinstance(facts, dict) or set(facts) != {"inputs", "outputs"}:
        return "is no pair of inputs and outputs"
    for kind, tensors in facts.items():
        if not isinstance(tensors, dict) or not 1 <= len(tensors) <= _TENSORS:
            return f"has no table of 1 to {_TENSORS} {kind}"
        for key, each in tensors.items():
            if not isinstance(each, dict) or not _is_tensor(each, kind == "inputs"):
                return f"does not describe {key!r:.50} as a tensor within bounds"
    batched = [each["kind"] not in ("count", "seed") for each in facts["inputs"].values()]
    return None if len(set(batched)) == 1 else "mixes a batch with counts or seeds"


def _is_tensor(facts: Mapping, is_input: bool) -> bool:
    shape, low_high = facts.get("shape"), facts.get("range", [0, 1])
    if not isinstance(shape, list) or len(shape) > _AXES:
        return False
    if not all(type(size) is int and 1 <= size <= _NUMBERS for size in shape):
        return False
    if math.prod(shape) > _NUMBERS or facts.get("dtype") not in _DTYPES:
        return False
    if not (isinstance(low_high, list) and len(low_high) == 2 and all(map(_is_number, low_high))):
        return False
    kind = facts.get("kind")
    if is_input and kind not in _KINDS:
        return False
    if kind == "category" and len(shape) != 1:
        return False
    if kind in ("count", "seed") and (facts["dtype"], shape) != ("int32", [2][: kind == "seed"]):
        return False
    if not _is_text(facts.get("unit", "")):
        return False
    return low_high[0] < low_high[1] and _is_quantization(facts.get("quantization"))


def _is_prior(prior, signatures: Mapping) -> bool:
    z = signatures.get("decode", {"inputs": {}})["inputs"].get("z", {"shape": []})["shape"]
    if not (isinstance(prior, dict) and prior.get("class") == "MultivariateNormal" and z):
        return False
    loc, matrix = prior.get("loc"), prior.get("scale_tril")
    rows = [loc, *matrix] if isinstance(matrix, list) else []
    return len(rows) == 1 + z[0] and all(
        isinstance(row, list) and len(row) == z[0] and all(map(_is_number, row)) for row in rows
    )


def _is_quantization(facts) -> bool:
    if facts is None:
        return True
    if not isinstance(facts, dict) or facts.get("dtype") != "int8":
        return False
    scale, zero_point = facts.get("scale"), facts.get("zero_point")
    if type(zero_point) is not int or not -128 <= zero_point <= 127:
        return False
    # Neither 0 nor infinite after conversion to float32.
    return _is_number(scale) and 1e-30 < scale < 1e30


def _is_number(value) -> bool:
    return type(value) in (int, float) and abs(value) < 1e30


def _is_text(value) -> bool:
    return isinstance(value, str) and len(value) <= _TEXT and value.isprintable()
