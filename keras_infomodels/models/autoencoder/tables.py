"""The `[model]` table of a recipe for the autoencoders: short names and defaults."""

from collections.abc import Mapping

from keras_infomodels import distributions
from keras_infomodels.models import tables
from keras_infomodels.models.tables import OF_A_CATEGORY, Short, filled, is_small_gray
from keras_infomodels.names import guess

__all__ = ["SHORT", "add_discriminator", "complete", "scale_weight", "shorten"]

_PLACES = {
    "activation": "encoder.activation",
    "latent_dim": "encoder.latent_dim",
    "min_stddev": "encoder.min_stddev",
    "num_categories": "prior.num_categories",
    "continuous_dim": "prior.continuous_dim",
    "alpha": "alpha",
    "lambda_": "lambda_",
    "beta": "beta",
    "divergence": "divergence",
    "likelihood": "likelihood",
    "warmup_epochs": "warmup.epochs",
    "adversarial_loss": "loss",
    "discriminator_widths": "discriminator.widths",
    "category_noise": "category_noise",
    **OF_A_CATEGORY,
}
_MORE = ("network", "widths", "prior", "deterministic", "sigma", "kernel", "estimator")
SHORT = (*(name for name in _PLACES if name != "discriminator_widths"), *_MORE)
"""Short names of settings; an adversarial autoencoder has "discriminator_widths" too."""

_PRIORS = {
    "standard_normal": "StandardNormal",
    "gaussian_mixture": "GaussianMixture",
    "swiss_roll": "SwissRoll",
    "categorical_normal": "CategoricalNormal",
}
_ENCODERS = {"mlp": "MLPEncoder", "conv": "ConvEncoder", "residual": "ResidualEncoder"}
_DECODERS = {
    "MLPEncoder": "MLPDecoder",
    "ConvEncoder": "ConvDecoder",
    "ResidualEncoder": "ResidualDecoder",
}
_PLANE = ("GaussianMixture", "SwissRoll")


def shorten(table: dict, short: Short) -> Short:
    """Moves settings given by short names into a table; returns the settings of unknown names.

    Args:
        table: dict. Changed in place.
        short: dict. Values by short name, such as "latent_dim".

    Raises:
        ValueError: If a network or prior is unknown, or a setting belongs to an object that the
            table does not have.
    """
    _set_networks(table, short)
    if (prior := short.get("prior")) is not None:
        table["prior"] = {"class": _one_of("prior", prior, _PRIORS)}
    rest = tables.shorten(table, short, _PLACES)
    if short.get("deterministic"):
        tables.put(table, "encoder.min_stddev", "none")
    if (sigma := short.get("sigma")) is not None:
        _check_part("sigma", "gaussian", "Gaussian", table.get("likelihood"))
        table["likelihood"] = {"class": "Gaussian", "sigma": sigma}
    of_mmd = {n: short[n] for n in ("kernel", "estimator") if short.get(n) is not None}
    for name in of_mmd:
        _check_part(name, "mmd", "MMD", table.get("divergence", "mmd"))
    if of_mmd:
        given = table.get("divergence")
        given = given if isinstance(given, Mapping) else {"class": "MMD"}
        table["divergence"] = {**given, **of_mmd}
    return {name: value for name, value in rest.items() if name not in _MORE}


def complete(table: Mapping, image_shape: tuple[int, ...]) -> dict:
    """Returns the table with networks, a prior and a likelihood that fit the images.

    Small gray images, such as MNIST's, get an `MLPEncoder` with 10 latent variables and binarized
    pixels. Other images get a `ResidualEncoder` with 32 latent variables (64 from 128x128 pixels
    on) and the likelihood `Gaussian("shared")`.

    Args:
        table: dict. Table of a recipe.
        image_shape: (height, width, channels). Shape of an image.
    """
    small = is_small_gray(image_shape)
    given = filled(table, "encoder", {})
    usual = "MLPEncoder" if small or "widths" in given else "ResidualEncoder"
    encoder = {"class": usual, **given}
    decoder = filled(table, "decoder", {"class": _DECODERS.get(encoder["class"], "MLPDecoder")})
    prior = filled(table, "prior", {"class": "StandardNormal"})
    usual = 10 if small else 32 if max(image_shape[:2]) < 128 else 64
    usual = 2 if prior["class"] in _PLANE else usual
    if prior["class"] == "CategoricalNormal":
        prior = {"num_categories": 10, **prior}
        categories = prior["num_categories"]
        usual = prior.get("continuous_dim", usual) + categories
        latent_dim = encoder.get("latent_dim", usual)
        prior = {"continuous_dim": latent_dim - categories, **prior}
    else:
        categories = 0
        latent_dim = encoder.get("latent_dim", prior.get("dimension", usual))
    if prior["class"] == "StandardNormal":
        prior = {"dimension": latent_dim, **prior}
    if prior["class"] == "GaussianMixture" and "means" not in prior:
        prior |= distributions.GaussianMixture.ring().get_config()
    likelihood = table.get("likelihood", "bernoulli_stochastic" if small else "shared_gaussian")
    shape = {"image_shape": list(image_shape)}
    if encoder["class"] in _DECODERS:
        encoder = {**shape, "latent_dim": latent_dim, "num_categories": categories, **encoder}
    if decoder["class"] in _DECODERS.values():
        mirrored = _mirrored(encoder) if _DECODERS.get(encoder["class"]) == decoder["class"] else {}
        own = {"latent_dim": latent_dim, "parameters": _parameters(likelihood)}
        if decoder["class"] == "ResidualDecoder" and _is_discretized(likelihood):
            own["position_scale"] = True
        decoder = {**shape, **own, **mirrored, **decoder}
    own = {"encoder": encoder, "decoder": decoder, "prior": prior, "likelihood": likelihood}
    return {**table, **own}


