"""Commands `infomodels list | show | download | verify | build`.

Only `build` loads TensorFlow, and `verify` if it measures.
"""

import argparse
import shutil
from pathlib import Path

from keras_infomodels import zoo
from keras_infomodels.preset_files import NEEDED, check_table, mismatch, read_json, read_text
from keras_infomodels.zoo import mirrors
from keras_infomodels.zoo.cache import folder_of
from keras_infomodels.zoo.hub import PREFIX
from keras_infomodels.zoo.links import SCHEMES

__all__ = ["add_parsers"]

_HEADER = ("name", "data", "size", "where", "headline", "good for")


def add_parsers(commands):
    """Adds the commands to the parser's subparsers."""
    parser = commands.add_parser("list", help="list the pretrained models")
    parser.set_defaults(run=_list)

    parser = commands.add_parser("show", help="show the card of a pretrained model")
    parser.add_argument("name", metavar="NAME", help="name or folder of a preset")
    parser.set_defaults(run=_show)

    parser = commands.add_parser(
        "download",
        help="download pretrained models",
        description="Download presets into the cache.",
    )
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="names of presets, hf:// or https:// addresses"
    )
    parser.add_argument("--all", action="store_true", help="download every preset of the zoo")
    parser.set_defaults(run=_download)

    parser = commands.add_parser(
        "verify",
        help="check the files and figures of a pretrained model",
        description="Compare the files of a preset with their checksums and, with --data-dir, "
        "measure the figures of its card again.",
    )
    parser.add_argument("name", metavar="NAME", help="name or folder of a preset")
    parser.add_argument(
        "--data-dir",
        help="folder of TFDS data, with which the figures are also measured",
    )
    parser.set_defaults(run=_verify)

    parser = commands.add_parser(
        "build",
        help="train and publish a preset of a checkout from its recipe",
        description="Train the recipe of a preset, choose a seed without labels, export, write the "
        "card and the registry.",
    )
    parser.add_argument("name", metavar="NAME", help="folder of zoo/presets with a recipe.toml")
    parser.add_argument("--seeds", default="0", metavar="0-4", help="seeds to train (default: 0)")
    parser.add_argument(
        "--data-dir", help="folder of prepared TFDS data, or of the published files in NAME/"
    )
    parser.add_argument("--out", help="folder of the runs (default: runs/NAME)")
    parser.add_argument("--resume", action="store_true", help="continue an interrupted run")
    parser.add_argument(
        "--renew",
        action="store_true",
        help="measure the existing preset again and write its files, without training",
    )
    parser.set_defaults(run=_build)


def _list(arguments: argparse.Namespace):
    names, entries = zoo.list_presets(), mirrors.entries()
    if not names:
        print(
            "This version comes without pretrained models. To train one:\n"
            "  infomodels train --recipe RECIPE --out DIR\n"
            f"with a recipe.toml of {zoo.PRESETS}:\n  " + "\n  ".join(_recipes())
        )
        return
    rows = [_HEADER]
    for name, description in names.items():
        entry = entries.get(name)
        data, size, headline = (
            (entry.dataset, f"{entry.bytes / 1e6:.1f} MB", entry.headline)
            if entry
            else ("-", "-", "not in the registry")
        )
        cells = (name, data, size, _where(name, entry), headline, description)
        # One line per cell, whatever it contains.
        rows.append(tuple(" ".join(_printable(cell).split()) for cell in cells))
    for line in _table(rows, shutil.get_terminal_size((100, 24)).columns):
        print(line)
    print("\nwhere: package and cache are on this machine; download needs a network at first use.")


def _where(name: str, entry) -> str:
    """Returns the place of a preset, by the folders that exist: the files are not read."""
    if (zoo.PRESETS / name / "config.json").is_file():
        return "package"
    return "cache" if entry and folder_of(entry).is_dir() else "download"


def _recipes() -> list[str]:
    return sorted(path.parent.name for path in zoo.PRESETS.glob("*/recipe.toml"))


def _table(rows: list[tuple[str, ...]], width: int) -> list[str]:
    """Aligns columns; a last cell that is wider than the terminal gets its own line."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    fits = sum(widths) + 2 * len(widths) + max(len(row[-1]) for row in rows) <= width
    lines = []
    for row in rows:
        cells = [cell.ljust(size) for cell, size in zip(row[:-1], widths, strict=True)]
        line = "  ".join(cells)
        lines += [f"{line}  {row[-1]}".rstrip()] if fits else [line.rstrip(), f"    {row[-1]}"]
    return lines


def _show(arguments: argparse.Namespace):
    folder, where = zoo.find(arguments.name) or (zoo.locate(arguments.name), "cache")
    try:
        card = read_text(folder, "README.md")
    except FileNotFoundError:
        card = f"{folder} has no card (README.md); `infomodels train` and the zoo write one."
    print(_printable(_body(card)))
    pictures = sorted(folder.rglob("*.png"))
    print(f"The preset is in {folder} ({where}); its pictures:")
    for path in pictures:
        print(f"  {_printable(str(path))}")
    if not pictures:
        print("  none here; `infomodels download` gets those that the zoo has")


def _body(card: str) -> str:
    """Returns a card without its front matter."""
    if card.startswith("---\n") and "\n---\n" in card[4:]:
        return card[4:].partition("\n---\n")[2].strip()
    return card.strip()


def _printable(text: str) -> str:
    """Removes control characters, with which a card could write to the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def _download(arguments: argparse.Namespace):
    entries = mirrors.entries() if arguments.all or not arguments.names else {}
    names = list(entries) if arguments.all else arguments.names
    if not names:
        raise ValueError(
            "The zoo of this version has nothing to download."
            if arguments.all
            else f"Say which: infomodels download NAME, or --all; there are: "
            f"{', '.join(entries) or 'none yet'}."
        )
    for name in names:
        print(zoo.download(name))


