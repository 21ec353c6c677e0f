"""What a card says of an autoencoder."""

from collections.abc import Mapping

from keras_infomodels.models.cards import FOR, GENERATE, VARIETY, CardWords

__all__ = ["autoencoder_protocol", "autoencoder_words", "observation_model"]

_SMOOTH = (
    "Pixels are independent given z, so that reconstructions are smoother than images are, and "
    "samples are not always convincing."
)
_LIMITS = {
    "vae": f"{FOR} {_SMOOTH} {VARIETY} The NLL is of the stated observation model and stands "
    "beside those of the same one alone. Mutual information that is high does not make a latent "
    "variable mean anything by itself.",
    "deterministic": f"{FOR} {_SMOOTH} {VARIETY} A code is a point and not a distribution: the "
    "model has no likelihood, its mutual information is that of a table of examples, and nothing "
    "says how sure a code is.",
    "category": f"{FOR} {_SMOOTH} {VARIETY} z may carry the kind too: with the category fixed "
    "other kinds can be drawn. The category is a guess, with a probability that is not "
    "calibrated. Training assumed kinds of about equal frequency, and that an image that is moved "
    "a little is of the same kind. Categories without labels have no order and no names: another "
    "seed finds others.",
}


def autoencoder_protocol(model, metrics: Mapping[str, float]) -> str:
    """What the metrics of `evaluate` are."""
    information = "The mutual information is a lower bound from at most 10,000 encodings."
    if "information_category" in metrics:
        information = "The category's information is that of these examples, exactly."
    return f"Observation model: {observation_model(model)}. {information}"


def observation_model(model) -> str:
    """The likelihood of an autoencoder."""
    return getattr(model.likelihood, "description", repr(model.likelihood))


def autoencoder_words(config: Mapping) -> CardWords:
    """What a card says of an autoencoder with this config."""
    encoder, prior = config["encoder"]["config"], config.get("prior") or {}
    size = encoder.get("latent_dim", prior.get("config", {}).get("dimension"))
    use, kind = "z = model.encode(images).mean()", "vae"
    if prior.get("class_name") == "CategoricalNormal":
        use, kind = "category = model.encode(images)['category'].mode()", "category"
    elif encoder.get("min_stddev", 0) is None:
        kind = "deterministic"
    contents = f"{size} latent variables" if size else "latent variables"
    return CardWords(contents, f"{GENERATE}\n{use}", _LIMITS[kind])
