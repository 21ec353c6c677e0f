"""Text of an autoencoder's card."""

from collections.abc import Mapping

from keras_infomodels.distributions import CategoricalNormal
from keras_infomodels.models.cards import FOR, GENERATE, VARIETY, CardWords

__all__ = ["autoencoder_protocol", "autoencoder_words", "observation_model"]

_SMOOTH = (
    "Pixels are independent given z, so that reconstructions are smoother than images, and some "
    "samples are not convincing."
)
_NLL = "Compare the NLL only with that of a model with the same observation model."
_LIMITS = {
    "vae": f"{FOR} {_SMOOTH} {VARIETY} High mutual information does not imply that a single latent "
    "variable has a meaning.",
    "deterministic": f"{FOR} {_SMOOTH} {VARIETY} An image is encoded as a point, not as a "
    "distribution: the model has no likelihood, its mutual information is that of a table of "
    "examples, and an encoding has no measure of uncertainty.",
    "category": f"{FOR} {_SMOOTH} {VARIETY} z may contain information on the class, too: with the "
    "category fixed, images of other classes can be generated. The category is a prediction whose "
    "probability is not calibrated. Training assumed classes of about equal frequency, and that "
    "small changes of an image keep its class. Categories without labels have no order and no "
    "names; another seed finds others.",
}


def autoencoder_protocol(model, metrics: Mapping[str, float]) -> str:
    """Returns a sentence on how the metrics of `evaluate` are measured."""
    information = (
        "The mutual information is a lower bound, from the encodings of at most 10,000 images."
    )
    if "information_category" in metrics:
        information = "The category's information is exact for these examples."
    return f"Observation model: {observation_model(model)}. {information}"


def observation_model(model) -> str:
    """Returns the likelihood of an autoencoder in words."""
    return getattr(model.likelihood, "description", repr(model.likelihood))


def autoencoder_words(config: Mapping) -> CardWords:
    """Returns the card's text on an autoencoder with this config."""
    encoder, prior = config["encoder"]["config"], config.get("prior") or {}
    own = prior.get("config", {})
    size = encoder.get("latent_dim", own.get("dimension"))
    use, kind = "z = model.encode(images).mean()", "vae"
    contents = f"{size} latent variables" if size else "latent variables"
    if prior.get("class_name") == "CategoricalNormal":
        use, kind = "category = model.encode(images)['category'].mode()", "category"
        own = CategoricalNormal.renew_config(own)
        contents = f"{own['num_categories']} categories and {own['continuous_dim']} continuous"
        contents += " latent variables"
    elif encoder.get("min_stddev", 0) is None:
        kind = "deterministic"
    return CardWords(contents, f"{GENERATE}\n{use}", _LIMITS[kind], _NLL)
