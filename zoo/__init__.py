"""Pretrained models: turns a name into a preset folder. Loads no TensorFlow by itself."""

import json
from pathlib import Path

__all__ = ["PRESETS", "list_presets", "locate"]

PRESETS = Path(__file__).parent / "presets"
"""One folder a preset; those with weights can be loaded, the others have a recipe to train."""


def list_presets() -> dict[str, str]:
    """Names of the presets that can be loaded, each with its one-line description."""
    folders = sorted(path.parent for path in PRESETS.glob("*/config.json"))
    return {
        folder.name: json.loads((folder / "metadata.json").read_text()).get("description", "")
        for folder in folders
    }


def locate(name_or_dir: str | Path) -> Path:
    """The folder of a preset.

    Args:
        name_or_dir: a name, a folder with a config.json, or the subfolder `run` of one.

    Raises:
        FileNotFoundError: there is none; says which there are.
    """
    given = Path(name_or_dir)
    run = [given.parent] if given.name == "run" else []
    for folder in (given, *run, PRESETS / given):
        if (folder / "config.json").is_file():
            return folder
    if (given / "recipe.toml").is_file():
        raise FileNotFoundError(
            f"The training run in {given} has not ended; go on with it by "
            f"`infomodels train --resume --out {given}`."
        )
    names = ", ".join(list_presets()) or "none yet"
    raise FileNotFoundError(
        f"{str(name_or_dir)!r} is neither a preset folder (one with a config.json) nor the name of "
        f"a preset; there are: {names}."
    )
