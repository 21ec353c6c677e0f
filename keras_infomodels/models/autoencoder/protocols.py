"""What the figures of an autoencoder are, in words for a card."""

from collections.abc import Mapping

__all__ = ["autoencoder_protocol", "observation_model"]


def autoencoder_protocol(model, metrics: Mapping[str, float]) -> str:
    """What the metrics of `evaluate` are."""
    information = "The mutual information is a lower bound from at most 10,000 encodings."
    if "information_category" in metrics:
        information = "The category's information is that of these examples, exactly."
    return f"Observation model: {observation_model(model)}. {information}"


def observation_model(model) -> str:
    """The likelihood of an autoencoder."""
    return getattr(model.likelihood, "description", repr(model.likelihood))
