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
from keras_infomodels.log import LOGGER
from keras_infomodels.networks.portable import portable

__all__ = ["to_saved_model", "write_saved_model"]

_OWN = re.compile(
    r"saved_model\.pb|fingerprint\.pb|variables/variables\.(index|data-\d+-of-\d+)|"
    r"assets\.extra/(metadata\.json|README\.md)"
)
"""Files of a SavedModel, which a new one replaces."""


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
    """Exports a model as a SavedModel, which needs only TensorFlow to run.

    Load it by `tf.saved_model.load(directory).signatures["decode"](z=...)`. The signatures are
    those of `model.export_signatures()`; the first is also `serving_default`. The folder
    `assets.extra` holds metadata.json (signatures, pixel ranges, code names) and the preset's card.
    Before anything is written, the outputs are compared with those of the model.

    Args:
        model: model of this library. A model in half precision is exported as a float32 copy.
        directory: str or Path. Folder to write, such as NAME/1 for TensorFlow Serving. An earlier
            SavedModel in it is replaced. Other files are kept.
        uint8: bool. `True` makes image inputs and outputs bytes from 0 to 255. `False` keeps
            floats.
        batch_size: int. Fixed batch size. `None` allows any.
        images: array. Images for the comparison; see `check_parity`.
        preset: str or Path. Name or folder of the model's preset, whose license and card are
            included. `None` includes none.
        force: bool. `True` writes the file even if the outputs differ too much. `False` raises an
            error.
        verbose: bool. `True` logs the comparison, at the level INFO of the logger
            "keras_infomodels".

    Returns:
        Path of the folder.

    Raises:
        FileExistsError: If there is something else at `directory`.
        ValueError: If the outputs differ too much (see `check_parity`). Then nothing is written.
        OSError: If the disk is full. An earlier SavedModel is kept.

    Example:
        model = ki.from_preset("infogan_mnist")
        path = ki.export.to_saved_model(model, "infogan/1")
        signatures = tf.saved_model.load(str(path)).signatures  # in a process without this library
    """
    directory = Path(directory)
    if directory.exists() and not (directory / "saved_model.pb").is_file():
        raise FileExistsError(f"{directory} exists and is not a SavedModel; choose another folder.")
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
        LOGGER.info("%s\n%s", directory, report)
    return directory


def _keep_others(old: Path, new: Path):
    """Copies files of the replaced folder that are not part of a SavedModel."""
    for path in old.rglob("*"):
        place = path.relative_to(old)
        if not _OWN.fullmatch(place.as_posix()) and (path.is_symlink() or path.is_file()):
            (new / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, new / place, follow_symlinks=False)


def write_saved_model(contents: Contents, directory: Path, names: Iterable[str] | None = None):
    """Writes the signatures `names` (`None` for all) without a comparison."""
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
