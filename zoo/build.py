"""Building what a recipe names: the data and the model."""

import dataclasses
from pathlib import Path

import keras
import tensorflow as tf

from keras_infomodels import datasets, distributions, divergences, models, networks
from keras_infomodels.optimizers import FusedAdam
from keras_infomodels.zoo.recipes import Recipe

__all__ = ["PRIORS", "build_model", "load_split", "resolve_splits"]

_OF_A_CATEGORY = {
    "category_noise",
    "classification_weight",
    "consistency_weight",
    "consistency",
    "consistency_radius",
    "evenness_slack",
}
_OF_A_GAN = {
    "objective",
    "gradient_penalty",
    "r1",
    "label_smoothing",
    "update",
    "discriminator_steps",
}
_OF_CODES = {
    "posterior",
    "information_weight",
    "stratified",
    "fake_consistency_weight",
    "real_consistency_weight",
    "consistency",
    "consistency_warmup_steps",
    "continuous_warmup_steps",
    "classification_weight",
}
_SETTINGS = {
    "vae": set(),
    "beta_vae": {"beta", "warmup_steps"},
    "infovae": {"alpha", "lambda_", "divergence"},
    "mmd_vae": {"lambda_", "divergence"},
    "aae": {"lambda_", "loss", "consistency_warmup_steps", *_OF_A_CATEGORY},
    "gan": _OF_A_GAN,
    "infogan": _OF_A_GAN | _OF_CODES,
    "classifier": {"augment"},
}
"""What of a model's objective a recipe may set."""


PRIORS = {
    "standard_normal": lambda recipe: distributions.StandardNormal(recipe.latent_dim),
    "gaussian_mixture": lambda recipe: distributions.GaussianMixture.ring(),
    "swiss_roll": lambda recipe: distributions.SwissRoll(),
    "categorical_normal": lambda recipe: distributions.CategoricalNormal(
        recipe.categories, recipe.latent_dim
    ),
}
"""Names that recipes take."""


def load_split(
    recipe: Recipe, split: str, data_dir: str | Path | None, labels: bool = False
) -> tf.data.Dataset:
    """One of the recipe's splits, shuffled only for training; a classifier's has labels."""
    if recipe.labeled is not None:
        return _load_labeled(recipe, split, data_dir)
    if recipe.model == "classifier":
        return _load_classes(recipe, split, data_dir)
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


def _load_classes(recipe: Recipe, split: str, data_dir) -> tf.data.Dataset:
    """Pairs of images and labels, as many kinds of them as the recipe says."""
    images, labels = datasets.load_arrays(
        recipe.dataset, split, data_dir=data_dir, image_size=recipe.image_size
    )
    if labels is None or labels.max() >= recipe.categories:
        found = "none" if labels is None else f"labels up to {labels.max()}"
        raise ValueError(
            f"A classifier of {recipe.categories} classes takes labels from 0 to "
            f"{recipe.categories - 1}, and {recipe.dataset} has {found}; set categories."
        )
    shuffle = split == recipe.train_split
    return datasets.from_arrays(
        images, labels, recipe.batch_size, seed=recipe.seed, shuffle=shuffle
    )