def _verify(arguments: argparse.Namespace):
    folder, expected, absent, source = _expected(arguments.name)
    for name in absent:
        print(f"{name}: not here")
    problems = {name: mismatch(folder, name, facts) for name, facts in sorted(expected.items())}
    for name, problem in problems.items():
        print(f"{name}: {problem or 'ok'}")
    wrong = [name for name, problem in problems.items() if problem]
    if wrong:
        raise ValueError(
            f"{len(wrong)} of {len(problems)} files in {folder} are not what {source} says. Get "
            f"the preset again: {_again(arguments.name)}."
        )
    print(f"All {len(problems)} files in {folder} are what {source} says.")
    if arguments.data_dir is None:
        print("The figures of the card were not measured again; --data-dir does that.")
        return
    _measure_again(folder, arguments.data_dir)


def _again(name: str) -> str:
    if mirrors.entry(name) and not Path(name).is_dir():
        return f"infomodels download {name}"
    return "from where it came, or save the model again"


def _measure_again(folder: Path, data_dir: str):
    """Prints the figures of the card beside new measurements.

    Raises:
        ValueError: If a figure differs.
    """
    from keras_infomodels.presets import from_preset
    from keras_infomodels.zoo.figures import TOLERANCE, has_moved, measure, stated_figures
    from keras_infomodels.zoo.recipes import Recipe
    from keras_infomodels.zoo.release import exported_differences

    try:
        recipe = Recipe.parse(read_text(folder, "recipe.toml"), folder / "recipe.toml")
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{folder} has no recipe.toml, which says on what data its figures were measured; "
            "verify it without --data-dir."
        ) from None
    facts, model = read_json(folder, "metadata.json"), from_preset(folder)
    stated, measured = stated_figures(facts, model), measure(model, recipe, data_dir)
    if "exports" in facts:
        stated |= _differences(facts["exports"])
        measured |= _differences(exported_differences(model, recipe, data_dir))
    rows, moved = [("figure", "card", "measured", "moved")], []
    for name, figure in stated.items():
        now = measured[name]["value"] if name in measured else float("nan")
        moved += [name] if has_moved(figure["value"], now) else []
        cells = (f"{figure['value']:.5g}", f"{now:.5g}", "moved" if name in moved else "no")
        rows.append((_printable(name), *cells))
    for line in _table(rows, 100):
        print(line)
    allowed = f"{TOLERANCE:g} of max(1, |value|)"
    if moved:
        raise ValueError(
            f"{', '.join(map(_printable, moved))} moved by more than {allowed}: this is not the "
            "model or not the data of the card, or something here computes differently."
        )
    print(
        f"All {len(stated)} figures are the card's, within {allowed}. Its tables of classes and of "
        "seeds were not measured again."
    )


def _differences(exports: dict) -> dict[str, dict]:
    """Figures from the table of exported files."""
    return {
        f"{name} {form}, difference": {"value": value}
        for form, each in exports.items()
        for name, value in each["signatures"].items()
    }


def _build(arguments: argparse.Namespace):
    from keras_infomodels.zoo.recipes import parse_seeds
    from keras_infomodels.zoo.release import release, renew

    if arguments.renew:
        folder = renew(arguments.name, arguments.data_dir)
    else:
        seeds = parse_seeds(arguments.seeds)
        folder = release(
            arguments.name, seeds, arguments.out, arguments.data_dir, resume=arguments.resume
        )
    print(f"The preset is in {folder}; commit it with the registry.")


def _expected(name: str) -> tuple[Path, dict, list[str], str]:
    """Returns a preset's folder, its files with checksums, optional files, and the source of these.

    Damaged copies count too.
    """
    address = name.startswith((PREFIX, *SCHEMES))
    entry = None if address else mirrors.entry(name)
    if entry and not (Path(name) / "config.json").is_file() and folder_of(entry).is_dir():
        return folder_of(entry), dict(entry.files), [], "the registry"
    place = (zoo.locate(name), "address") if address else zoo.find(name)
    if place is None:
        todo = f"run `infomodels download {name}`" if entry else "see `infomodels list`"
        raise FileNotFoundError(f"There is no preset {name} on this machine; {todo}.")
    folder, where = place
    stated = check_table(read_json(folder, "metadata.json").get("files"))
    if entry is None or where == "folder":
        table, source = stated, "metadata.json"
    else:
        table, source = entry.files, "the registry"
    # A wheel and hf:// have only some of the files.
    absent = [key for key in table if key not in NEEDED and not (folder / key).exists()]
    there = {key: facts for key, facts in table.items() if key not in absent}
    return folder, there, absent, source
