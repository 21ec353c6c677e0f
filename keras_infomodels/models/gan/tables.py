"""The `[model]` table of a recipe for the GANs: short names and defaults."""

import math
from collections.abc import Mapping

from keras_infomodels.models import tables
from keras_infomodels.models.tables import OF_A_CATEGORY, SMALL, Short, filled, is_small_gray

__all__ = ["CODES", "SHORT", "complete", "shorten"]

_PLACES = {
    "noise_dim": "noise_dim",
    "normalization": "discriminator.normalization",
    "continuous_warmup_epochs": "continuous_warmup.epochs",
    "real_consistency_weight": "consistency.weight",
    **{n: OF_A_CATEGORY[n] for n in ("consistency", "classification_weight")},
    "consistency_warmup_epochs": OF_A_CATEGORY["consistency_warmup_epochs"],
} | {
    name: name
    for name in (
        "augmentation",
        "objective",
        "gradient_penalty",
        "r1",
        "label_smoothing",
        "update",
        "discriminator_steps",
        "dtype",
        "posterior",
        "information_weight",
        "stratified",
        "fake_consistency_weight",
    )
}
_MORE = ("network", "widths", "codes", "num_categories")
SHORT = (*_PLACES, "network", "widths")
"""Short names of settings; an InfoGAN has "codes" and "num_categories" too."""

CODES = (
    {"name": "category", "prior": {"class": "Categorical", "num_categories": 10}},
    {"name": "c1", "prior": {"class": "Uniform"}},
    {"name": "c2", "prior": {"class": "Uniform"}},
)
"""Default codes of an InfoGAN."""

_PRIORS = {"categorical": "Categorical", "uniform": "Uniform", "normal": "Normal"}


def shorten(table: dict, short: Short) -> Short:
    """Puts values of short names into a table, and returns the others.

    Args:
        table: dict. Changed in place.
        short: dict. Values by short names.

    Raises:
        ValueError: If the network is of another kind, or a code is malformed.
    """
    if short.get("network") not in (None, "conv"):
        raise ValueError(f'A GAN has network = "conv", got {short["network"]!r}.')
    if (widths := short.get("widths")) is not None:
        table["discriminator"] = filled(table, "discriminator", {})
        tables.set_widths(table["discriminator"], widths, True)
        table.pop("generator", None)
    if (codes := short.get("codes")) is not None:
        table["codes"] = [_code(code) for code in codes]
    elif (count := short.get("num_categories")) is not None:
        table["codes"] = _with_categories(table.get("codes", CODES), count)
    rest = tables.shorten(table, short, _PLACES)
    return {name: value for name, value in rest.items() if name not in _MORE}


def complete(table: Mapping, image_shape: tuple[int, ...]) -> dict:
    """Returns the table with networks that fit the images and each other.

    Args:
        table: dict. Table of a recipe.
        image_shape: (height, width, channels). Shape of an image.
    """
    codes = table.get("codes", ())
    if not isinstance(codes, list | tuple) or not all(isinstance(c, Mapping) for c in codes):
        raise ValueError(f"codes is a list of tables, each with a name and a prior; got {codes!r}.")
    codes = [{"class": "Code", **code} for code in codes]
    noise_dim = table.get("noise_dim", 62)
    dtype = {"dtype": table["dtype"]} if "dtype" in table else {}
    small = is_small_gray(image_shape)
    filters = [32, 64] if small else _usual_filters(image_shape)
    usual = {"filters": filters, "width": 216, **dtype}
    discriminator = filled(table, "discriminator", {"class": "ConvDiscriminator"})
    generator = filled(table, "generator", {"class": "ConvGenerator"})
    if not small:
        table = {"r1": 0.1, **table}
        if discriminator["class"] == "ConvDiscriminator":
            discriminator = {"normalization": "none", **discriminator}
        if generator["class"] == "ConvGenerator":
            generator = {"upsampling": "nearest", **generator}
    shape = {"image_shape": list(image_shape)}
    if discriminator["class"] == "ConvDiscriminator":
        discriminator = {**shape, **usual, **discriminator}
        usual = {**usual, "width": discriminator["width"]}
        usual["filters"] = discriminator["filters"]
    if generator["class"] == "ConvGenerator":
        own = {**shape, "latent_dim": noise_dim + sum(map(_size, codes)), **usual}
        own["filters"] = list(usual["filters"])[::-1]
        generator = {**own, **generator}
    # In this order, because the initial weights of a seed depend on the order of construction.
    own = {"generator": generator, "discriminator": discriminator, "noise_dim": noise_dim}
    own |= {"codes": codes} if codes else {}
    return own | {name: value for name, value in table.items() if name not in own}


def _usual_filters(image_shape: tuple[int, ...]) -> list[int]:
    """Filters of a discriminator whose stride-2 convolutions end in a grid of 3x3 or 4x4."""
    count = max(2, math.ceil(math.log2(max(image_shape[:2]) / 4)))
    if max(image_shape[:2]) <= SMALL:
        # Narrower, since more steps fit the same time: samples of Nouns are nearer to the data.
        return [24, 48, 96][-count:]
    return ([16] * (count - 4) + [16, 32, 64, 128])[-count:]


def _code(code: Mapping) -> dict:
    """A code by the short name of its prior, with num_categories beside a categorical one."""
    own = dict(code) if isinstance(code, Mapping) else {}
    prior = own.pop("prior", None)
    if isinstance(prior, Mapping):
        return {**own, "prior": dict(prior)}
    if prior not in _PRIORS:
        raise ValueError(
            f"A code is a table of name, prior ({', '.join(_PRIORS)}), num_categories of a "
            f"categorical one, posterior, weight and min_stddev; got {code!r}."
        )
    # "categories" is the name of version 0.1.
    count = own.pop("num_categories", own.pop("categories", None))
    size = {} if count is None else {"num_categories": count}
    return {**own, "prior": {"class": _PRIORS[prior], **size}}


def _with_categories(codes, count: int) -> list[dict]:
    """Codes in which the first categorical one has `count` categories."""
    codes = [dict(code) for code in codes]
    for code in codes:
        if code.get("prior", {}).get("class") == "Categorical":
            code["prior"] = {"class": "Categorical", "num_categories": count}
            return codes
    raise ValueError("num_categories needs a categorical code, and this recipe has none.")


def _size(code: Mapping) -> int:
    """Number of latent variables of a code."""
    prior = code.get("prior")
    return prior.get("num_categories", 1) if isinstance(prior, Mapping) else 1
