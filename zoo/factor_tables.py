"""Information of each inferred code about each known factor, as figures and as a table."""

from collections.abc import Mapping

import keras
import numpy as np
from scipy.stats import entropy

from keras_infomodels import datasets
from keras_infomodels.datasets.factor_source import DRAWN, FactorSource
from keras_infomodels.datasets.resizing import resize
from keras_infomodels.datasets.source import Options
from keras_infomodels.information import grassberger, shuffle_null
from keras_infomodels.models.code_tables import code_table
from keras_infomodels.zoo.recipes import Recipe

__all__ = ["PREFIX", "factor_figures", "factor_table"]

PREFIX = "factor_"
"""First letters of the names of these figures; a card has them in a table of their own."""

_DRAWS, _BINS, _SHUFFLES = 10_000, 20, 20
_LATENTS = 16
"""Largest number of latent variables of an autoencoder in such a table."""
_JOINT = "__"


def factor_figures(model: keras.Model, recipe: Recipe, data_dir=None) -> dict[str, dict]:
    """Measures the information of inferred codes or latent variables about known factors of images.

    The images are 10,000 random combinations of factors of a set that is drawn from factors, such
    as "nouns" or "scenes". A category is represented by its most likely value. A continuous code,
    or the posterior mean of a latent variable, is divided into 20 bins of equally many images.

    Args:
        model: model of this library.
        recipe: `Recipe`. It names the data.
        data_dir: str or path. Folder of the data; see `datasets.load`.

    Returns:
        dict from name to JSON values, as in `zoo.figures.measure`. For each code and factor there
        are three figures: the information in nats by `information.grassberger`, its mean over 20
        shuffles, and the accuracy of predicting the factor from the code. The dict is empty for a
        model without codes, an autoencoder of more than 16 latent variables, or data that are not
        drawn from factors.
    """
    data = recipe.data
    latents = getattr(model, "latent_dim", 0) if hasattr(model, "encode") else 0
    if not (getattr(model, "codes", None) or 0 < latents <= _LATENTS) or data.name not in DRAWN:
        return {}
    what = "the posterior mean of a latent variable" if latents else "a code that Q infers"
    space = datasets.factors(data.name, data_dir=data_dir)
    factors = space.sample(_DRAWS, seed=0)
    codes, code_names = code_table(model, _images(recipe, factors, data_dir))
    figures = {}
    for code, code_name in zip(_in_bins(codes).T, code_names, strict=True):
        for factor, factor_name in zip(factors.T, space.names, strict=True):
            figures |= _pair(f"{code_name}{_JOINT}{factor_name}", code, factor, what)
    return figures


def factor_table(figures: Mapping[str, Mapping]) -> str:
    """Returns the card's table of codes (rows) and factors (columns), or an empty text.

    Args:
        figures: dict. Figures of a card.
    """
    pairs = [name.removeprefix(f"{PREFIX}information_") for name in figures]
    pairs = [pair.split(_JOINT) for pair in pairs if _JOINT in pair and PREFIX not in pair]
    if not pairs:
        return ""
    codes, factors = (list(dict.fromkeys(column)) for column in zip(*pairs, strict=True))
    rows = []
    for code in codes:
        cells = []
        for factor in factors:
            nats, null, accuracy = (
                figures[f"{PREFIX}{kind}_{code}{_JOINT}{factor}"]["value"]
                for kind in ("information", "shuffled", "accuracy")
            )
            cells.append(f"{nats:.2f} ({null:.2f}), {100 * accuracy:.0f} %")
        rows.append(f"| {code} | {' | '.join(cells)} |")
    first = figures[f"{PREFIX}information_{codes[0]}{_JOINT}{factors[0]}"]
    heads = [factor.replace("_", " ") for factor in factors]
    return "\n".join(
        [
            first["protocol"],
            "",
            f"| code | {' | '.join(heads)} |",
            f"|{'---|' * (1 + len(factors))}",
            *rows,
        ]
    )


def _images(recipe: Recipe, factors: np.ndarray, data_dir) -> np.ndarray:
    """Images by their factors, float32 in [0, 1], in the size of the recipe."""
    size = recipe.data.image_size
    options = Options(data_dir, image_size=size and tuple(size), fit=recipe.data.fit)
    images = FactorSource(recipe.data.name, options).draw(factors)
    if size is not None and images.shape[1:3] != tuple(size):
        images = resize(images, options).numpy()
    return images.astype(np.float32) / 255


def _in_bins(codes: np.ndarray) -> np.ndarray:
    """The number of a category, or of one of 20 bins with as many values each, int64 (n, d)."""
    columns = []
    for column in codes.T:
        if (column != np.round(column)).any():
            ranks = column.argsort(kind="stable").argsort(kind="stable")
            column = ranks * _BINS // len(ranks)
        columns.append(column.astype(np.int64))
    return np.stack(columns, axis=1)


def _pair(name: str, code: np.ndarray, factor: np.ndarray, what: str) -> dict[str, dict]:
    """Figures of one code and one factor."""
    found = grassberger(code, factor)
    null = shuffle_null(code, factor, grassberger, _SHUFFLES).estimate.nats
    chance = np.bincount(factor).max() / len(factor)
    share = entropy(np.bincount(factor))
    protocol = (
        f"Information of {what} and a factor, in nats, of {len(factor):,} random images by "
        f"Grassberger's estimator; in brackets its mean over {_SHUFFLES} shuffles, which share no "
        "information; and how often a factor is guessed right from the row's variable, by the most "
        "frequent one in the other half of the images."
    )
    values = {
        "information": {
            "value": found.nats,
            "standard_error": found.standard_error,
            "unit": f"nats of {share:.3f}",
        },
        "shuffled": {"value": null, "unit": "nats"},
        "accuracy": {
            "value": _accuracy(code, factor),
            "unit": f"fraction, by chance {chance:.3f}",
        },
    }
    return {
        f"{PREFIX}{kind}_{name}": {**value, "protocol": protocol} for kind, value in values.items()
    }


def _accuracy(code: np.ndarray, factor: np.ndarray) -> float:
    """How often the most frequent factor of a code in one half is right in the other."""
    counts = np.zeros((2, code.max() + 1, factor.max() + 1))
    half = np.arange(len(code)) % 2
    np.add.at(counts, (half, code, factor), 1)
    guess = counts.argmax(axis=2)
    return float((guess[1 - half, code] == factor).mean())
