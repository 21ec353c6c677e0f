"""Registries of the mirrors in KERAS_INFOMODELS_ZOO_URL. No TensorFlow."""

import functools
import hashlib
import logging
import os

from keras_infomodels.io import write_atomically
from keras_infomodels.zoo import registry
from keras_infomodels.zoo.cache import addresses, home
from keras_infomodels.zoo.download import DownloadError, fetch_small_file, without_password
from keras_infomodels.zoo.registry import BASE_URL, Entry

__all__ = ["entries", "entry", "without_registry"]

_LARGEST = 2**20


def entry(name: str) -> Entry | None:
    """Returns a preset's entry.

    Mirrors are asked only for names that the package does not have.
    """
    return registry.read().get(name) or entries().get(name)


def entries() -> dict[str, Entry]:
    """Returns the presets by name: those of the package, then those of each mirror's registry.

    A mirror cannot replace a preset of the package. Its registry is read once in a process. If the
    mirror does not answer, or in offline mode, the last copy is used.
    """
    found = {}
    for url in reversed([url for url in addresses() if url != BASE_URL]):
        found |= _entries_of(url)
    return found | registry.read()


def without_registry() -> list[str]:
    """Returns the mirrors from which no registry.json was read, and no copy of one is kept."""
    own = [url for url in addresses() if url != BASE_URL]
    return [without_password(url, url) for url in own if not _entries_of(url)]


@functools.cache
def _entries_of(url: str) -> dict[str, Entry]:
    """Entries of URL/registry.json; empty where there is none, as in a mirror of this zoo."""
    offline = os.environ.get("KERAS_INFOMODELS_OFFLINE", "0") not in ("", "0")
    try:
        kept = home() / "registries" / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"
    except DownloadError:  # no home folder
        return {}
    if not offline or url.startswith("file:"):
        try:
            content = fetch_small_file(url, "registry.json", _LARGEST)
            if content is None:
                return {}
            write_atomically(kept, content)
        except OSError as error:
            log = logging.getLogger("keras_infomodels")
            log.warning("No registry from a mirror: %s", error)
    try:
        return registry.read(kept) if kept.exists() else {}
    except ValueError as error:
        raise DownloadError(f"The registry of a mirror is damaged: {error}") from error
