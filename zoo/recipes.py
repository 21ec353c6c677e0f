"""Recipes: data, model and training of a preset, as a TOML file."""

import copy
import dataclasses
import inspect
import tomllib
import warnings
from collections.abc import Mapping
from pathlib import Path

import tomlkit

from keras_infomodels.defaults import MOST_CORRELATED
from keras_infomodels.names import guess, nearest
from keras_infomodels.zoo.old_recipes import is_flat, renew_settings, settings_of
from keras_infomodels.zoo.recipe_tables import (
    Data,
    Training,
    inlined,
    merged,
    named,
    typed,
    without_none,
)

__all__ = ["Recipe", "differences", "parse_seeds"]


_OPTIMIZER = {"learning_rate": 1e-3, "beta_1": 0.9}
_PLACES = {
    "description": "description",
    "meanings": "meanings",
    "weights": "weights",
    "dataset": "data.name",
    "train_split": "data.train",
    "validation_split": "data.validation",
    "test_split": "data.test",
    "learning_rate": "training.optimizer.learning_rate",
    "discriminator_learning_rate": "training.discriminator_optimizer.learning_rate",
    **{name: f"data.{name}" for name in ("image_size", "labeled", "labeled_per_batch")},
    **{
        field.name: f"training.{field.name}"
        for field in dataclasses.fields(Training)
        if "optimizer" not in field.name
    },
}
"""Places of data and training settings by short name; a model has short names of its own."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Recipe: data, model and training of a run.

    A TOML file has three tables. `[data]` and `[training]` hold the fields of `Data` and
    `Training`. `[model]` holds the model's `class` and the arguments of its constructor. An
    argument that is an object is a table with its own `class`. Networks, prior and codes that are
    not given are chosen by the images and the other settings. Instead of a number of steps,
    `{ epochs = 2 }` gives a number of epochs. The text "none" means None.

    Attributes:
        data: `Data`. Table `[data]`: data set and splits.
        model: dict. Table `[model]`: class and arguments.
        training: `Training`. Table `[training]`. The defaults are the `training_defaults` of the
            model's class.
        description: str. Purpose of the preset in one line. Ignored when recipes are compared.
        meanings: dict from code name to str. Visible effect of each code of the published weights.
            Ignored when recipes are compared.
        weights: str. "float16" stores the weights of a published preset in half precision; the
            card's figures are then measured with the rounded weights. Ignored when recipes are
            compared.

    Example:
        from keras_infomodels.zoo.recipes import Recipe

        recipe = Recipe.of("mmd_vae", dataset="mnist", latent_dim=4, epochs=5)
        pathlib.Path("recipe.toml").write_text(recipe.to_toml())
    """

    data: Data
    model: dict
    training: Training
    description: str | None = dataclasses.field(default=None, compare=False)
    meanings: dict[str, str] | None = dataclasses.field(default=None, compare=False)
    weights: str | None = dataclasses.field(default=None, compare=False)

    @classmethod
    def of(cls, model: str, **settings) -> "Recipe":
        """Creates the recipe of a model with its defaults.

        Args:
            model: str. Name of a class, or its name in the command, such as "mmd_vae".
            **settings: settings by short names, such as those of the command's flags. `dataset` is
                required.

        Raises:
            ValueError: If the model does not have a setting, or a value is not allowed.
        """
        return cls._changed({"model": {"class": model}}, settings)

    @classmethod
    def load(cls, path: str | Path, **changes) -> "Recipe":
        """Loads a recipe from a file, with changes by short names.

        A file of version 0.1, which has no tables, is read with a warning.

        Args:
            path: str or Path. TOML file.
            **changes: settings by short names.

        Raises:
            ValueError: If a setting does not exist, or a value is not allowed.
        """
        return cls.parse(Path(path).read_text(), path, **changes)

    @classmethod
    def parse(cls, text: str, path: str | Path, **changes) -> "Recipe":
        """Reads a recipe from a text; see `load`.

        Args:
            text: str. TOML text.
            path: str or Path. Name of the file in error messages.
            **changes: settings by short names.
        """
        try:
            values = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise ValueError(f"{path} is no TOML file: {error}.") from error
        if is_flat(values):
            warnings.warn(
                f"{path} is a recipe of version 0.1; save `Recipe.load(path).to_toml()` in its "
                "place. Version 0.3 will not read it.",
                DeprecationWarning,
                stacklevel=3,
            )
            model = _class(changes.pop("model", values.get("model")))
            changes = settings_of(values, model) | changes
            values = {"model": {"class": model.__name__}}
        try:
            return cls._changed(values, changes)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def change(self, **settings) -> "Recipe":
        """Returns a changed recipe; settings have short names, and None restores a default.

        Raises:
            ValueError: If the model does not have a setting, or a value is not allowed.
        """
        return self._changed(self._tables(), settings)

    def put(self, values: Mapping[str, object]) -> "Recipe":
        """Returns a changed recipe, with values at places such as "model.encoder.widths".

        Args:
            values: dict from place to value.

        Raises:
            ValueError: If the model does not have a setting, or a value is not allowed.
        """
        from keras_infomodels.models import tables

        changed = self._tables()
        for place, value in values.items():
            tables.put(changed, place, value)
        return self._read(changed).checked()

    def completed(self, image_shape: tuple[int, ...]) -> dict:
        """Returns the table `[model]` with default networks where it names none.

        Args:
            image_shape: (height, width, channels). Shape of an image.
        """
        try:
            return self.model_class.complete(self.model, image_shape)
        except TypeError as error:
            raise ValueError(f"A value in the table [model] has a wrong type: {error}.") from error

    @property
    def model_class(self) -> type:
        """Class of the model."""
        return _class(self.model["class"])

    def checked(self) -> "Recipe":
        """Checks the recipe and returns it.

        Raises:
            ValueError: If settings do not fit together, or a class does not have a setting.
        """
        from keras_infomodels.zoo.tables import check_table

        training = self.training
        table = self.completed((28, 28, 1))
        check_table(table, "model")
        if (self.data.labeled is None) == ("classification" in table):
            raise ValueError("data.labeled and model.classification belong together.")
        prior = table.get("prior", {}).get("class")
        normal = prior in ("StandardNormal", "MultivariateNormal")
        if training.fit_prior and not (normal and self.model_class.takes_fitted_prior):
            raise ValueError(
                "training.fit_prior is for autoencoders with a normal prior, not for "
                f"{self.model_class.__name__}{'' if prior is None else f' with {prior}'}."
            )
        if training.fit_prior and table["encoder"].get("latent_dim", 0) > MOST_CORRELATED:
            raise ValueError(
                f"A prior can be fitted to at most {MOST_CORRELATED} latent variables, of which "
                "presets save the correlations."
            )
        watches = training.patience is not None or training.schedule == "plateau"
        if self.data.labeled is not None and watches:
            raise ValueError(
                "patience and the schedule plateau watch val_loss, which with labeled images holds "
                "all labels of the validation split; use a fixed number of epochs."
            )
        if training.weight_average is not None and training.patience is not None:
            raise ValueError(
                "weight_average and patience each choose the final weights; use only one of them."
            )
        codes = {code.get("name"): code.get("prior", {}) for code in table.get("codes", ())}
        if training.starts > 1 and all(p.get("class") != "Categorical" for p in codes.values()):
            raise ValueError("starts are chosen by an InfoGAN's category, and this model has none.")
        if self.weights not in (None, "float16"):
            raise ValueError(f'weights is "float16" or left out, got {self.weights!r}.')
        if unknown := sorted((self.meanings or {}).keys() - codes):
            raise ValueError(
                f"meanings name {unknown}; the codes are {sorted(codes)}.{guess(unknown[0], codes)}"
            )
        return self

    def to_toml(self) -> str:
        """Returns the recipe as the text of a file."""
        return tomlkit.dumps(inlined(self._tables()))

    def _tables(self) -> dict:
        """Tables of a file, without values that are absent or have no effect."""
        data, training = dataclasses.asdict(self.data), dataclasses.asdict(self.training)
        if self.data.labeled is None:
            del data["labeled_per_batch"]
        usual = Data(self.data.name)
        for name in ("skip_broken", "fit", "background"):
            if data[name] == getattr(usual, name):
                del data[name]
        if self.training.starts == 1:
            del training["starts"], training["start_epochs"]
        for name in ("fit_prior", "jit_compile"):
            if not training[name]:
                del training[name]
        tables = {"data": data, "model": self.model, "training": training}
        top = {name: getattr(self, name) for name in ("description", "weights", "meanings")}
        return without_none(copy.deepcopy(top | tables))

    @classmethod
    def _changed(cls, values: Mapping, settings: Mapping) -> "Recipe":
        """Creates a recipe from the contents of a file, with settings by short names."""
        from keras_infomodels.models import tables

        values, settings = copy.deepcopy(dict(values)), renew_settings(settings)
        own = values.setdefault("model", {})
        if (model := settings.pop("model", None)) is not None:
            own["class"] = model
        model = _class(own.get("class") if isinstance(own, dict) else own)
        if (beta_1 := settings.pop("beta_1", None)) is not None:
            tables.put(values, "training.optimizer.beta_1", beta_1)
            if "discriminator_optimizer" in model.training_defaults:
                tables.put(values, "training.discriminator_optimizer.beta_1", beta_1)
        settings = {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}
        rest = model.shorten(own, tables.shorten(values, settings, _PLACES))
        # Arguments of the constructor are short names themselves.
        arguments = {name: name for name in inspect.signature(model).parameters}
        rest = tables.shorten(own, rest, arguments)
        if foreign := sorted(name for name, value in rest.items() if value is not None):
            known = [*_PLACES, *model.short_settings, *arguments]
            raise ValueError(
                f"A recipe of {model.__name__} has no setting {foreign[0]!r}; "
                f"{nearest(foreign[0], known)}"
            )
        return cls._read(values).checked()

    @classmethod
    def _read(cls, values: Mapping) -> "Recipe":
        """Creates a recipe from the contents of a file; `checked` checks the model."""
        values = copy.deepcopy(dict(values))
        fields = [field.name for field in dataclasses.fields(cls)]
        if unknown := sorted(set(values) - set(fields)):
            raise ValueError(f"There is no table {unknown[0]!r}; {nearest(unknown[0], fields)}")
        if not isinstance(values.get("model"), Mapping):
            raise ValueError(f"model is a table with a class, got {values.get('model')!r}.")
        model = _class(values["model"].get("class"))
        defaults = {"optimizer": _OPTIMIZER}
        if "discriminator_optimizer" in model.training_defaults:
            defaults["discriminator_optimizer"] = _OPTIMIZER
        training = merged(defaults, model.training_defaults)
        training = merged(training, values.get("training", {}))
        return cls(
            typed(Data, named(values.get("data", {})), "data"),
            {**values["model"], "class": model.__name__},
            typed(Training, training, "training"),
            values.get("description"),
            values.get("meanings"),
            values.get("weights"),
        )


def differences(a: Recipe, b: Recipe) -> list[str]:
    """Returns the places at which two recipes differ, such as "training.epochs"."""

    def flat(value, place=""):
        if not isinstance(value, Mapping):
            return {place: value}
        parts = [flat(item, f"{place}.{key}".lstrip(".")) for key, item in value.items()]
        return {key: item for part in parts for key, item in part.items()}

    a, b = (
        flat(
            {"data": dataclasses.asdict(r.data), "model": r.model}
            | {"training": dataclasses.asdict(r.training)}
        )
        for r in (a, b)
    )
    return sorted(key for key in a | b if a.get(key) != b.get(key))


def parse_seeds(text: str) -> list[int]:
    """Converts a text such as "0-4" or "0,2,7" to a list of integers.

    Raises:
        ValueError: If the text has another form.
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


def _class(model) -> type:
    """Class of a model, by its name or by its name in the command."""
    from keras_infomodels import models, registry
    from keras_infomodels.models.base import InfoModel

    known = registry.classes() | models.MODELS
    found = known.get(model) if isinstance(model, str) else None
    if found is None or not issubclass(found, InfoModel):
        raise ValueError(f"There is no model {model!r}; {nearest(str(model), models.MODELS)}")
    return found
