"""Presets on the Hugging Face Hub, each a repository, at one commit. No TensorFlow."""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from keras_infomodels.preset_files import NEEDED, limit_of, mismatch, read_json
from keras_infomodels.zoo.cache import explained, home, is_offline
from keras_infomodels.zoo.download import DownloadError

__all__ = ["PREFIX", "fetch_from_hub"]

PREFIX = "hf://"

_PART = r"[A-Za-z0-9][A-Za-z0-9._\-]{0,95}"
_HANDLE = re.compile(f"hf://({_PART})/({_PART})@([0-9a-f]{{40}})")
_FILES = ("config.json", "metadata.json", "model.weights.h5")
_OPTIONAL = ("README.md", "recipe.toml")


def fetch_from_hub(handle: str) -> Path:
    """The preset's folder in the cache, downloaded by `huggingface_hub` if it is not there.

    The commit pins what is had; that it arrived whole is checked by metadata.json.

    Args:
        handle: hf://OWNER/REPOSITORY@COMMIT, the commit as 40 hexadecimal digits, for a branch
            can move.

    Raises:
        ValueError: another form, or a file that is too large.
        DownloadError: the repository cannot be had, or is no preset, or `huggingface_hub` is not
            installed.
    """
    match = _HANDLE.fullmatch(handle)
    if not match:
        raise ValueError(
            f"A preset on the Hugging Face Hub is hf://OWNER/REPOSITORY@COMMIT with the 40 "
            f"hexadecimal digits of a commit (see the repository's history), got {handle!r}."
        )
    owner, repository, commit = match.groups()
    folder = home() / "hub" / f"{owner}--{repository}" / commit
    if not _problem(folder):
        return folder
    if is_offline():
        raise DownloadError(
            f"{handle} is not in the cache {home()}, and KERAS_INFOMODELS_OFFLINE is set; unset it."
        )
    with explained(handle), _arriving(folder) as arrived:
        _download(f"{owner}/{repository}", commit, arrived, handle)
        if problem := _problem(arrived):
            raise DownloadError(f"{handle} is no preset, or is damaged: {problem}.")
        # What Hugging Face keeps beside its files is not the preset's.
        shutil.rmtree(arrived / ".cache", ignore_errors=True)
        _publish(arrived, folder)
    return folder


@contextlib.contextmanager
def _arriving(folder: Path) -> Iterator[Path]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".arriving-") as temporary:
        yield Path(temporary) / "preset"


def _publish(arrived: Path, folder: Path):
    if folder.exists() and _problem(folder):
        shutil.rmtree(folder)
    try:
        os.rename(arrived, folder)
    except OSError:
        # Another process may have been first.
        if _problem(folder):
            raise


def _download(repository: str, commit: str, folder: Path, handle: str):
    try:
        import huggingface_hub as hub
        from huggingface_hub import errors
    except ImportError:
        raise DownloadError(
            f"{handle} needs huggingface_hub, which is not installed: "
            "pip install 'keras-infomodels[hub]'."
        ) from None
    for name in (*_FILES, *_OPTIONAL):
        try:
            size = hub.get_hf_file_metadata(hub.hf_hub_url(repository, name, revision=commit)).size
            if size is not None and size <= limit_of(name):
                hub.hf_hub_download(repository, name, revision=commit, local_dir=folder)
        except errors.RemoteEntryNotFoundError as error:
            if name in _OPTIONAL:
                continue
            raise DownloadError(f"{handle} is no preset: it has no {name}.") from error
        # The client's errors are those of whichever HTTP library it uses.
        except Exception as error:
            raise DownloadError(
                f"{handle} could not be downloaded: {error}. Check the address and the network."
            ) from error
        if size is None or size > limit_of(name):
            raise ValueError(
                f"{handle}: {name} has {size} bytes; at most {limit_of(name)} are read."
            )


def _problem(folder: Path) -> str | None:
    try:
        files = read_json(folder, "metadata.json").get("files")
        for name in NEEDED:
            if problem := mismatch(folder, name, files[name]):
                return f"{name} {problem}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return str(error)
    return None
