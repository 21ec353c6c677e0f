"""Texts of a card that depend on the model's class. They contain no figures."""

from dataclasses import dataclass

__all__ = ["FOR", "GENERATE", "VARIETY", "CardWords"]


@dataclass(frozen=True)
class CardWords:
    """Text of a model's card, without the figures.

    Attributes:
        contents: str. Parts of the model, such as "10 latent variables".
        use: str. Lines of Python with a model named `model`.
        limits: str. Intended use, and conclusions that should not be drawn from the model.
        nll: str. Sentence on the NLL, for a card that has one; empty for none.
    """

    contents: str
    use: str
    limits: str
    nll: str = ""


GENERATE = "images = model.generate(8, seed=0)  # in [0, 1]"

FOR = (
    "For research and teaching with small images like those of the training set. Images of another "
    "kind, size or contrast are accepted without a warning, but the results are then meaningless. "
    "Not for decisions about people."
)
VARIETY = (
    "Figures of samples, if the card has any, compare means, covariances and classes of a small "
    "classifier. They do not show whether rare images are missing, or whether samples are close to "
    "training images."
)