def _load_labeled(recipe: Recipe, split: str, data_dir) -> tf.data.Dataset:
    """Pairs of images and labels, most of them -1 in the training split."""
    images, labels = datasets.load_arrays(
        recipe.dataset, split, data_dir=data_dir, image_size=recipe.image_size
    )
    if labels is None:
        raise ValueError(f"{recipe.dataset} has no labels to train with.")
    if split != recipe.train_split:
        return datasets.from_arrays(images, labels, recipe.batch_size, shuffle=False)
    return datasets.from_arrays(
        images,
        datasets.keep_labels(labels, recipe.labeled, recipe.seed),
        recipe.batch_size,
        seed=recipe.seed,
        labeled_per_batch=recipe.labeled_per_batch,
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
        steps: training steps in all, for the schedules.

    Raises:
        ValueError: a name that is none, or settings that the model does not have.
    """
    keras.utils.set_random_seed(recipe.seed)
    if recipe.model not in models.MODELS:
        raise ValueError(f"model is one of {', '.join(models.MODELS)}; got {recipe.model!r}.")
    make = {"gan": _gan, "infogan": _gan, "classifier": _classifier}.get(recipe.model, _autoencoder)
    model = make(recipe, image_shape, steps)

    def adam(rate, steps):
        if recipe.schedule == "cosine":
            rate = keras.optimizers.schedules.CosineDecay(rate, steps)
        if recipe.schedule == "late_cosine":
            half = steps // 2
            # Its warm-up from the rate to the rate holds it.
            rate = keras.optimizers.schedules.CosineDecay(
                rate, steps - half, warmup_target=rate, warmup_steps=half
            )
        kind = keras.optimizers.Adam if recipe.dtype is None else FusedAdam
        return kind(rate, beta_1=recipe.beta_1)

    adversary = None
    if len(model.players()) > 1:
        moves = recipe.discriminator_steps or 1
        adversary = adam(recipe.discriminator_learning_rate, moves * steps)
    # Keras' own work between steps costs up to a twentieth of a step of a GAN and more of a smaller
    # network's; with fewer steps in an epoch its progress bar would count to ten of them.
    together = max(1, min(10, steps // recipe.epochs))
    model.compile(adam(recipe.learning_rate, steps), adversary, steps_per_execution=together)
    return model


def _gan(recipe: Recipe, image_shape, steps: int) -> keras.Model:
    codes = _codes(recipe) if recipe.model == "infogan" else []
    latents = distributions.Latents(recipe.noise_dim, codes)
    if recipe.network != "conv":
        raise ValueError(f'A {recipe.model} has network = "conv", got {recipe.network!r}.')
    *filters, width = recipe.widths
    return models.MODELS[recipe.model](
        networks.ConvGenerator(
            image_shape, latents.dimension, filters[::-1], width, dtype=recipe.dtype
        ),
        networks.ConvDiscriminator(
            image_shape, filters, width, recipe.normalization, dtype=recipe.dtype
        ),
        recipe.noise_dim,
        codes,
        seed=recipe.seed,
        dtype=recipe.dtype,
        **_objective(recipe, steps),
    )


def _classifier(recipe: Recipe, image_shape, steps: int) -> keras.Model:
    if recipe.network != "conv":
        raise ValueError(f'A classifier has network = "conv", got {recipe.network!r}.')
    *filters, width = recipe.widths
    return models.Classifier(
        networks.ConvClassifier(image_shape, recipe.categories, filters, width),
        seed=recipe.seed,
        **_objective(recipe, steps),
    )


def _codes(recipe: Recipe) -> list[distributions.Code]:
    priors = {
        "categorical": distributions.Categorical,
        "uniform": distributions.Uniform,
        "normal": distributions.Normal,
    }
    codes = []
    for table in recipe.code_tables():
        own = dict(table)
        try:
            prior = priors[own.pop("prior")]
            arguments = [own.pop("categories")] if prior is distributions.Categorical else []
            codes.append(distributions.Code(prior=prior(*arguments), **own))
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"A code is a table of name, prior ({', '.join(priors)}), categories of a "
                f"categorical one, posterior, weight and min_stddev; {table} is none: {error}."
            ) from error
    return codes


def _autoencoder(recipe: Recipe, image_shape, steps: int) -> keras.Model:
    likelihood = distributions.likelihood(recipe.likelihood)
    if recipe.sigma is not None:
        likelihood = distributions.Gaussian(recipe.sigma)
    if recipe.prior not in PRIORS:
        raise ValueError(f"prior is one of {', '.join(PRIORS)}; got {recipe.prior!r}.")
    prior = PRIORS[recipe.prior](recipe)
    arguments = _objective(recipe, steps)
    if recipe.model == "aae":
        arguments["discriminator"] = _discriminators(recipe, prior)
    return models.MODELS[recipe.model](
        *_networks(recipe, image_shape, likelihood.parameters),
        prior=prior,
        likelihood=likelihood,
        seed=recipe.seed,
        **arguments,
    )


def _discriminators(recipe: Recipe, prior) -> keras.Model | dict[str, keras.Model]:
    def make(dimension):
        return networks.MLPDiscriminator(dimension, recipe.discriminator_widths)

    if isinstance(prior, distributions.CategoricalNormal):
        return {"category": make(prior.categories), "z": make(prior.dimension)}
    return make(recipe.latent_dim)


def _networks(recipe: Recipe, image_shape, parameters) -> tuple[keras.Model, keras.Model]:
    categories = recipe.categories if recipe.prior == "categorical_normal" else 0
    shared = {"image_shape": image_shape, "activation": recipe.activation}
    encoding = shared | {
        "latent_dim": recipe.latent_dim,
        "categories": categories,
        "min_stddev": None if recipe.deterministic else recipe.min_stddev,
    }
    decoding = shared | {"latent_dim": categories + recipe.latent_dim, "parameters": parameters}
    if recipe.network == "mlp":
        encoder = networks.MLPEncoder(widths=recipe.widths, **encoding)
        return encoder, networks.MLPDecoder(widths=recipe.widths[::-1], **decoding)
    *filters, width = recipe.widths
    encoder = networks.ConvEncoder(filters=filters, width=width, **encoding)
    return encoder, networks.ConvDecoder(filters=filters[::-1], width=width, **decoding)


def _objective(recipe: Recipe, steps: int) -> dict:
    """The settings of the objective, as far as the recipe has them."""
    divergence = recipe.divergence
    of_mmd = {"kernel": recipe.kernel, "estimator": recipe.estimator}
    if of_mmd := {name: value for name, value in of_mmd.items() if value is not None}:
        if divergence not in (None, "mmd"):
            raise ValueError(f"Only the MMD has a {next(iter(of_mmd))}, not a {divergence!r}.")
        divergence = divergences.MMD(**of_mmd)

    def of_epochs(epochs):
        return steps * epochs // recipe.epochs or None

    chosen = {
        "alpha": recipe.alpha,
        "lambda_": recipe.lambda_,
        "beta": recipe.beta,
        "divergence": divergence,
        "warmup_steps": of_epochs(recipe.warmup_epochs),
        "loss": recipe.adversarial_loss,
        "category_noise": recipe.category_noise,
        "augment": recipe.augment,
        "classification_weight": recipe.classification_weight,
        "consistency_weight": recipe.consistency_weight,
        "consistency": recipe.consistency,
        "consistency_radius": recipe.consistency_radius,
        "evenness_slack": recipe.evenness_slack,
        "consistency_warmup_steps": of_epochs(recipe.consistency_warmup_epochs),
        "continuous_warmup_steps": of_epochs(recipe.continuous_warmup_epochs),
    }
    chosen |= {name: getattr(recipe, name) for name in (_OF_A_GAN | _OF_CODES) - set(chosen)}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if foreign := sorted(set(chosen) - _SETTINGS[recipe.model]):
        raise ValueError(
            f"The model {recipe.model} has no setting {', '.join(foreign)}; it has "
            f"{', '.join(sorted(_SETTINGS[recipe.model])) or 'none'}."
        )
    return chosen
