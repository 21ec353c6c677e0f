"""Recipes: everything that training a preset takes, as a flat TOML file."""

import dataclasses
import json
import tomllib
import types
import typing
from pathlib import Path

__all__ = ["Recipe", "parse_seeds"]


_OF_A_GAN = {
    "network": "conv",
    "widths": (32, 64, 216),
    "discriminator_learning_rate": 2e-4,
    "beta_1": 0.5,
    "schedule": "late_cosine",
}
_CODES = (
    {"name": "category", "prior": "categorical"},
    {"name": "c1", "prior": "uniform"},
    {"name": "c2", "prior": "uniform"},
)
_DEFAULTS = {
    "gan": _OF_A_GAN,
    "infogan": _OF_A_GAN,
    "classifier": {"network": "conv", "widths": (32, 64, 128, 128)},
}
"""Where a model's defaults are not those of the fields."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How one model is built and trained; every field is a key of recipe.toml.

    `Recipe.of` and `Recipe.load` know the defaults of the GANs: convolutions of widths
    (32, 64, 216), a discriminator's rate of 2e-4, a beta_1 of 0.5, the schedule "late_cosine"; and
    of the classifier: convolutions of widths (32, 64, 128, 128).

    Attributes:
        model: a key of `models.MODELS`: "vae", "beta_vae", "infovae", "mmd_vae", "aae", "gan",
            "infogan" or "classifier".
        description: what the preset is for, in one line. It makes no other recipe: runs are the
            same whatever it says.
        meanings: of an infogan: what codes of the shipped weights do, in words by the code's name,
            as somebody saw in the pictures. Makes no other recipe either.
        dataset: what `datasets.load` takes.
        train_split, validation_split, test_split: in TFDS' syntax. The test split is looked at
            once, after training.
        image_size: (height, width) to resize to, or None.
        network: "mlp" or "conv".
        widths: of the encoder's or discriminator's hidden layers (for "conv" the filters and, last,
            the dense layer); the decoder or generator mirrors them.
        activation: of the hidden layers.
        latent_dim: number of latent variables; of z alone where there is a category too.
        prior: a key of `build.PRIORS`: "standard_normal", "gaussian_mixture" (a ring of ten in the
            plane), "swiss_roll" (in the plane) or "categorical_normal".
        categories: of "categorical_normal", of an infogan's category where codes is None, and the
            classes of a classifier.
        noise_dim: of a gan or infogan.
        codes: of an infogan: a table for each with "name", "prior" ("categorical", "uniform" or
            "normal"), "categories" for the first of them, and where they differ from the defaults
            of `distributions.Code` "posterior", "weight", "min_stddev". None is one category and
            two uniform codes, c1 and c2.
        posterior, information_weight, stratified, fake_consistency_weight,
            real_consistency_weight: of an infogan.
        consistency_warmup_epochs: of an aae or infogan, continuous_warmup_epochs: of an infogan:
            epochs for its steps.
        objective, gradient_penalty, r1, label_smoothing, update, discriminator_steps: of a gan or
            infogan.
        normalization: of its discriminator.
        min_stddev: floor of the posterior's standard deviation.
        deterministic: an encoder without a standard deviation.
        likelihood: a key of `distributions.LIKELIHOODS`.
        sigma: fixed standard deviation of a "gaussian" likelihood; None learns it.
        alpha, lambda_, beta: of the model, where it has them; None is the model's default.
        divergence: a key of `divergences.DIVERGENCES`, or None for the model's default.
        kernel, estimator: of the MMD, see `divergences.MMD`; None are its defaults.
        warmup_epochs: of a beta_vae: the rate's weight rises over them.
        adversarial_loss, category_noise, consistency_weight, consistency_radius, evenness_slack:
            of an aae.
        classification_weight, consistency: of an aae or infogan.
        augment: of a classifier.
        labeled: how many training images, equally many of each class, keep their label; the
            others are unlabeled. None without a classification_weight.
        labeled_per_batch: labeled images that every batch holds beside its `batch_size`.
        discriminator_widths: of an aae's discriminators.
        discriminator_learning_rate: of the discriminators' Adam.
        batch_size, epochs, learning_rate, beta_1: of Adam; beta_1 of both optimizers.
        schedule: "cosine" (to 0 over the run), "late_cosine" (over its second half), "constant" or
            "plateau" (halved whenever val_loss has not improved for 3 epochs; a discriminator's
            rate stays).
        weight_average: momentum of `callbacks.WeightAverage`; None keeps the last weights.
        starts, start_epochs: of an infogan: how many short runs of other seeds, of so many epochs
            each, precede the run; it takes the seed whose category says most about real images
            (`information_real_<code>`, known without labels). 1 is no choice.
        dtype: of the networks of a gan or infogan, "mixed_bfloat16" being the fastest; it comes
            with `optimizers.FusedAdam`. None is float32 and Keras' Adam.
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
    noise_dim: int = 62
    codes: tuple[dict, ...] | None = None
    posterior: str | None = None
    information_weight: float | None = None
    stratified: bool | None = None
    fake_consistency_weight: float | None = None
    real_consistency_weight: float | None = None
    consistency_warmup_epochs: int = 0
    continuous_warmup_epochs: int = 0
    objective: str | None = None
    gradient_penalty: float | None = None
    r1: float | None = None
    label_smoothing: float | None = None
    update: str | None = None
    discriminator_steps: int | None = None
    normalization: str = "batch"
    min_stddev: float = 0.01
    deterministic: bool = False
    likelihood: str = "bernoulli_stochastic"
    sigma: float | None = None
    alpha: float | None = None
    lambda_: float | None = None
    beta: float | None = None
    divergence: str | None = None
    kernel: str | None = None
    estimator: str | None = None
    warmup_epochs: int = 0
    adversarial_loss: str | None = None
    category_noise: float | None = None
    classification_weight: float | None = None
    consistency_weight: float | None = None
    consistency: str | None = None
    consistency_radius: float | None = None
    evenness_slack: float | None = None
    augment: bool | None = None
    labeled: int | None = None
    labeled_per_batch: int = 64
    discriminator_widths: tuple[int, ...] = (128, 128)
    discriminator_learning_rate: float = 1e-3
    batch_size: int = 128
    epochs: int = 20
    learning_rate: float = 1e-3
    beta_1: float = 0.9
    schedule: str = "cosine"
    weight_average: float | None = None
    starts: int = 1
    start_epochs: int = 1
    dtype: str | None = None
    patience: int | None = None
    seed: int = 0
    description: str | None = dataclasses.field(default=None, compare=False)
    meanings: dict[str, str] | None = dataclasses.field(default=None, compare=False)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            _check_type(field, getattr(self, field.name))
        choices = {
            "network": ("mlp", "conv"),
            "schedule": ("cosine", "late_cosine", "constant", "plateau"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is one of {allowed}, got {getattr(self, name)!r}.")
        for name in (
            "epochs",
            "batch_size",
            "latent_dim",
            "learning_rate",
            "starts",
            "start_epochs",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is above 0, got {getattr(self, name)!r}.")
        if (self.labeled is None) != (self.classification_weight is None):
            raise ValueError("labeled and classification_weight belong together.")
        if self.labeled is not None and (self.patience is not None or self.schedule == "plateau"):
            raise ValueError(
                "patience and the schedule plateau watch val_loss, which with labeled images holds "
                "all labels of the validation split; take a fixed number of epochs."
            )
        if self.weight_average is not None and self.patience is not None:
            raise ValueError(
                "weight_average and patience each keep weights of their own at the end; take one."
            )
        weights = (self.consistency_weight, self.real_consistency_weight)
        if self.consistency is not None and weights == (None, None):
            raise ValueError("consistency needs a consistency_weight or real_consistency_weight.")
        if self.starts > 1 and "categorical" not in (c.get("prior") for c in self.code_tables()):
            raise ValueError(
                f"starts are chosen by an infogan's category, and this {self.model} has none."
            )
        if self.dtype is not None and self.model not in ("gan", "infogan"):
            raise ValueError(f"dtype is of a gan or infogan, not of {self.model}.")
        names = {code.get("name") for code in self.code_tables()}
        if unknown := sorted((self.meanings or {}).keys() - names):
            raise ValueError(f"meanings name {unknown}; the codes are {sorted(names)}.")
        if self.sigma is not None and self.likelihood != "gaussian":
            raise ValueError(f"sigma is of the gaussian likelihood, not of {self.likelihood}.")
        if self.network == "conv" and len(self.widths) < 2:
            raise ValueError(
                'With network = "conv" the widths are filters and, last, the dense layer, such as '
                f"[16, 32, 64, 128]; got {list(self.widths)}."
            )

    @classmethod
    def of(cls, model: str, **values) -> "Recipe":
        """A recipe with the defaults of its model."""
        return cls(**{"model": model} | _DEFAULTS.get(model, {}) | values)

    @classmethod
    def load(cls, path: str | Path, **changes) -> "Recipe":
        """Reads a recipe.toml; changes replace its values.

        Raises:
            ValueError: a key that recipes do not have, or a value that makes no sense.
        """
        return cls.parse(Path(path).read_text(), path, **changes)

    @classmethod
    def parse(cls, text: str, path: str | Path, **changes) -> "Recipe":
        """As `load`, of a text that was read from that path."""
        try:
            values = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ValueError(f"{path} is no TOML file: {error}.") from error
        fields = {field.name for field in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - fields):
            raise ValueError(f"{path} has unknown keys {unknown}; a recipe has {sorted(fields)}.")
        values |= changes
        if missing := {"model", "dataset"} - set(values):
            raise ValueError(f"{path} lacks {sorted(missing)}.")
        tuples = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
        return cls.of(**values | tuples)

    def code_tables(self) -> tuple[dict, ...]:
        """The codes of an infogan, as `codes` or as by default; none of another model."""
        if self.model != "infogan":
            return ()
        return self.codes or (_CODES[0] | {"categories": self.categories}, *_CODES[1:])

    def to_toml(self) -> str:
        """The recipe as TOML; None is what is not there."""
        values = {k: v for k, v in dataclasses.asdict(self).items() if v is not None}
        return "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())


def parse_seeds(text: str) -> list[int]:
    """Text such as "0-4" or "0,2,7" as a list of integers.

    Raises:
        ValueError: something else.
    """
    seeds = []
    try:
        for part in text.split(","):
            first, dash, last = part.partition("-")
            seeds += range(int(first), int(last if dash else first) + 1)
    except ValueError:
        seeds = []
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"Seeds are written 0-4 or 0,2,7, each once; got {text!r}.")
    return seeds


def _toml(value) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _check_type(field: dataclasses.Field, value):
    union = isinstance(field.type, types.UnionType)
    expected = typing.get_args(field.type) if union else (field.type,)
    kinds = tuple(typing.get_origin(kind) or kind for kind in expected)
    if float in kinds:
        kinds += (int,)
    wrong_bool = isinstance(value, bool) and bool not in kinds
    if wrong_bool or not isinstance(value, kinds):
        names = " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds)
        raise ValueError(f"{field.name} is {names}, got {value!r}.")
