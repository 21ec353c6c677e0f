"""SavedModels with named signatures."""

import os
import shutil
import tempfile
from pathlib import Path

import keras

from keras_infomodels.export.parity import check_parity

__all__ = ["to_saved_model", "write_saved_model"]


def to_saved_model(model: keras.Model, directory: str | Path) -> Path:
    """Writes a SavedModel and compares every signature with the model before it is in place.

    It loads with TensorFlow alone: `tf.saved_model.load(directory).signatures["decode"](z=...)`.
    The signatures are those of `model.export_signatures()`, the first is `serving_default`, and
    the batch size is free.

    Args:
        model: a model of this library.
        directory: the SavedModel's folder; an earlier SavedModel there is replaced.

    Returns:
        The folder.

    Raises:
        FileExistsError: something else is there.
        ValueError: the numbers differ (see `check_parity`); nothing is written then.
    """
    directory = Path(directory)
    if directory.exists() and not (directory / "saved_model.pb").is_file():
        raise FileExistsError(f"{directory} exists and is no SavedModel; choose another place.")
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".saving-") as temporary:
        new = Path(temporary) / "new"
        write_saved_model(model, new)
        check_parity(model, new)
        if directory.exists():
            os.replace(directory, Path(temporary) / "old")
        shutil.move(new, directory)
    return directory


def write_saved_model(model: keras.Model, directory: Path):
    """Writes without looking at what comes out."""
    archive = keras.export.ExportArchive()
    archive.track(model)
    for name, (function, specs) in model.export_signatures().items():
        archive.add_endpoint(name, function, specs)
    archive.write_out(str(directory), verbose=False)