def scale_weight(table: Mapping, image_shape: tuple[int, ...]) -> dict:
    """Returns the table with a scaled weight of prior matching for images unlike MNIST's."""
    scaled = {} if is_small_gray(image_shape) else {"lambda_": "auto"}
    return scaled | dict(table)


def add_discriminator(table: Mapping) -> dict:
    """Returns a completed table with the discriminators of an adversarial autoencoder."""
    prior, given = table["prior"], filled(table, "discriminator", {})
    parts = {"z": prior.get("dimension", 2)}
    if prior["class"] == "CategoricalNormal":
        parts = {"category": prior["num_categories"], "z": prior["continuous_dim"]}
    shared = {} if parts.keys() & given.keys() else given
    made = {}
    for name, size in parts.items():
        network = {"class": "MLPDiscriminator", **shared, **filled(given, name, {})}
        ours = network["class"] == "MLPDiscriminator"
        made[name] = {"latent_dim": size, **network} if ours else network
    # First, because the initial weights of a seed depend on the order of construction.
    return {"discriminator": made if len(made) > 1 else made["z"]} | {
        name: value for name, value in table.items() if name != "discriminator"
    }


def _set_networks(table: dict, short: Short):
    """Sets `network` and `widths`; the decoder then mirrors the encoder again."""
    network, widths = short.get("network"), short.get("widths")
    if network is None and widths is None:
        return
    encoder = table["encoder"] = filled(table, "encoder", {})
    table.pop("decoder", None)
    if network is not None:
        name = _one_of("network", network, _ENCODERS)
        if name != encoder.get("class", "MLPEncoder"):
            for setting in ("widths", "filters", "width"):
                encoder.pop(setting, None)
        encoder["class"] = name
    if widths is not None:
        if encoder.get("class") == "ResidualEncoder":
            encoder["filters"] = list(widths)
        else:
            tables.set_widths(encoder, widths, encoder.get("class") == "ConvEncoder")


def _one_of(setting: str, name: str, classes: Mapping[str, str]) -> str:
    if name not in classes:
        raise ValueError(
            f"{setting} is one of {', '.join(classes)}; got {name!r}.{guess(name, classes)}"
        )
    return classes[name]


def _check_part(setting: str, name: str, cls: str, given):
    found = given.get("class") if isinstance(given, Mapping) else given
    if found not in (name, cls):
        raise ValueError(f"{setting} is a setting of {cls} only, and this recipe has {found!r}.")


def _mirrored(encoder: Mapping) -> dict:
    """Settings that a decoder takes over from its encoder, with layers in reverse."""
    lists = {n: encoder[n] for n in ("widths", "filters") if isinstance(encoder.get(n), list)}
    reverse = {name: sizes[::-1] for name, sizes in lists.items()}
    return reverse | {n: encoder[n] for n in ("width", "activation", "dtype") if n in encoder}


def _is_discretized(likelihood) -> bool:
    """True if a likelihood, a name or a table, is a distribution of bytes."""
    name = likelihood.get("class", "") if isinstance(likelihood, Mapping) else str(likelihood)
    return name.lower().startswith("discretized")


def _parameters(likelihood) -> list[str]:
    """Names of the decoder's outputs for a likelihood, a name or a table."""
    if not isinstance(likelihood, Mapping):
        return list(distributions.likelihood(likelihood).parameters)
    if likelihood.get("class") == "Gaussian":
        return ["loc"] if "sigma" in likelihood else ["loc", "scale"]
    return ["loc", "scale"] if "Discretized" in likelihood.get("class", "") else ["logits"]
