"""Building what a recipe names: the data and the model."""

import dataclasses
from pathlib import Path

import keras
import tensorflow as tf

from keras_infomodels import datasets, distributions, divergences, models, networks
from keras_infomodels.zoo.recipes import Recipe

__all__ = ["build_model", "load_split", "resolve_splits"]

_SETTINGS = {
    "vae": set(),
    "beta_vae": {"beta"},
    "infovae": {"alpha", "lambda_", "divergence"},
    "mmd_vae": {"lambda_", "divergence"},
    "aae": {"lambda_"},
}
"""What of a model's objective a recipe may set."""


def load_split(
    recipe: Recipe, split: str, data_dir: str | Path | None, labels: bool = False
) -> tf.data.Dataset:
    """One of the recipe's splits, shuffled only for training."""
    return datasets.load(
        recipe.dataset,
        split,
        recipe.batch_size,
        data_dir=data_dir,
        seed=recipe.seed,
        labels=labels,
        image_size=recipe.image_size,
        shuffle=split == recipe.train_split,
    )


def resolve_splits(recipe: Recipe, data_dir: str | Path | None) -> Recipe:
    """The recipe with splits that its set has; says so where the defaults have to give way.

    Raises:
        ValueError: splits of its own that the set does not have.
    """
    parts = datasets.split_names(recipe.dataset, data_dir=data_dir)
    wanted = {field.name: field.default for field in dataclasses.fields(Recipe)}
    defaults = all(
        getattr(recipe, name) == wanted[name]
        for name in ("train_split", "validation_split", "test_split")
    )
    if {"train", "test"} <= set(parts) or not defaults or not parts:
        return recipe
    part = "train" if "train" in parts else parts[0]
    print(f"{recipe.dataset} has no split 'test': the last tenth of {part!r} takes its place.")
    return dataclasses.replace(
        recipe,
        train_split=f"{part}[:80%]",
        validation_split=f"{part}[80%:90%]",
        test_split=f"{part}[90%:]",
    )


def build_model(recipe: Recipe, image_shape: tuple[int, int, int], steps: int) -> keras.Model:
    """The compiled model of a recipe.

    Args:
        recipe: what to build.
        image_shape: (height, width, channels).
        steps: training steps in all, for the learning rate's schedule.

    Raises:
        ValueError: a name that is none, or settings that the model does not have.
    """
    keras.utils.set_random_seed(recipe.seed)
    if recipe.model not in models.MODELS:
        raise ValueError(f"model is one of {', '.join(models.MODELS)}; got {recipe.model!r}.")
    likelihood = distributions.likelihood(recipe.likelihood)
    if recipe.sigma is not None:
        likelihood = distributions.Gaussian(recipe.sigma)
    model = models.MODELS[recipe.model](
        *_networks(recipe, image_shape, likelihood.parameters),
        likelihood=likelihood,
        seed=recipe.seed,
        **_objective(recipe),
    )
    rate = recipe.learning_rate
    if recipe.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    # Keras' own work between steps costs about a third of a step of these networks.
    model.compile(keras.optimizers.Adam(rate), steps_per_execution=10)
    return model


def _networks(recipe: Recipe, image_shape, parameters) -> tuple[keras.Model, keras.Model]:
    shared = {
        "image_shape": image_shape,
        "latent_dim": recipe.latent_dim,
        "activation": recipe.activation,
    }
    if recipe.network == "mlp":
        encoder = networks.MLPEncoder(widths=recipe.widths, min_stddev=recipe.min_stddev, **shared)
        decoder = networks.MLPDecoder(widths=recipe.widths[::-1], parameters=parameters, **shared)
        return encoder, decoder
    *filters, width = recipe.widths
    encoder = networks.ConvEncoder(
        filters=filters, width=width, min_stddev=recipe.min_stddev, **shared
    )
    decoder = networks.ConvDecoder(
        filters=filters[::-1], width=width, parameters=parameters, **shared
    )
    return encoder, decoder


def _objective(recipe: Recipe) -> dict:
    """The settings of the objective, as far as the recipe has them."""
    divergence = recipe.divergence
    if recipe.kernel is not None:
        if divergence not in (None, "mmd"):
            raise ValueError(f"Only the MMD has a kernel, and divergence is {divergence!r}.")
        divergence = divergences.MMD(recipe.kernel)
    chosen = {
        "alpha": recipe.alpha,
        "lambda_": recipe.lambda_,
        "beta": recipe.beta,
        "divergence": divergence,
    }
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if foreign := sorted(set(chosen) - _SETTINGS[recipe.model]):
        raise ValueError(
            f"The model {recipe.model} has no setting {', '.join(foreign)}; it has "
            f"{', '.join(sorted(_SETTINGS[recipe.model])) or 'none'}."
        )
    return chosen
