"""Presets on the Hugging Face Hub, one repository each, at one commit. No TensorFlow."""

import contextlib
import os
import re
import shutil
import warnings
from functools import partial
from pathlib import Path

from keras_infomodels.io import call_within, printable
from keras_infomodels.preset_files import limit_of, problem_of
from keras_infomodels.zoo.cache import home, install
from keras_infomodels.zoo.download import DEADLINE, DownloadError

__all__ = ["PREFIX", "fetch_from_hub", "repository_of"]

PREFIX = "hf://"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._\-]{0,95}"
_HANDLE = re.compile(f"{PREFIX}({_NAME}/{_NAME})@([0-9a-f]{{40}})")
_MOVING = re.compile(rf"{PREFIX}({_NAME}/{_NAME})(?:@([A-Za-z0-9_][\w.\-/]{{0,99}}))?")
_FILES = ("config.json", "metadata.json", "model.weights.h5", "README.md", "recipe.toml")


def fetch_from_hub(handle: str) -> Path:
    """Returns the preset's folder in the cache, downloaded by `huggingface_hub` if needed.

    Args:
        handle: str. hf://OWNER/REPOSITORY@COMMIT. A commit of 40 hexadecimal digits pins the files.
            A branch or tag in its place, or nothing, which means "main", is resolved with a
            warning that has the commit.

    Raises:
        ValueError: If `handle` has another form.
        DownloadError: If the download failed, or it is not a preset or has a file that is too
            large.
    """
    if not _HANDLE.fullmatch(handle):
        handle = _pinned(handle)
    match = _HANDLE.fullmatch(handle)
    folder = home() / "hub" / match[1].replace("/", "--") / match[2]
    return install(handle, folder, lambda: not problem_of(folder), _fill, [handle])


def repository_of(address: str) -> str:
    """Returns OWNER/NAME of hf://OWNER/NAME.

    Raises:
        ValueError: If the address has another form.
    """
    match = _MOVING.fullmatch(address)
    if match is None or match[2]:
        raise ValueError(f"A repository of the Hub is hf://OWNER/NAME, got {address!r}.")
    return match[1]


def _pinned(handle: str) -> str:
    """The handle with the commit to which its branch or tag points now."""
    if not (match := _MOVING.fullmatch(handle)):
        raise ValueError(
            "A preset on the Hub is hf://OWNER/REPOSITORY@COMMIT with the 40 hexadecimal digits of "
            f"a commit, or @main for its newest, got {handle!r}."
        )
    if os.environ.get("KERAS_INFOMODELS_OFFLINE", "0") not in ("", "0"):
        raise DownloadError(
            f"{handle} names no commit, so it has to be looked up, and KERAS_INFOMODELS_OFFLINE is "
            "set. Give the commit, or unset it once."
        )
    repository, revision = match[1], match[2] or "main"
    try:
        from huggingface_hub import HfApi

        api = HfApi(library_name="keras-infomodels")
        info = call_within(DEADLINE, lambda _: api.model_info(repository, revision=revision))
    except Exception as error:  # The client's errors are those of the HTTP library below it.
        raise DownloadError(
            f"{handle} could not be looked up: {printable(str(error))} (check the address, the "
            "network and `pip install 'keras-infomodels[hub]'`)"
        ) from error
    pinned = f"{PREFIX}{repository}@{info.sha}"
    warnings.warn(
        f"{revision} of {repository} may change at any time. It is now {pinned}: write that "
        "instead, and the files are the same forever.",
        stacklevel=5,
    )
    return pinned


def _fill(handles: list[str], folder: Path):
    repository, commit = _HANDLE.fullmatch(handles[0]).groups()
    try:
        from huggingface_hub import errors, get_hf_file_metadata, hf_hub_download, hf_hub_url

        def fetch(name, _):
            size = get_hf_file_metadata(hf_hub_url(repository, name, revision=commit)).size
            if size is None or size > (limit := limit_of(name)):
                raise ValueError(f"{name} has {size} bytes; at most {limit} are read")
            hf_hub_download(repository, name, revision=commit, local_dir=folder)

        for name in _FILES:
            with contextlib.suppress(errors.RemoteEntryNotFoundError):
                call_within(DEADLINE, partial(fetch, name))
        if problem := problem_of(folder):
            raise ValueError(f"it is no preset, or is damaged: {problem}")
    except Exception as error:  # The client's errors are those of the HTTP library below it.
        raise DownloadError(
            f"{handles[0]} could not be downloaded: {printable(str(error))} (check the "
            "address, the network and `pip install 'keras-infomodels[hub]'`)"
        ) from error
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # the client's notes
