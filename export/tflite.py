"""TFLite files with several signatures."""

import os
import warnings
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels.export.contents import Contents
from keras_infomodels.export.flatbuffer import Flatbuffer
from keras_infomodels.export.inputs import draw_inputs
from keras_infomodels.export.parity import check_parity
from keras_infomodels.export.saved_model import write_saved_model
from keras_infomodels.io import saving_folder
from keras_infomodels.log import LOGGER
from keras_infomodels.names import guess

__all__ = ["QUANTIZATIONS", "to_tflite"]

QUANTIZATIONS = (None, "float16", "dynamic", "int8")
"""None is float32, "float16" and "dynamic" (int8) are of weights, "int8" is int8 throughout."""

_CALIBRATION = 200
_SUMS = "its sums over all pixels need more than the 256 levels of int8"
_FOREIGN = "it needs operators that TFLite does not have built in"


def to_tflite(
    model: keras.Model,
    path: str | Path,
    quantize: str | None = None,
    *,
    int8_io: bool = False,
    uint8: bool = False,
    batch_size: int | None = None,
    calibration: np.ndarray | None = None,
    images: np.ndarray | None = None,
    preset: str | Path | None = None,
    force: bool = False,
    verbose: bool = False,
) -> Path:
    """Exports a model as one `.tflite` file with several signatures.

    The file has builtin operators only, so any LiteRT interpreter can run it. The signatures share
    their weights, and noise is an input. Signatures that TFLite does not support are left out; the
    file's metadata list them under "left_out", with the reason. Before the file is written, its
    outputs are compared with those of the model.

    Args:
        model: model of this library. A model in half precision is exported as a float32 copy.
        path: str or Path. File to write, which ends in .tflite. An earlier file is replaced.
        quantize: str. Quantization of the weights: a name in `QUANTIZATIONS`, such as "float16" or
            "int8". `None` is float32.
        int8_io: bool. `True` makes inputs and outputs int8 too, for hardware without floats; only
            with "int8". The metadata hold the scales, and `Runtime` applies them. `False` keeps
            floats.
        uint8: bool. `True` makes image inputs and outputs bytes from 0 to 255; not with "int8".
            `False` keeps floats.
        batch_size: int. Fixed batch size, for delegates that need it. `None` allows any.
        calibration: array (n, height, width, channels). Training images that set the ranges of
            activations for "int8", as `model.fit` takes them. Up to 200 are used, and as many
            random draws of every other input.
        images: array. Images for the comparison; see `check_parity`.
        preset: str or Path. Name or folder of the model's preset, whose license and card are
            included. `None` includes none.
        force: bool. `True` writes the file even if the outputs differ too much. `False` raises an
            error.
        verbose: bool. `True` logs the comparison and the signatures that were left out, to the
            logger "keras_infomodels".

    Returns:
        Path of the file.

    Raises:
        ValueError: If the suffix is not .tflite, settings contradict each other, TFLite does not
            support the model, or the outputs differ too much (see `check_parity`). Then nothing is
            written.
        OSError: If the disk is full. An earlier file is kept.

    Example:
        model = ki.from_preset("infogan_mnist")
        path = ki.export.to_tflite(model, "infogan.tflite", quantize="float16")
        images = ki.export.Runtime(path).generate(8, digit=7, seed=0)
    """
    path = Path(path)
    _check(path, quantize, int8_io, uint8, calibration)
    contents = Contents(model, uint8, batch_size, preset, static_shapes=batch_size is None)
    with saving_folder(path.parent) as temporary:
        target = temporary / path.name
        content, left_out = _convert(contents, quantize, int8_io, calibration, temporary)
        flatbuffer = Flatbuffer(content)
        flatbuffer.check(quantize)
        names = [name for name in contents.signatures if name not in left_out]
        flatbuffer.make_reshapes_stateless()
        flatbuffer.put_first(names[0])
        document = contents.document(
            names,
            quantization=quantize,
            left_out=left_out,
        )
        target.write_bytes(flatbuffer.packed(document))
        report = check_parity(contents.model, target, images, force=True)
        if not force:
            report.require(path)
        os.replace(target, path)
    if verbose:
        LOGGER.info("%s\n%s", path, report)
        for name, reason in left_out.items():
            LOGGER.warning("Left out: %s; %s.", name, reason)
    return path


def _convert(contents, quantize, int8_io, calibration, folder: Path) -> tuple[bytes, dict]:
    """Returns the bytes of the file, and the signatures left out with their reasons."""
    left_out = {
        name: signature.saved_model_only
        for name, signature in contents.signatures.items()
        if signature.saved_model_only
    }
    if quantize == "int8" and "score" in contents.signatures:
        left_out["score"] = _SUMS
    names = [name for name in contents.signatures if name not in left_out]
    source = folder / "saved_model"
    write_saved_model(contents, source, names)

    arrays = _calibration(contents, names, calibration) if quantize == "int8" else None

    def convert(names):
        return _run_converter(source, names, quantize, int8_io, arrays)

    try:
        return convert(names), left_out
    except Exception as error:
        for name in names:
            try:
                convert([name])
            except Exception:
                left_out[name] = _FOREIGN
        rest = [name for name in names if name not in left_out]
        if rest in ([], names):
            raise ValueError(f"TFLite cannot hold this model: {_line(error)}") from error
        return convert(rest), left_out


def _run_converter(source, names, quantize, int8_io, arrays) -> bytes:
    # `from_concrete_functions` silently writes NaN for Keras 3 variables.
    converter = tf.lite.TFLiteConverter.from_saved_model(str(source), signature_keys=list(names))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantize is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantize == "int8":
        converter.representative_dataset = lambda: (
            (name, sample) for name in names for sample in arrays[name]
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if int8_io:
            converter.inference_input_type = converter.inference_output_type = tf.int8
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return converter.convert()


def _calibration(contents: Contents, names, images: np.ndarray) -> dict[str, list[dict]]:
    """Returns a dict from signature to its samples, each the tensors of one call."""
    size = contents.batch_size or 1
    images = np.asarray(images[:_CALIBRATION], np.float32)
    images = contents.model.calibration_images(images)
    # Examples may repeat to fill a fixed batch.
    images = np.resize(images, (-(-len(images) // size) * size, *images.shape[1:]))
    samples = {}
    for name in names:
        arrays = draw_inputs(contents, name, images)
        samples[name] = [
            {key: array[start : start + size] for key, array in arrays.items()}
            for start in range(0, len(images), size)
        ]
    return samples


def _check(path: Path, quantize, int8_io: bool, uint8: bool, calibration):
    if path.suffix != ".tflite":
        raise ValueError(f"The file's name ends in .tflite, got {path.name}.")
    if quantize not in QUANTIZATIONS:
        near = guess(quantize, filter(None, QUANTIZATIONS))
        raise ValueError(f"quantize is one of {QUANTIZATIONS}, got {quantize!r}.{near}")
    if int8_io and quantize != "int8":
        raise ValueError('int8_io is for quantize="int8".')
    if uint8 and quantize == "int8":
        raise ValueError(
            'quantize="int8" does not go with uint8, which would put floats at its ends; use '
            "int8_io, whose images are bytes minus 128 up to rounding."
        )
    if quantize == "int8" and (calibration is None or not len(calibration)):
        raise ValueError(
            'quantize="int8" needs calibration images: some hundred of the training data, '
            "calibration=images."
        )


def _line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if "error:" in line]
    return (lines or str(error).splitlines() or [type(error).__name__])[0].strip()
