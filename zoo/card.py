"""Card of a preset: a README.md written from its metadata.json."""

import json
from pathlib import Path

from keras_infomodels.io import write_atomically
from keras_infomodels.models import MODELS
from keras_infomodels.models.cards import CardWords
from keras_infomodels.zoo import PRESETS
from keras_infomodels.zoo.card_texts import DATA
from keras_infomodels.zoo.factor_tables import PREFIX, factor_table
from keras_infomodels.zoo.figures import stated_figures
from keras_infomodels.zoo.recipes import Recipe

__all__ = ["write_card"]


def write_card(folder: str | Path, recipe: Recipe):
    """Writes README.md; every figure on it comes from metadata.json.

    The pictures are those in the folder, or in its `run/` after a run.
    """
    folder = Path(folder)
    facts = json.loads((folder / "metadata.json").read_text())
    pictures = sorted(folder.glob("*.png")) or sorted((folder / "run").glob("*.png"))
    pictures = [path.relative_to(folder).as_posix() for path in pictures]
    config = json.loads((folder / "config.json").read_text())
    released = (PRESETS / folder.resolve().name).is_dir()
    card = _card(folder.resolve().name, released, recipe, facts, config, pictures)
    write_atomically(folder / "README.md", card)


def _card(
    name: str, released: bool, recipe: Recipe, facts: dict, config: dict, pictures: list[str]
) -> str:
    words = recipe.model_class.card_words(config["config"])
    sections = [
        _front_matter(name, recipe, facts),
        _introduction(name, recipe, facts, words),
        _use(name, released, words),
        _pictures(pictures),
        _warnings(facts),
        _figures(recipe, facts),
        _codes(recipe, facts, config["config"]),
        _factors(facts),
        _clusters(facts),
        _seeds(recipe, facts),
        _exports(facts),
        _limits(facts, words),
        _training(recipe, facts),
        _data(recipe),
        _citation(recipe),
    ]
    return "\n".join(section.strip() + "\n" for section in sections if section)


def _front_matter(name: str, recipe: Recipe, facts: dict) -> str:
    """Front matter for model hubs; if huggingface_hub is installed with figures (model-index)."""
    cls = recipe.model_class
    model = {known: name for name, known in MODELS.items()}.get(cls, cls.__name__)
    tags = [model, "generative", "mutual-information"]
    if cls.needs_labels:
        tags = ["image-classification"]
    own = {
        "library_name": "keras",
        "license": facts["license"].lower() if "license" in facts else None,
        "tags": tags,
        "datasets": [recipe.data.name],
    }
    own = {key: value for key, value in own.items() if value is not None}
    try:
        from huggingface_hub import EvalResult, ModelCardData
    except ImportError:  # an extra: cards on a hub are made where it is installed
        lines = [f"{key}: {value}".replace("'", "") for key, value in own.items()]
        return "\n".join(["---", *lines, "---"])
    task = tags[0] if cls.needs_labels else "unconditional-image-generation"
    results = [
        EvalResult(
            task_type=task,
            dataset_type=recipe.data.name,
            dataset_name=recipe.data.name,
            dataset_split=facts["metrics"]["split"],
            metric_type=key,
            metric_name=f"{key.replace('_', ' ')} ({figure['unit']})",
            metric_value=figure["value"],
        )
        for key, figure in stated_figures(facts).items()
        if not key.startswith(PREFIX)
    ]
    data = ModelCardData(**own, model_name=name, eval_results=results)
    return f"---\n{data.to_yaml()}\n---"


def _introduction(name: str, recipe: Recipe, facts: dict, words: CardWords) -> str:
    cls = recipe.model_class
    title = vars(cls).get("title", cls.__name__)
    contents = f" with {words.contents}" if words.contents else ""
    stored = ", stored as float16" if recipe.weights == "float16" else ""
    return f"""# {name}

{title}{contents}, trained on
{recipe.data.name}; {facts["parameters"]:,} parameters{stored}. {recipe.description or ""}
"""


