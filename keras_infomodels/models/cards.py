"""Words of a card that are known of a model's class. No figure is among them."""

from dataclasses import dataclass

__all__ = ["FOR", "GENERATE", "VARIETY", "CardWords"]


@dataclass(frozen=True)
class CardWords:
    """What a card says of a model beside its figures.

    Attributes:
        contents: str. What the model has, such as "10 latent variables".
        use: str. Lines of Python with a model named `model`.
        limits: str. What it is for, and what may not be concluded from it.
    """

    contents: str
    use: str
    limits: str


GENERATE = "images = model.generate(8, seed=0)  # in [0, 1]"

FOR = (
    "For research and teaching with small images like those of the training set. Images of another "
    "kind, size or contrast go through without a warning, and what comes out then means nothing. "
    "Not for decisions about anybody."
)
VARIETY = (
    "Figures of samples, where there are any above, see means, covariances and classes of a small "
    "classifier: rare kinds of images may be missing all the same, and training images may be near "
    "to what it draws."
)
