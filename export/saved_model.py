"""SavedModels with named signatures."""

import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels.export.contents import Contents
from keras_infomodels.export.parity import check_parity
from keras_infomodels.io import printable, replace_folder, saving_folder
from keras_infomodels.networks.portable import portable

__all__ = ["to_saved_model", "write_saved_model"]

_OWN = re.compile(
    r"saved_model\.pb|fingerprint\.pb|variables/variables\.(index|data-\d+-of-\d+)|"
    r"assets\.extra/(metadata\.json|README\.md)"
)
"""The files of a SavedModel, which a new one replaces."""


def to_saved_model(
    model: keras.Model,
    directory: str | Path,
    *,
    uint8: bool = False,
    batch_size: int | None = None,
    images: np.ndarray | None = None,
    preset: str | Path | None = None,
    force: bool = False,
    verbose: bool = False,
) -> Path:
    """Writes a SavedModel and compares every signature with the model before it is in place.

    It loads with TensorFlow alone: `tf.saved_model.load(directory).signatures["decode"](z=...)`.
    The signatures are those of `model.export_signatures()`, the first is `serving_default`. The
    folder `assets.extra` holds metadata.json (signatures, ranges, code names) and the preset's
    card.

    Args:
        model: a model of this library; half precision is exported from a float32 copy.
        directory: the SavedModel's folder, such as NAME/1 for TensorFlow Serving; an earlier
            SavedModel there is replaced, and other files in it are kept.
        uint8: whether images are bytes, 0 to 255, going in and coming out.
        batch_size: a fixed one, or None for any.
        images: for the comparison, see `check_parity`.
        preset: folder or name of the preset that the model came from.
        force: writes also where the numbers differ too much.
        verbose: whether the comparison is printed.

    Returns:
        The folder.

    Raises:
        FileExistsError: something else is there.
        ValueError: the numbers differ (see `check_parity`); nothing is written then.
        OSError: the disk is full; an earlier SavedModel is still there.
    """
    directory = Path(directory)
    if directory.exists() and not (directory / "saved_model.pb").is_file():
        raise FileExistsError(f"{directory} exists and is no SavedModel; choose another place.")
    contents = Contents(model, uint8, batch_size, preset)
    with saving_folder(directory.parent) as temporary:
        new = temporary / "new"
        write_saved_model(contents, new)
        report = check_parity(contents.model, new, images, force=True)
        if not force:
            report.require(directory)
        _keep_others(directory, new)
        replace_folder(new, directory)
    if verbose:
        print(f"{directory}\n{report}")
    return directory


def _keep_others(old: Path, new: Path):
    """Copies files of the folder that is replaced which no SavedModel of this library has."""
    for path in old.rglob("*"):
        place = path.relative_to(old)
        if not _OWN.fullmatch(place.as_posix()) and (path.is_symlink() or path.is_file()):
            (new / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, new / place, follow_symlinks=False)


def write_saved_model(contents: Contents, directory: Path, names: Iterable[str] | None = None):
    """Writes the signatures `names` (all if None) without looking at what comes out."""
    names = contents.signatures if names is None else names
    archive = keras.export.ExportArchive()
    archive.track(contents.model)
    with portable(contents.model, contents.static_shapes):
        for name in names:
            contents.function(name).get_concrete_function()
            archive.add_endpoint(name, contents.function(name))
        try:
            archive.write_out(str(directory), verbose=False)
        except tf.errors.OpError as error:
            raise OSError(
                f"The SavedModel cannot be written to {directory.parent.parent}: "
                f"{re.sub(r'{{.*?}} *', '', printable(str(error)))}. Make room, or choose another "
                "place."
            ) from error
    extra = directory / "assets.extra"
    extra.mkdir()
    document = contents.document(names, quantization=None)
    (extra / "metadata.json").write_text(json.dumps(document, indent=1) + "\n")
    if contents.card is not None:
        (extra / "README.md").write_text(contents.card)
