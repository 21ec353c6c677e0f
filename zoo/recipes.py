"""Recipes: everything that training a preset takes, as a flat TOML file."""

import dataclasses
import json
import tomllib
import types
import typing
from pathlib import Path

__all__ = ["Recipe"]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How one model is built and trained; every field is a key of recipe.toml.

    Attributes:
        model: a key of `models.MODELS`: "vae", "beta_vae", "infovae", "mmd_vae" or "aae".
        dataset: what `datasets.load` takes.
        train_split, validation_split, test_split: in TFDS' syntax. The test split is looked at
            once, after training.
        image_size: (height, width) to resize to, or None.
        network: "mlp" or "conv".
        widths: of the encoder's hidden layers (for "conv" the filters and, last, the dense layer);
            the decoder mirrors them.
        activation: of the hidden layers.
        latent_dim: number of latent variables; of z alone where there is a category too.
        prior: a key of `build.PRIORS`: "standard_normal", "gaussian_mixture" (a ring of ten in the
            plane), "swiss_roll" (in the plane) or "categorical_normal".
        categories: of "categorical_normal".
        min_stddev: floor of the posterior's standard deviation.
        deterministic: an encoder without a standard deviation.
        likelihood: a key of `distributions.LIKELIHOODS`.
        sigma: fixed standard deviation of a "gaussian" likelihood; None learns it.
        alpha, lambda_, beta: of the model, where it has them; None is the model's default.
        divergence: a key of `divergences.DIVERGENCES`, or None for the model's default.
        kernel: of the MMD.
        warmup_epochs: of a beta_vae: the rate's weight rises over them.
        adversarial_loss, category_noise, classification_weight, consistency_weight, consistency:
            of an aae.
        labeled: how many training images, equally many of each class, keep their label; the
            others are unlabeled. None without a classification_weight.
        labeled_per_batch: labeled images that every batch holds beside its `batch_size`.
        discriminator_widths, discriminator_learning_rate: of an aae's discriminators and Adam.
        batch_size, epochs, learning_rate, beta_1: of Adam; beta_1 of both optimizers.
        schedule: "cosine" (to 0 over the run), "constant" or "plateau" (halved whenever val_loss
            has not improved for 3 epochs; a discriminator's rate stays).
        patience: epochs without a better val_loss before training stops and takes the best
            weights; None never stops.
        seed: of the initial weights, the order of the data and the noise.
    """

    model: str
    dataset: str
    train_split: str = "train[:90%]"
    validation_split: str = "train[90%:]"
    test_split: str = "test"
    image_size: tuple[int, int] | None = None
    network: str = "mlp"
    widths: tuple[int, ...] = (256, 256)
    activation: str = "gelu"
    latent_dim: int = 10
    prior: str = "standard_normal"
    categories: int = 10
    min_stddev: float = 0.01
    deterministic: bool = False
    likelihood: str = "bernoulli_stochastic"
    sigma: float | None = None
    alpha: float | None = None
    lambda_: float | None = None
    beta: float | None = None
    divergence: str | None = None
    kernel: str | None = None
    warmup_epochs: int = 0
    adversarial_loss: str | None = None
    category_noise: float | None = None
    classification_weight: float | None = None
    consistency_weight: float | None = None
    consistency: str | None = None
    labeled: int | None = None
    labeled_per_batch: int = 64
    discriminator_widths: tuple[int, ...] = (128, 128)
    discriminator_learning_rate: float = 1e-3
    batch_size: int = 128
    epochs: int = 20
    learning_rate: float = 1e-3
    beta_1: float = 0.9
    schedule: str = "cosine"
    patience: int | None = None
    seed: int = 0

    def __post_init__(self):
        for field in dataclasses.fields(self):
            _check_type(field, getattr(self, field.name))
        choices = {"network": ("mlp", "conv"), "schedule": ("cosine", "constant", "plateau")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is one of {allowed}, got {getattr(self, name)!r}.")
        for name in ("epochs", "batch_size", "latent_dim", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is above 0, got {getattr(self, name)!r}.")
        if (self.labeled is None) != (self.classification_weight is None):
            raise ValueError("labeled and classification_weight belong together.")
        if self.labeled is not None and (self.patience is not None or self.schedule == "plateau"):
            raise ValueError(
                "patience and the schedule plateau watch val_loss, which with labeled images holds "
                "all labels of the validation split; take a fixed number of epochs."
            )
        if self.consistency is not None and self.consistency_weight is None:
            raise ValueError("consistency needs a consistency_weight.")
        if self.sigma is not None and self.likelihood != "gaussian":
            raise ValueError(f"sigma is of the gaussian likelihood, not of {self.likelihood}.")
        if self.network == "conv" and len(self.widths) < 2:
            raise ValueError(
                'With network = "conv" the widths are filters and, last, the dense layer, such as '
                f"[16, 32, 64, 128]; got {list(self.widths)}."
            )

    @classmethod
    def load(cls, path: str | Path, **changes) -> "Recipe":
        """Reads a recipe.toml; changes replace its values.

        Raises:
            ValueError: a key that recipes do not have, or a value that makes no sense.
        """
        try:
            values = tomllib.loads(Path(path).read_text())
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{path} is no TOML file: {error}.") from error
        fields = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - fields):
            raise ValueError(f"{path} has unknown keys {unknown}; a recipe has {sorted(fields)}.")
        values |= changes
        if missing := {"model", "dataset"} - set(values):
            raise ValueError(f"{path} lacks {sorted(missing)}.")
        tuples = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
        return cls(**values | tuples)

    def to_toml(self) -> str:
        """The recipe as TOML; None is what is not there."""
        values = {k: v for k, v in dataclasses.asdict(self).items() if v is not None}
        return "".join(
            f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items()
        )


def _check_type(field: dataclasses.Field, value):
    union = isinstance(field.type, types.UnionType)
    expected = typing.get_args(field.type) if union else (field.type,)
    kinds = tuple(typing.get_origin(kind) or kind for kind in expected)
    if float in kinds:
        kinds += (int,)
    if isinstance(value, bool) != (bool in kinds) or not isinstance(value, kinds):
        names = " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds)
        raise ValueError(f"{field.name} is {names}, got {value!r}.")
