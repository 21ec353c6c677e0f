"""The card of a preset: a README.md written from its metadata.json."""

import json
import os
from pathlib import Path

from keras_infomodels.zoo.recipes import Recipe

__all__ = ["write_card"]

_TITLES = {
    "vae": "VAE",
    "beta_vae": "beta-VAE",
    "infovae": "InfoVAE",
    "mmd_vae": "MMD-VAE",
    "aae": "Adversarial autoencoder",
    "gan": "GAN",
    "infogan": "InfoGAN",
}
_UNITS = {
    "accuracy": "fraction",
    "divergence": "the divergence's own unit",
    "loss": "weighted sum",
}


def write_card(folder: str | Path, recipe: Recipe):
    """Writes README.md; every figure on it comes from metadata.json."""
    folder = Path(folder)
    facts = json.loads((folder / "metadata.json").read_text())
    temporary = folder / "README.md.tmp"
    temporary.write_text(_card(folder.resolve().name, recipe, facts))
    os.replace(temporary, folder / "README.md")


def _is_gan(recipe: Recipe) -> bool:
    return recipe.model in ("gan", "infogan")


def _latents(recipe: Recipe) -> str:
    if not _is_gan(recipe):
        return f"{recipe.latent_dim} latent variables"
    return f"{recipe.noise_dim} noise variables" + " and codes" * (recipe.model == "infogan")


def _protocol(recipe: Recipe, metrics: dict) -> str:
    if recipe.model == "gan":
        return "Losses are those of this discriminator and no measure of the samples."
    if recipe.model == "infogan":
        return (
            "`information` of a code is a lower bound in nats, read with the model's own Q on\n"
            "generated images; `information real` is H(mean Q) - mean H(Q) on the images."
        )
    return f"Observation model: `{recipe.likelihood}`. {_kind_of_information(metrics)}"


def _clusters(facts: dict) -> str:
    clusters = facts.get("clusters")
    if not clusters:
        return ""
    rows = "\n".join(
        f"| {index} | " + " | ".join(map(str, row)) + " |"
        for index, row in enumerate(clusters["table"])
    )
    labels = range(len(clusters["table"][0]))
    return f"""
## The category as a classifier

One-to-one error {100 * clusters["one_to_one_error"]:.2f} %, NMI {clusters["nmi"]:.3f}, ARI
{clusters["ari"]:.3f} on the split of the figures above. Each category is given one label, so that
errors are fewest, by the labels of these images, which training did not see.

| {clusters["code"]} | {" | ".join(f"label {label}" for label in labels)} |
|{"---|" * (1 + len(labels))}
{rows}
"""


def _run(recipe: Recipe, facts: dict) -> str:
    if "seeds" not in facts:
        return f"one run, seed {recipe.seed}"
    return f"seed {recipe.seed}, one of {len(facts['seeds']['rows'])} runs, see below"


def _seeds(facts: dict) -> str:
    if "seeds" not in facts:
        return ""
    seeds = facts["seeds"]
    names = list(seeds["rows"][0])
    header = " | ".join(name.replace("_", " ") for name in names)
    rows = "\n".join(
        "| " + " | ".join(f"{row[name]:.4g}" for name in names) + " |" for row in seeds["rows"]
    )
    return f"""
## The seeds

These weights are seed {seeds["chosen"]}, chosen by `{seeds["by"]}` after the last epoch, on
images held out of training; the test images and all labels took no part in the choice.

| {header} |
|{"---|" * len(names)}
{rows}
"""


def _kind_of_information(metrics: dict) -> str:
    if "information_category" in metrics:
        return "The category's information is that of these examples, exactly."
    return "The mutual information is a lower bound from at most 10,000 encodings."


def _card(name: str, recipe: Recipe, facts: dict) -> str:
    training, metrics = facts["training"], dict(facts["metrics"])
    split = metrics.pop("split")
    rows = "\n".join(
        f"| {key.replace('_', ' ')} | {value:.4f} | {_UNITS.get(key, 'nats per example')} |"
        for key, value in metrics.items()
    )
    settings = recipe.to_toml().strip()
    versions = ", ".join(f"{package} {version}" for package, version in facts["versions"].items())
    return f"""---
library_name: keras
tags: [{recipe.model}, generative, mutual-information]
datasets: [{recipe.dataset}]
---
# {name}

{_TITLES.get(recipe.model, recipe.model)} with {_latents(recipe)}, trained on
{recipe.dataset}; {facts["parameters"]:,} parameters. {recipe.description or ""}

## Figures

On the split `{split}`, looked at once, after training; {_run(recipe, facts)}.
{_protocol(recipe, metrics)}

| term | value | unit |
|---|---|---|
{rows}
{_clusters(facts)}{_seeds(facts)}
## Training

{training["epochs"]} epochs of {training["steps_per_epoch"]} steps, the last
{training["epochs_in_these_seconds"]} of them in {training["seconds"]} s with validation.
Versions: {versions}.

```toml
{settings}
```
"""
