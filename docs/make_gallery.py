"""Writes docs/gallery.md: the pretrained models with their pictures and the lines that make them.

    python docs/make_gallery.py

Every fact comes from the presets' metadata.json and config.json; the pictures are those in their
folders, which it links. It loads no TensorFlow.
"""

import os
import statistics
from pathlib import Path

from keras_infomodels import zoo
from keras_infomodels.preset_files import read_json

PAGE = Path(__file__).parent / "gallery.md"

_COLUMNS = 3
_HEAD = """# Gallery

The pretrained models whose weights are in this repository, each with its most telling figure; the
model's card says how that was measured. [Two of them, to play with](play.md) in the browser.
`python docs/make_gallery.py` makes this page.

A picture is made by `from_preset` and the line above it. Where that line names `images` or
`labels`, they are the first test images of the model's data set, which `infomodels prepare` gets:

```python
import keras_infomodels as ki

images, labels = ki.datasets.load_arrays("mnist", "test[:5000]")
images = images / 255
```

The lines return Matplotlib figures, which `ki.plots.save(figure, "file.png")` writes to a file.
"""
_NEARNESS, _REAL = ("frechet_distance", "class_mismatch"), "_of_training_images"
_NEAR = """## How near their samples are to real images

10,000 draws of each, seed 0, against the 10,000 test images, by the classifier of the data set: the
Fréchet distance of its 128 features, nearest first, and the sum of the absolute differences between
the classes' shares. Training images show what real ones score, though the classifier has seen them.
"""
_CALLS = {
    "categories": "categories(model)",
    "latent_map": "latent_map(model, images, labels)",
    "latent_plane": "latent_plane(model)",
    "reconstructions": "reconstructions(model, images)",
    "samples": "samples(model)",
    "traversals": "traversals(model, images[0])",
}


def gallery() -> str:
    """The page."""
    folders = sorted(path.parent for path in zoo.PRESETS.glob("*/model.weights.h5"))
    return "\n".join([_HEAD, *map(_section, folders), _nearness(folders)])


def line(picture: str) -> str:
    """The line of Python that makes the picture of that name; empty for the learning curves."""
    if picture == "learning_curves":
        return ""
    if picture.startswith("code_"):
        call = f'traverse(model, "{picture.removeprefix("code_")}")'
    elif picture.startswith("inferred_"):
        call = f'inferred_categories(model, "{picture.removeprefix("inferred_")}", images)'
    else:
        call = _CALLS.get(picture, f'model_pictures(model, images, labels)["{picture}"]')
    return f"ki.plots.{call}"


def _section(folder: Path) -> str:
    facts = read_json(folder, "metadata.json")
    kind = read_json(folder, "config.json")["class_name"]
    link = Path(os.path.relpath(folder, PAGE.parent)).as_posix()
    return f"""## {folder.name}

{facts["description"]}

**{facts["headline"]}**{_spread(facts)}: {kind} trained on
{facts["training"]["dataset"]}, {facts["parameters"]:,} parameters. [Card]({link}/README.md)

```python
model = ki.from_preset("{folder.name}")
```

{_pictures(folder, link)}"""


def _spread(facts: dict) -> str:
    """What all seeds reached, where several were run and the rows hold the headline's error."""
    seeds = facts.get("seeds", {"rows": []})
    key = "one_to_one_error"
    errors = {row["seed"]: 100 * row[key] for row in seeds["rows"] if key in row}
    if len(errors) < 2 or not facts["headline"].startswith(f"{errors[seeds['chosen']]:.2f} %"):
        return ""
    mean, spread = statistics.mean(errors.values()), statistics.stdev(errors.values())
    return f" (seed {seeds['chosen']}; {len(errors)} seeds: {mean:.2f} ± {spread:.2f} %)"


def _nearness(folders: list[Path]) -> str:
    """The models of each data set by the Fréchet distance of their samples."""
    tables = {}
    for folder in folders:
        facts = read_json(folder, "metadata.json")
        values = {name: figure["value"] for name, figure in facts["figures"].items()}
        if "frechet_distance" in values:
            rows = tables.setdefault(facts["training"]["dataset"], {})
            for name, suffix in ((f"`{folder.name}`", ""), ("training images", _REAL)):
                distance, mismatch = (values[key + suffix] for key in _NEARNESS)
                rows[name] = distance, f"| {name} | {distance:.2f} | {mismatch:.3f} |"
    shown = [
        "\n".join([f"| {dataset} | Fréchet distance | classes |", "|---|---|---|", *lines])
        for dataset, rows in tables.items()
        for lines in [[row for _, row in sorted(rows.values())]]
    ]
    return "\n".join([_NEAR, "\n\n".join(shown), ""])


def _pictures(folder: Path, link: str) -> str:
    names = sorted(path.stem for path in folder.glob("*.png"))
    names.sort(key=lambda name: not line(name))
    cells = [
        (f"`{line(name)}`" if line(name) else "its training", f"![{name}]({link}/{name}.png)")
        for name in names
    ]
    tables = []
    for first in range(0, len(cells), _COLUMNS):
        captions, pictures = zip(*cells[first : first + _COLUMNS], strict=True)
        rows = (captions, ["---"] * len(captions), pictures)
        tables.append("".join(f"| {' | '.join(row)} |\n" for row in rows))
    return "\n".join(tables)


if __name__ == "__main__":
    PAGE.write_text(gallery())
    print(PAGE)