def _use(name: str, released: bool, words: CardWords) -> str:
    comment = "" if released else "  # or the path or address of this folder"
    return f"""
## Use

```python
from keras_infomodels import from_preset

model = from_preset("{name}"){comment}
{words.use}
```
"""


def _pictures(names: list[str]) -> str:
    if not names:
        return ""
    shown = "\n\n".join(f"![{Path(name).stem.replace('_', ' ')}]({name})" for name in names)
    return f"\n## Pictures\n\n{shown}\n"


def _warnings(facts: dict) -> str:
    if not facts.get("warnings"):
        return ""
    lines = "\n".join(f"- {each[0].upper()}{each[1:]}." for each in facts["warnings"])
    return f"\n## Warnings\n\n{lines}\n"


def _figures(recipe: Recipe, facts: dict) -> str:
    """Tables of figures, one for each protocol."""
    tables = {}
    # Figures of a code on real images come before those on generated images.
    stated = stated_figures(facts)
    for name in sorted(stated, key=lambda name: not name.startswith("information_real_")):
        if name.startswith(PREFIX):  # in a table of their own
            continue
        figure = stated[name]
        value = f"{figure['value']:.4f}"
        if "standard_error" in figure:
            value += f" ± {figure['standard_error']:.4f}"
        if "ceiling" in figure:
            value += f" (at most {figure['ceiling']:.4f})"
        row = f"| {name.replace('_', ' ')} | {value} | {figure['unit']} |"
        tables.setdefault(figure["protocol"], []).append(row)
    run = f"one run, seed {recipe.training.seed}"
    if _was_chosen(facts):
        run = f"seed {recipe.training.seed}, one of {len(facts['seeds']['rows'])} runs (see below)"
    shown = "\n\n".join(
        "\n".join([protocol, "", "| figure | value | unit |", "|---|---|---|", *rows])
        for protocol, rows in tables.items()
    )
    lines = [f"Measured on the split `{facts['metrics']['split']}` after training; {run}."]
    if any("standard_error" in figure for figure in stated.values()):
        lines.append("± is a standard error over images.")
    if any("ceiling" in figure for figure in stated.values()):
        lines.append('"At most" is the largest value that the estimator can return.')
    if "revision" in facts:  # a preset of the zoo
        lines.append(
            "How much was known of this split when the recipe was made is stated in "
            "docs/notebook.md of the library's repository."
        )
    return "\n## Figures\n\n" + "\n".join(lines) + f"\n\n{shown}\n"


def _priors(config: dict) -> dict[str, tuple[str, dict]]:
    """Class and arguments of each code's prior, by the code's name."""
    codes = [code["config"] for code in config.get("codes", ())]
    return {c["name"]: (c["prior"]["class_name"], c["prior"]["config"]) for c in codes}


def _codes(recipe: Recipe, facts: dict, config: dict) -> str:
    """Information of each code, and its meaning if the recipe has one."""
    if not (priors := _priors(config)):
        return ""
    figures, meanings = stated_figures(facts), recipe.meanings or {}
    rows = []
    for name, (prior, own) in priors.items():
        information = figures.get(f"information_{name}")
        nats = f"{information['value']:.3f} nats" if information else ""
        # Configs of version 0.1 have another name.
        count = own.get("num_categories", own.get("categories"))
        kind = f"one of {count}" if count else prior.lower()
        rows.append(f"| {name} | {kind} | {nats} | {meanings.get(name, '')} |")
    read = "The meanings were read from pictures of these weights; other weights differ."
    return f"""
## The codes

{read if meanings else "The meanings have not been described yet."}

| code | prior | information | meaning |
|---|---|---|---|
{chr(10).join(rows)}
"""


def _factors(facts: dict) -> str:
    table = factor_table(stated_figures(facts))
    return f"\n## What each code tells of the factors of the data\n\n{table}\n" if table else ""


