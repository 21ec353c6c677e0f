"""Registry of the presets of this version, with size and SHA-256 of their files. No TensorFlow."""

import dataclasses
import hashlib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from keras_infomodels import __version__
from keras_infomodels.io import write_atomically
from keras_infomodels.preset_files import (
    NEEDED,
    check_file_name,
    check_format,
    check_table,
    fingerprint,
    read_json,
    read_text,
)

__all__ = [
    "BASE_URL",
    "PATH",
    "Entry",
    "check_name",
    "file_names",
    "make",
    "read",
    "register",
    "state_files",
]

PATH = Path(__file__).parent / "registry.json"
"""Registry of the package."""

BASE_URL = (
    "https://raw.githubusercontent.com/keras-infomodels/keras-infomodels/"
    f"v{__version__}/zoo/presets"
)
"""URL of the folder of all presets.

Nothing is served there before the project publishes; until then set KERAS_INFOMODELS_ZOO_URL to a
mirror.
"""

_NAME = re.compile(r"[a-z0-9][a-z0-9_\-]{0,79}")
_LEFT_OUT = ("run",)


@dataclasses.dataclass(frozen=True)
class Entry:
    """Registry entry of a preset.

    Attributes:
        name: str. Name of the preset and of its folder.
        description: str. Purpose in one line.
        class_name: str. Class of the model.
        dataset: str. Data set of its training.
        headline: str. Most important figure of the card, with its unit.
        files: dict from name to {"sha256": ..., "bytes": ...}.
    """

    name: str
    description: str
    class_name: str
    dataset: str
    headline: str
    files: Mapping[str, Mapping]

    def __post_init__(self):
        check_name(self.name)
        check_table(self.files)
        if missing := {*NEEDED, "metadata.json"} - set(self.files):
            raise ValueError(f"The preset {self.name} lacks {', '.join(sorted(missing))}.")

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(expected["bytes"] for expected in self.files.values())

    @property
    def digest(self) -> str:
        """First twelve hexadecimal digits of the SHA-256 of the table of files."""
        table = json.dumps(self.files, sort_keys=True).encode()
        return hashlib.sha256(table).hexdigest()[:12]


