"""Export to ONNX: one file for each signature, compared with the model by onnxruntime."""

import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels.export.contents import Contents
from keras_infomodels.export.inputs import draw_inputs, noise_images
from keras_infomodels.export.saved_model import write_saved_model
from keras_infomodels.io import printable, replace_folder, saving_folder, write_atomically
from keras_infomodels.log import LOGGER

__all__ = ["TOLERANCE", "to_onnx"]

TOLERANCE = 1e-4
"""Largest difference from Keras allowed, relative to max(1, |value|)."""

_OPSET = 18
_KEPT = 150
"""Characters of a converter's reason that are kept."""


def to_onnx(
    model: keras.Model,
    directory: str | Path,
    *,
    batch_size: int | None = None,
    images: np.ndarray | None = None,
    preset: str | Path | None = None,
    force: bool = False,
    verbose: bool = False,
) -> Path:
    """Exports a model to ONNX: a folder with one file NAME.onnx for each signature.

    The folder also gets metadata.json and the preset's card. An output that has the name of an
    input, such as "image" in `reconstruct`, gets the suffix "_out"; metadata.json lists it under
    "renamed". Signatures that cannot be converted are listed under "left_out", with the reason.
    Before anything is written, the outputs are compared with those of the model.

    Args:
        model: model of this library. A model in half precision is exported as a float32 copy.
        directory: str or Path. Folder to write. An earlier export in it is replaced.
        batch_size: int. Fixed batch size. `None` allows any.
        images: array. Images for the comparison; see `check_parity`.
        preset: str or Path. Name or folder of the model's preset, whose card is included. `None`
            includes none.
        force: bool. `True` writes the files even if the outputs differ too much. `False` raises an
            error.
        verbose: bool. `True` logs the differences and the signatures that were left out.

    Returns:
        Path of the folder.

    Raises:
        ImportError: If tf2onnx or onnxruntime is not installed.
        FileExistsError: If the folder holds other files.
        ValueError: If outputs differ by more than `TOLERANCE`, or no signature can be converted.
            Then nothing is written.
    """
    _check_installed()
    directory = Path(directory)
    if directory.exists() and not any(directory.glob("*.onnx")):
        raise FileExistsError(
            f"{directory} exists and is not an ONNX export; choose another folder."
        )
    contents = Contents(model, batch_size=batch_size, preset=preset)
    images = noise_images(contents.model, 16) if images is None else np.float32(images)
    images = np.resize(images, (batch_size, *images.shape[1:])) if batch_size else images
    left_out = {
        name: signature.saved_model_only
        for name, signature in contents.signatures.items()
        if signature.saved_model_only
    }
    names = [name for name in contents.signatures if name not in left_out]
    differences, renamed = {}, {}
    with saving_folder(directory.parent) as temporary:
        saved, new = temporary / "saved_model", temporary / "new"
        write_saved_model(contents, saved, names)
        loaded = tf.saved_model.load(str(saved))
        new.mkdir()
        for name in names:
            try:
                content, renamed[name] = _convert(contents, loaded.signatures[name], name)
                differences[name] = _difference(contents, name, content, renamed[name], images)
            except Exception as error:  # tf2onnx and onnxruntime raise classes of their own
                left_out[name] = printable(str(error))[:_KEPT] or type(error).__name__
                continue
            write_atomically(new / f"{name}.onnx", content)
        _require(directory, differences, left_out, force)
        document = contents.document(
            differences,
            quantization=None,
            left_out=left_out,
            renamed={name: renamed[name] for name in differences if renamed[name]},
        )
        write_atomically(new / "metadata.json", json.dumps(document, indent=1) + "\n")
        if contents.card is not None:
            write_atomically(new / "README.md", contents.card)
        replace_folder(new, directory)
    if verbose:
        lines = [f"{directory}: differences from Keras in onnxruntime, relative to max(1, |value|)"]
        lines += [f"  {name:16} {value:9.1e}" for name, value in differences.items()]
        lines += [f"Left out: {name}; {reason}." for name, reason in left_out.items()]
        LOGGER.info("%s", "\n".join(lines))
    return directory


def _check_installed():
    try:
        import onnxruntime  # noqa: F401
        import tf2onnx  # noqa: F401
    except ModuleNotFoundError as error:
        raise ImportError(
            f"ONNX needs {error.name}: pip install 'keras-infomodels[onnx]'"
        ) from error


def _require(directory: Path, differences: dict, left_out: dict, force: bool):
    if not differences:
        raise ValueError(f"{directory}: no signature can be converted: {left_out}.")
    # Not `value > TOLERANCE`: a NaN must not pass.
    wrong = [f"{k} by {v:.2g}" for k, v in differences.items() if not v <= TOLERANCE]
    if wrong and not force:
        raise ValueError(
            f"{directory}: {', '.join(wrong)} differ from the Keras model; at most {TOLERANCE:g} "
            "is allowed. Do not use these files, and report it."
        )


def _convert(contents: Contents, signature, name: str) -> tuple[bytes, dict[str, str]]:
    """The bytes of a signature's file, and the new names of its outputs."""
    import tf2onnx

    specs = contents.specs(name)
    names = [spec.name for spec in specs]
    renamed = {key: f"{key}_out" for key in signature.structured_outputs if key in names}

    def wrapper(*tensors):
        outputs = signature(**dict(zip(names, tensors, strict=True)))
        return {renamed.get(key, key): value for key, value in outputs.items()}

    function = tf.function(wrapper, input_signature=specs, autograph=False)
    proto, _ = tf2onnx.convert.from_function(function, specs, opset=_OPSET)
    return proto.SerializeToString(), renamed


def _difference(contents: Contents, name: str, content: bytes, renamed: dict, images) -> float:
    """The largest difference of onnxruntime's answers from those of Keras."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    arrays = draw_inputs(contents, name, images)
    names = [node.name for node in session.get_outputs()]
    given = {node.name: arrays[node.name] for node in session.get_inputs()}
    answers = dict(zip(names, session.run(None, given), strict=True))
    tensors = {key: tf.constant(array) for key, array in arrays.items()}
    signature = contents.model.export_signatures()[name]
    largest = 0.0
    for key, value in signature.function(**tensors).items():
        found, value = answers[renamed.get(key, key)], value.numpy()
        if found.shape != value.shape:
            raise ValueError(f"{key} has shape {found.shape}, not {value.shape}")
        difference = np.abs(found - value) / np.maximum(signature.scales.get(key, 1), np.abs(value))
        largest = float(np.maximum(largest, difference.max()))  # keeps NaN
    return largest
