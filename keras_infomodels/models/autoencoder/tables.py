"""The `[model]` table of a recipe for the autoencoders: short names, and what may be left out."""

from collections.abc import Mapping

from keras_infomodels import distributions
from keras_infomodels.models import tables
from keras_infomodels.models.tables import OF_A_CATEGORY, Short, filled
from keras_infomodels.names import guess

__all__ = ["SHORT", "add_discriminator", "complete", "scale_weight", "shorten"]

_PLACES = {
    "activation": "encoder.activation",
    "latent_dim": "encoder.latent_dim",
    "min_stddev": "encoder.min_stddev",
    "categories": "prior.categories",
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
"""The short names of settings; an adversarial autoencoder has "discriminator_widths" too."""

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
_SMALL = 32
"""Height and width up to which grey images are taken to be as MNIST's."""
_PLANE = ("GaussianMixture", "SwissRoll")


def shorten(table: dict, short: Short) -> Short:
    """Puts values of short names into a table, and returns the others.

    Raises:
        ValueError: a name of no network or prior, or a part of what the table does not have.
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
    """The table with networks, a prior and a likelihood that fit the images and each other.

    Small grey images have an `MLPEncoder` of 10 latent variables and binarized pixels, as MNIST;
    others a `ResidualEncoder` of 32, from 128x128 on 64, and `Gaussian("shared")`.
    """
    small = is_small_and_grey(image_shape)
    given = filled(table, "encoder", {})
    usual = "MLPEncoder" if small or "widths" in given else "ResidualEncoder"
    encoder = {"class": usual, **given}
    decoder = filled(table, "decoder", {"class": _DECODERS.get(encoder["class"], "MLPDecoder")})
    prior = filled(table, "prior", {"class": "StandardNormal"})
    usual = 10 if small else 32 if max(image_shape[:2]) < 128 else 64
    usual = 2 if prior["class"] in _PLANE else usual
    latent_dim = encoder.get("latent_dim", prior.get("dimension", usual))
    if prior["class"] == "CategoricalNormal":
        prior = {"categories": 10, "dimension": latent_dim, **prior}
    if prior["class"] == "StandardNormal":
        prior = {"dimension": latent_dim, **prior}
    if prior["class"] == "GaussianMixture" and "means" not in prior:
        prior |= distributions.GaussianMixture.ring().get_config()
    categories = prior.get("categories", 0)
    likelihood = table.get("likelihood", "bernoulli_stochastic" if small else "shared_gaussian")
    shape = {"image_shape": list(image_shape)}
    if encoder["class"] in _DECODERS:
        encoder = {**shape, "latent_dim": latent_dim, "categories": categories, **encoder}
    if decoder["class"] in _DECODERS.values():
        mirrored = _mirrored(encoder) if _DECODERS.get(encoder["class"]) == decoder["class"] else {}
        own = {"latent_dim": categories + latent_dim, "parameters": _parameters(likelihood)}
        if decoder["class"] == "ResidualDecoder" and _is_discretized(likelihood):
            own["position_scale"] = True
        decoder = {**shape, **own, **mirrored, **decoder}
    own = {"encoder": encoder, "decoder": decoder, "prior": prior, "likelihood": likelihood}
    return {**table, **own}


def is_small_and_grey(image_shape: tuple[int, ...]) -> bool:
    """Whether images are as MNIST's, for which the constructors' defaults were measured."""
    return max(image_shape[:2]) <= _SMALL and image_shape[-1] == 1


def scale_weight(table: Mapping, image_shape: tuple[int, ...]) -> dict:
    """The table with the weight of prior matching for images that are not as MNIST's."""
    scaled = {} if is_small_and_grey(image_shape) else {"lambda_": "auto"}
    return scaled | dict(table)


def add_discriminator(table: Mapping) -> dict:
    """A completed table with the discriminators of an adversarial autoencoder."""
    prior, given = table["prior"], filled(table, "discriminator", {})
    parts = {"z": prior.get("dimension", 2)}
    if prior["class"] == "CategoricalNormal":
        parts = {"category": prior["categories"], **parts}
    shared = {} if parts.keys() & given.keys() else given
    made = {}
    for name, size in parts.items():
        network = {"class": "MLPDiscriminator", **shared, **filled(given, name, {})}
        ours = network["class"] == "MLPDiscriminator"
        made[name] = {"latent_dim": size, **network} if ours else network
    # First, as the weights of a seed depend on the order in which networks are made.
    return {"discriminator": made if len(made) > 1 else made["z"]} | {
        name: value for name, value in table.items() if name != "discriminator"
    }


def _set_networks(table: dict, short: Short):
    """`network` and `widths`; the decoder then mirrors the encoder again."""
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
        raise ValueError(f"{setting} is a setting of {cls} alone, and this recipe has {found!r}.")


def _mirrored(encoder: Mapping) -> dict:
    """What a decoder has of its encoder."""
    lists = {n: encoder[n] for n in ("widths", "filters") if isinstance(encoder.get(n), list)}
    reverse = {name: sizes[::-1] for name, sizes in lists.items()}
    return reverse | {n: encoder[n] for n in ("width", "activation", "dtype") if n in encoder}


def _is_discretized(likelihood) -> bool:
    """Whether a likelihood, a name or a table, is one of bytes."""
    name = likelihood.get("class", "") if isinstance(likelihood, Mapping) else str(likelihood)
    return name.lower().startswith("discretized")


def _parameters(likelihood) -> list[str]:
    """What a decoder gives for a likelihood, a name or a table."""
    if not isinstance(likelihood, Mapping):
        return list(distributions.likelihood(likelihood).parameters)
    if likelihood.get("class") == "Gaussian":
        return ["loc"] if "sigma" in likelihood else ["loc", "scale"]
    return ["loc", "scale"] if "Discretized" in likelihood.get("class", "") else ["logits"]
