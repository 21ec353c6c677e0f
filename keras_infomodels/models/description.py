"""Answers of a model to evaluation, plots, export and the zoo."""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow_probability as tfp

from keras_infomodels.datasets.checks import Pixels
from keras_infomodels.distributions import Code
from keras_infomodels.models.audits import EncoderParts, GeneratorParts
from keras_infomodels.models.cards import FOR, GENERATE, CardWords
from keras_infomodels.models.costs import Ask, Cost
from keras_infomodels.models.pictures import samples
from keras_infomodels.models.tables import Short
from keras_infomodels.pictures import Grid, Scatter

tfd = tfp.distributions

__all__ = ["ModelDescription"]


class ModelDescription:
    """Description of a model for evaluation, plots, export and the zoo.

    The methods have defaults; a model class overrides those that differ. The attributes are
    described in `InfoModel`.
    """

    of_labeled: tuple[str, ...] = ("classification", "accuracy")
    smallest_batch = 1
    picture_kinds: Mapping[str, Callable] = {"samples": samples}
    card_figures: tuple[str, ...] = ("samples",)
    loss_unit = "weighted sum"
    units: Mapping[str, str] = {}
    needs_labels = False
    takes_fitted_prior = False
    short_settings: tuple[str, ...] = ()
    training_defaults: Mapping = {}
    citation = ""
    default_augmentations = "adversarial"

    @classmethod
    def shorten(cls, table: dict, short: Short) -> Short:
        """Moves settings given by short names into a recipe's `[model]` table; returns the rest."""
        return short

    @classmethod
    def complete(cls, table: Mapping, image_shape: tuple[int, ...]) -> dict:
        """Returns the `[model]` table of a recipe, with default networks where it names none."""
        return dict(table)

    @staticmethod
    def card_words(config: Mapping) -> CardWords:
        """Returns the card's text on a model with this config, without the figures."""
        return CardWords("", GENERATE, FOR)

    def describe_metrics(self, metrics: Mapping[str, float]) -> str:
        """Returns a sentence for the card on how the metrics of `evaluate` are measured."""
        return ""

    @property
    def pixels(self) -> Pixels:
        """Allowed pixel values of the model's data."""
        return Pixels()

    @property
    def pixel_range(self) -> tuple[int, int] | None:
        """Range of the pixels: (0, 1), or None if pixels may be any real number."""
        return None if self.pixels.support == "real" else (0, 1)

    @property
    def label_classes(self) -> int | None:
        """Number of classes of the labels that `fit` takes; None if labels are not used."""
        return None

    @property
    def codes(self) -> Mapping[str, Code]:
        """Codes of the generator, by name; empty for a model without codes."""
        return {}

    def ceilings(self, examples: int) -> dict[str, float]:
        """Returns the largest value that each information metric can reach, in nats, by name.

        Args:
            examples: int. Number of examples that are evaluated.
        """
        return {}

    @property
    def category(self) -> str | None:
        """Name of the first category that the model infers from images; None if there is none."""
        return None

    def category_logits(self, images: np.ndarray) -> np.ndarray:
        """Returns the logits of the inferred category.

        Args:
            images: array (n, height, width, channels). Images as `fit` takes them.

        Returns:
            float64 array (n, K).

        Raises:
            ValueError: The model infers no category.
        """
        if self.category is None:
            raise ValueError(
                f"This {type(self).__name__} infers no category; take one with a categorical code "
                "or prior."
            )
        parts = np.split(images, range(500, len(images), 500))
        found = [self._category_posterior(part).logits.numpy() for part in parts]
        return np.concatenate(found).astype(np.float64)

    def _category_posterior(self, x: np.ndarray) -> tfd.OneHotCategorical:
        """Distribution of `category` given images x."""
        raise NotImplementedError

    def picture(self, kind: str, *args, **kwargs) -> Grid | Scatter:
        """Draws one picture of the model as arrays.

        Args:
            kind: str. Name of the picture, a key of `picture_kinds`.
            *args: arguments of the function in `picture_kinds` after the model.
            **kwargs: keyword arguments of the same function.

        Raises:
            ValueError: The model has no picture of this kind.
        """
        if kind not in self.picture_kinds:
            kinds = ", ".join(self.picture_kinds)
            raise ValueError(f"{type(self).__name__} has the pictures {kinds}; got {kind!r}.")
        return self.picture_kinds[kind](self, *args, **kwargs)

    def pictures(
        self, images: np.ndarray, labels: np.ndarray | None = None
    ) -> dict[str, Grid | Scatter]:
        """Draws all pictures of the model as arrays, by name; see `plots.model_pictures`."""
        return {"samples": self.picture("samples")}

    def audit_parts(
        self, data, limit: int, batch_size: int, seed: int
    ) -> EncoderParts | GeneratorParts:
        """Returns the parts of the model that `evaluation.audit` measures.

        Args:
            data: images as `evaluation.audit` takes them.
            limit: int. Largest number of images.
            batch_size: int. Batch size for arrays.
            seed: int. Seed of the samples.

        Raises:
            ValueError: If the model has no latent variables to audit, or `data` is missing.
        """
        raise ValueError(
            f"This {type(self).__name__} has no latent variables, so there is no information to "
            "audit; read its metrics by evaluate, or audit an autoencoder or an InfoGAN."
        )

    def quantization_costs(self, own: Ask, file: Ask, images: np.ndarray) -> list[Cost]:
        """Measures how quantization changes a model's terms, such as its reconstruction.

        Args:
            own: function (name, inputs) -> outputs. Calls a signature of the Keras model with a
                dict of arrays.
            file: function (name, inputs) -> outputs. Calls a signature of the exported file.
            images: float32 array (n, height, width, channels). Images as `fit` takes them.
        """
        return []

    def calibration_images(self, images: np.ndarray) -> np.ndarray:
        """Selects images that calibrate the int8 ranges of activations, given training images."""
        return images