def _clusters(facts: dict) -> str:
    clusters = facts.get("clusters")
    if not clusters:
        return ""
    rows = "\n".join(
        f"| {index} | " + " | ".join(map(str, row)) + " |"
        for index, row in enumerate(clusters["table"])
    )
    labels = range(len(clusters["table"][0]))
    crowded = len(clusters["table"]) > len(labels)
    more = "\nThe other categories of a label count as errors." if crowded else ""
    return f"""
## The category as a classifier

One-to-one error {100 * clusters["one_to_one_error"]:.2f} %, NMI {clusters["nmi"]:.3f}, ARI
{clusters["ari"]:.3f} on the split of the figures above. Each label is assigned to at most one
category, by the labels of these images, so that the error is smallest.{more} Numbers of images:

| value of `{clusters["code"]}` | {" | ".join(f"label {label}" for label in labels)} |
|{"---|" * (1 + len(labels))}
{rows}
"""


def _limits(facts: dict, words: CardWords) -> str:
    """Limits of the model, with a sentence on the NLL only if the card has one."""
    limits = f"{words.limits} {words.nll}" if "nll" in stated_figures(facts) else words.limits
    return f"\n## Limits and intended use\n\n{limits.strip()}\n"


def _was_chosen(facts: dict) -> bool:
    """Returns whether the weights are those of one seed among several."""
    return len(facts.get("seeds", {}).get("rows", [])) > 1


def _seeds(recipe: Recipe, facts: dict) -> str:
    if not _was_chosen(facts):
        return ""
    seeds = facts["seeds"]
    names = list(seeds["rows"][0])
    header = " | ".join(name.replace("_", " ") for name in names)
    rows = "\n".join(
        "| " + " | ".join(f"{row[name]:.4g}" for name in names) + " |" for row in seeds["rows"]
    )
    unseen = "test images" if recipe.model_class.needs_labels else "test images or labels"
    return f"""
## The seeds

These weights are seed {seeds["chosen"]}, selected by `{seeds["by"]}` after the last epoch, on
images held out of training. The selection used no {unseen}.

| {header} |
|{"---|" * len(names)}
{rows}
"""


def _exports(facts: dict) -> str:
    """Largest difference of every signature, by format."""
    if "exports" not in facts:
        return ""
    formats = facts["exports"]
    names = {name: None for each in formats.values() for name in each["signatures"]}
    rows = []
    for name in names:
        found = [each["signatures"].get(name) for each in formats.values()]
        cells = ["missing" if value is None else f"{value:.1e}" for value in found]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    header = " | ".join(f"{name}, {each['bytes'] / 1e6:.2f} MB" for name, each in formats.items())
    (inputs,) = {each["inputs"] for each in formats.values()}
    return f"""
## Exported files

Largest difference from Keras over all outputs, relative to max(1, |value|), on {inputs} of the
same split. A missing signature needs an operator that TFLite lacks.

| signature | {header} |
|{"---|" * (1 + len(formats))}
{chr(10).join(rows)}
"""


def _training(recipe: Recipe, facts: dict) -> str:
    training = facts["training"]
    steps = training["steps_per_epoch"]
    revision = f"Revision {facts['revision']} of the preset. " if "revision" in facts else ""
    versions = ", ".join(f"{package} {version}" for package, version in facts["versions"].items())
    return f"""
## Training

Epochs: {training["epochs"]}, of {steps} step{"s" * (steps != 1)} each; the last
{training["epochs_in_these_seconds"]} took {training["seconds"]} s with validation.
{revision}Versions: {versions}.

```toml
{recipe.to_toml().strip()}
```
"""


def _data(recipe: Recipe) -> str:
    if recipe.data.name not in DATA:
        return ""
    return f"\n## Data\n\n{DATA[recipe.data.name]}\n"


def _citation(recipe: Recipe) -> str:
    own = "This library: see CITATION.cff in its repository."
    return "\n\n".join(filter(None, ["\n## Citation", recipe.model_class.citation, own])) + "\n"
