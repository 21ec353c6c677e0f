"""TFLite files with several signatures."""

import os
import tempfile
import warnings
from pathlib import Path

import keras
import tensorflow as tf

from keras_infomodels.export.parity import check_parity
from keras_infomodels.export.saved_model import write_saved_model

__all__ = ["to_tflite"]


def to_tflite(model: keras.Model, path: str | Path) -> Path:
    """Writes one float32 `.tflite` with all signatures, compared with the model before it is there.

    Builtin operators only, so that any LiteRT interpreter runs it; weights are shared between the
    signatures; the batch size is free; noise is an input.

    Args:
        model: a model of this library.
        path: ends in .tflite; an earlier file is replaced.

    Returns:
        The path.

    Raises:
        ValueError: another suffix, or the numbers differ (see `check_parity`); nothing is written.
    """
    path = Path(path)
    if path.suffix != ".tflite":
        raise ValueError(f"The file's name ends in .tflite, got {path.name}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".saving-") as temporary:
        source, target = Path(temporary) / "saved_model", Path(temporary) / path.name
        write_saved_model(model, source)
        # `from_concrete_functions` would write NaN without a word for Keras 3 variables.
        converter = tf.lite.TFLiteConverter.from_saved_model(
            str(source), signature_keys=list(model.export_signatures())
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target.write_bytes(converter.convert())
        check_parity(model, target)
        os.replace(target, path)
    return path
