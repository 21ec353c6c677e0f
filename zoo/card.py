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

{_TITLES.get(recipe.model, recipe.model)} with {recipe.latent_dim} latent variables, trained on
{recipe.dataset}; {facts["parameters"]:,} parameters.

## Figures

On the split `{split}`, looked at once, after training; one run, seed {recipe.seed}. Observation
model: `{recipe.likelihood}`. {_kind_of_information(metrics)}

| term | value | unit |
|---|---|---|
{rows}

## Training

{training["epochs"]} epochs of {training["steps_per_epoch"]} steps, the last
{training["epochs_in_these_seconds"]} of them in {training["seconds"]} s with validation.
Versions: {versions}.

```toml
{settings}
```
"""