def check_name(name: str) -> str:
    """Checks the name of a preset and returns it.

    Raises:
        ValueError: If the name has characters other than lower-case letters, digits, hyphens and
            underscores.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            "A preset's name is lower-case letters, digits, hyphens and underscores; rename the "
            f"folder {name!r}."
        )
    return name


def read(path: str | Path | None = None) -> dict[str, Entry]:
    """Reads the presets of a registry, by name.

    Args:
        path: str or Path. Registry file; `None` means `PATH`.

    Raises:
        ValueError: If the file is damaged.
    """
    path = Path(PATH if path is None else path)
    document = read_json(path.parent, path.name)
    check_format(document, path)
    entries = {}
    for name, values in document.get("presets", {}).items():
        try:
            stated = values.pop("digest")
            entries[name] = Entry(name, **values)
        except (TypeError, AttributeError, KeyError) as error:
            raise ValueError(f"{path} is damaged at {name}: {error!r}.") from error
        if entries[name].digest != stated:
            raise ValueError(
                f"{path} is damaged at {name}: its files make "
                f"{entries[name].digest}, not {stated}. Register the preset again."
            )
    return entries


def register(folder: str | Path, path: str | Path | None = None) -> Entry:
    """Writes the entry of a preset from its folder, and replaces an older one.

    All files are listed, except hidden ones and those of `run/`, of which only the pictures on the
    card are. metadata.json must have `description`, `headline` and
    `training.dataset`.

    Args:
        folder: str or Path. Folder of the preset, with the preset's name.
        path: str or Path. Registry file; `None` means `PATH`.

    Raises:
        FileNotFoundError: If the folder is not a preset or lacks weights.
        ValueError: If there are links, a file that metadata.json does not describe, or missing
            facts.
    """
    folder = Path(folder).resolve()
    path = Path(PATH if path is None else path)
    config = read_json(folder, "config.json")
    facts = read_json(folder, "metadata.json")
    check_format(config, folder)
    described = {
        "description": facts.get("description"),
        "headline": facts.get("headline"),
        "dataset": (facts.get("training") or {}).get("dataset"),
    }
    if missing := [key for key, value in described.items() if not isinstance(value, str)]:
        raise ValueError(
            f"{folder / 'metadata.json'} does not say {', '.join(missing)}; give them to "
            "save_to_preset."
        )
    entry = _entry(folder, config, facts, described)
    others = read(path) if path.exists() else {}
    _write(others | {entry.name: entry}, path)
    return entry


def make(folder: str | Path) -> dict[str, Entry]:
    """Writes FOLDER/registry.json, the registry of all presets in a folder.

    The size and SHA-256 of all files of a preset are also added to its metadata.json, so that the
    SHA-256 of metadata.json pins all files. A description that metadata.json does not contain is
    taken from recipe.toml. What neither contains is left empty.

    Args:
        folder: str or Path. Folder that contains a folder for each preset.

    Raises:
        FileNotFoundError: If there is no preset in the folder.
        ValueError: If a preset cannot be registered, see `register`, or the name of its folder is
            not allowed.
    """
    folder = Path(folder).expanduser()
    entries = {}
    for path in sorted(folder.glob("*/config.json")):
        config, facts = (read_json(path.parent, name) for name in ("config.json", "metadata.json"))
        check_name(path.parent.name)
        check_format(config, path.parent)
        training = facts.get("training")
        said = {
            "description": facts.get("description") or _description_of_recipe(path.parent),
            "headline": facts.get("headline"),
            "dataset": training.get("dataset") if isinstance(training, Mapping) else None,
        }
        said = {key: value if isinstance(value, str) else "" for key, value in said.items()}
        _entry(path.parent, config, facts, said)  # refuses files that metadata.json contradicts
        state_files(path.parent)
        entries[path.parent.name] = _entry(path.parent, config, facts, said)
    if not entries:
        raise FileNotFoundError(
            f"{folder} has no presets: folders with a config.json, as `infomodels train` makes."
        )
    _write(entries, folder / "registry.json")
    return entries


def _description_of_recipe(folder: Path) -> str | None:
    """Description in the recipe that a run of `infomodels train` leaves; None if there is none."""
    try:
        return tomllib.loads(read_text(folder, "recipe.toml")).get("description")
    except (OSError, ValueError, RecursionError):
        return None


def state_files(folder: Path):
    """Adds size and SHA-256 of all other files to metadata.json."""
    names = [name for name in file_names(folder) if name != "metadata.json"]
    facts = read_json(folder, "metadata.json")
    facts["files"] = {name: fingerprint(folder, name) for name in names}
    write_atomically(folder / "metadata.json", json.dumps(facts, indent=1) + "\n")


def _entry(folder: Path, config: Mapping, facts: Mapping, described: Mapping) -> Entry:
    files = {name: fingerprint(folder, name) for name in file_names(folder)}
    stated = check_table(facts.get("files"))
    for name in NEEDED:
        if name not in files:
            raise FileNotFoundError(f"{folder} lacks {name}.")
        if files[name] != stated.get(name):
            raise ValueError(
                f"{folder / name} is not the file that metadata.json describes; save again."
            )
    return Entry(folder.name, class_name=config.get("class_name"), files=files, **described)


def file_names(folder: Path) -> list[str]:
    """Returns the relative names of a preset's files.

    Hidden files are left out. Of `run/` only the pictures that the card shows are listed.

    Raises:
        ValueError: If one is a link.
    """
    names = []
    for parent, folders, files in os.walk(folder):
        inside = Path(parent).relative_to(folder)
        if linked := [name for name in folders if (Path(parent) / name).is_symlink()]:
            raise ValueError(f"{Path(parent) / linked[0]} is a link; a preset has none.")
        folders[:] = [
            name for name in folders if not name.startswith(".") and name not in _LEFT_OUT
        ]
        names += [
            check_file_name((inside / name).as_posix())
            for name in files
            if not name.startswith(".")
        ]
    return sorted({*names, *_pictures_of_card(folder)})


def _pictures_of_card(folder: Path) -> list[str]:
    """Pictures of the run that the card shows; the rest of `run/` stays at home."""
    if not (folder / "README.md").is_file():
        return []
    shown = re.findall(r"\]\((run/[\w.\-]+\.png)\)", read_text(folder, "README.md"))
    return [check_file_name(name) for name in shown if (folder / name).is_file()]


def _write(entries: Mapping[str, Entry], path: Path):
    presets = {
        name: {key: value for key, value in dataclasses.asdict(entry).items() if key != "name"}
        | {"digest": entry.digest}
        for name, entry in sorted(entries.items())
    }
    write_atomically(path, json.dumps({"format": 1, "presets": presets}, indent=1) + "\n")
