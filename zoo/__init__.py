"""Pretrained models: finds the preset folder of a name. Loads no TensorFlow by itself."""

from collections.abc import Collection, Mapping
from pathlib import Path

from keras_infomodels import html
from keras_infomodels.names import nearest
from keras_infomodels.preset_files import read_json
from keras_infomodels.zoo import mirrors, registry
from keras_infomodels.zoo.cache import cached, fetch
from keras_infomodels.zoo.hub import PREFIX, fetch_from_hub
from keras_infomodels.zoo.links import SCHEMES, fetch_from_link

__all__ = [
    "PRESETS",
    "Names",
    "build_for_images",
    "download",
    "find",
    "list_own_presets",
    "list_presets",
    "locate",
]

PRESETS = Path(__file__).parent / "presets"
"""Folder of presets: those that the wheel contains, or all of a checkout.

Folders with weights can be loaded; the others have a recipe to train.
"""


class Names(dict):
    """Dict from the name of a preset to a one-line description.

    The names are also attributes, for tab completion: `presets.infogan_mnist` is "infogan_mnist".

    Example:
        presets = ki.zoo.list_presets()
        presets["infogan_mnist"]  # its description
    """

    def __getattr__(self, name: str) -> str:
        if name in self:
            return name
        raise AttributeError(
            f"There is no preset {name!r}; {nearest(name, self) if self else 'there is none.'}"
        )

    def _repr_html_(self) -> str:
        return html.table(("preset", "what it is for"), self.items())

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]


def build_for_images(cls: type, image_shape: tuple[int, int, int], settings: dict):
    """Creates a model for images of a shape, for `Class.from_images`.

    Args:
        cls: class. Class of the model.
        image_shape: (height, width, channels). Shape of an image.
        settings: dict. Arguments and short names of settings.
    """
    from keras_infomodels.zoo import build

    return build.build_for_images(cls, image_shape, settings)


def list_presets(classes: str | Collection[str] | None = None) -> Names:
    """Returns the names of the presets that can be loaded, each with a one-line description.

    These are the presets inside the package, the presets of the package's registry, which are
    downloaded at their first use, and the presets of the servers in the environment variable
    KERAS_INFOMODELS_ZOO_URL.

    Args:
        classes: str or collection of str. Names of model classes, such as "InfoGAN". `None` means
            all.

    Returns:
        `Names`, a dict from name to description, whose names are also attributes.

    Example:
        for name, description in ki.list_presets().items():
            print(name, description)
    """
    classes = {classes} if isinstance(classes, str) else classes
    return _names(mirrors.entries(), classes)


def list_own_presets(classes: Collection[str]) -> Names:
    """Lists the presets of model classes, without access to the internet.

    It is what a model class has as its attribute `presets`, such as `ki.InfoGAN.presets`.

    Args:
        classes: collection of str. Names of model classes.

    Returns:
        `Names`, a dict from the name of a preset to its description.
    """
    return _names(registry.read(), classes)


def _names(entries: Mapping[str, registry.Entry], classes: Collection[str] | None) -> Names:
    found = {}
    for path in PRESETS.glob("*/config.json"):
        class_name = read_json(path.parent, "config.json").get("class_name")
        text = read_json(path.parent, "metadata.json").get("description", "")
        found[path.parent.name] = class_name, text
    for name, entry in entries.items():
        found[name] = entry.class_name, entry.description
    return Names(
        (name, text)
        for name, (class_name, text) in sorted(found.items())
        if classes is None or class_name in classes
    )


def locate(name_or_dir: str | Path) -> Path:
    """Returns the folder of a preset, and downloads the preset if needed.

    These places are searched in this order: a folder with this path, the user's cache, the presets
    inside the package, and the zoo's URL. From the URL the preset is downloaded into the cache.
    Files in the cache and from the URL are checked by the SHA-256 in the package's registry, or in
    URL/registry.json for names that the package does not have.

    Args:
        name_or_dir: str or Path. Name of a preset, path of a folder with a config.json or of its
            subfolder `run`, hf://OWNER/REPOSITORY@COMMIT, or https://HOST/NAME@SHA256.

    Raises:
        FileNotFoundError: If there is no such preset. The message suggests a similar name.
        DownloadError: If the download failed.
        ValueError: If an address is malformed.

    Example:
        folder = ki.zoo.locate("infogan_mnist")
        print((folder / "README.md").read_text())
    """
    address = _address(name_or_dir)
    if not address and (place := find(name_or_dir)):
        return place[0]
    return download(address or str(name_or_dir))


def _address(name_or_dir: str | Path) -> str | None:
    """The address that is given, whose slashes a `Path` has merged; None for a name or a folder."""
    text = str(name_or_dir)
    if text.startswith("file:/"):
        return f"file:///{text.removeprefix('file:').lstrip('/')}"
    for scheme in (PREFIX, *SCHEMES):
        if text.startswith(scheme.removesuffix("/")):
            return scheme + text.removeprefix(scheme.removesuffix("/")).removeprefix("/")
    return None


def find(name_or_dir: str | Path) -> tuple[Path, str] | None:
    """Finds the folder of a preset on this machine.

    The network is not used.

    Args:
        name_or_dir: str or Path. Name of a preset, or path of a folder.

    Returns:
        Two values, or None if the preset is not on this machine: the folder, and "folder", "cache"
        or "package".

    Raises:
        FileNotFoundError: If the folder holds an unfinished training run, or only a recipe.
    """
    given = Path(name_or_dir).expanduser()
    run = [given.parent] if given.name == "run" else []
    for folder in (given, *run):
        if (folder / "config.json").is_file():
            return folder, "folder"
    if (given / "recipe.toml").is_file():
        todo = (
            f"The training run in {given} has not ended; go on with it by `infomodels train "
            f"--resume --out {given}`."
            if (given / "run").is_dir()
            else f"{given} has a recipe and no weights; train it by `infomodels train --recipe "
            f"{given / 'recipe.toml'} --out runs/{given.resolve().name}`."
        )
        raise FileNotFoundError(todo)
    name = str(name_or_dir)
    entry = registry.read().get(name)
    if entry and (folder := cached(entry)):
        return folder, "cache"
    # A name has no separators, so that nothing outside PRESETS is read.
    if (
        name in {folder.name for folder in PRESETS.iterdir()}
        and (PRESETS / name / "config.json").is_file()
    ):
        return PRESETS / name, "package"
    return None


def download(name: str) -> Path:
    """Downloads a preset with all its files to the user's cache.

    Args:
        name: str. Name in a registry, hf://OWNER/REPOSITORY@COMMIT or https://HOST/NAME@SHA256.

    Returns:
        Path of the folder.

    Raises:
        FileNotFoundError: If no registry has such a name.
        DownloadError: If the download failed.
    """
    if name.startswith(PREFIX):
        return fetch_from_hub(name)
    if name.startswith(SCHEMES):
        return fetch_from_link(name)
    if (entry := mirrors.entry(name)) is None:
        raise _unknown(name)
    return fetch(entry)


def _unknown(name_or_dir: str | Path) -> FileNotFoundError:
    names = list_presets()
    known = nearest(name_or_dir, names) if names else "there are none yet."
    mirror = "".join(
        f" No registry.json was found at {url} of KERAS_INFOMODELS_ZOO_URL, so its names are "
        "unknown: check this address, or run `infomodels registry make` there."
        for url in mirrors.without_registry()
    )
    return FileNotFoundError(
        f"{str(name_or_dir)!r} is neither a preset folder (one with a config.json) nor the name of "
        f"a preset; {known} `infomodels list` shows all.{mirror}"
    )
