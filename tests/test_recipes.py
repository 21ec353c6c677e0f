import dataclasses
import tomllib

import pytest

from keras_infomodels import models, zoo
from keras_infomodels.zoo.build import build_model
from keras_infomodels.zoo.recipes import Recipe

SHAPE = (8, 8, 1)


@pytest.mark.parametrize(
    "path", sorted(zoo.PRESETS.glob("*/recipe.toml")), ids=lambda p: p.parent.name
)
def test_build_model_makes_small_models_of_every_zoo_recipe(path):
    recipe = Recipe.load(path)
    model = build_model(recipe, (28, 28, 1), steps=10)
    assert type(model) is models.MODELS[recipe.model]
    # The limit of a pair; with a category, and discriminators included, it is a wider one.
    limit = 1500000 if isinstance(model, models.GAN) else 600000
    if isinstance(model, models.Classifier):
        limit = 500000
    elif getattr(model, "categorical", False):
        limit = 1400000
    assert model.count_params() <= limit


def test_recipe_to_toml_and_load_round_trip(tmp_path):
    recipe = Recipe("infovae", "mnist", widths=(4, 5), image_size=(8, 9), alpha=-0.5, lambda_=3.0)
    path = tmp_path / "recipe.toml"
    path.write_text(recipe.to_toml())
    assert Recipe.load(path) == recipe
    assert Recipe.load(path, epochs=2) == dataclasses.replace(recipe, epochs=2)
    assert "divergence" not in tomllib.loads(recipe.to_toml())


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('model = "vae"\n', r"lacks \['dataset'\]"),
        ('model = "vae"\ndataset = "mnist"\nlatents = 3\n', "latents"),
        ("model = \n", "no TOML"),
        ('model = "vae"\ndataset = "mnist"\nnetwork = "rnn"\n', "network is one of"),
        ('model = "vae"\ndataset = "mnist"\nepochs = 0\n', "epochs is above 0"),
        ('model = "vae"\ndataset = "mnist"\nepochs = "3"\n', "epochs is int, got '3'"),
        ('model = "vae"\ndataset = "mnist"\nwidths = 5\n', "widths is tuple"),
        ('model = "vae"\ndataset = "mnist"\nsigma = 0.1\n', "gaussian likelihood"),
        ('model = "vae"\ndataset = "mnist"\ndeterministic = 1\n', "deterministic is bool"),
        ('model = "vae"\ndataset = "mnist"\nepochs = true\n', "epochs is int"),
        ('model = "aae"\ndataset = "mnist"\nlabeled = 100\n', "belong together"),
        (
            'model = "aae"\ndataset = "mnist"\nlabeled = 100\nclassification_weight = 1.0\n'
            "patience = 3\n",
            "fixed number of epochs",
        ),
        ('model = "aae"\ndataset = "mnist"\nconsistency = "both"\n', "needs a consistency_weight"),
    ],
)
def test_recipe_load_refuses_what_makes_no_sense(tmp_path, text, what):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=what):
        Recipe.load(path)


def test_build_model_passes_the_settings_to_an_infovae():
    recipe = Recipe(
        "infovae",
        "any",
        network="conv",
        widths=(4, 8, 16),
        latent_dim=3,
        min_stddev=0.2,
        likelihood="gaussian",
        sigma=0.3,
        alpha=-1.0,
        lambda_=5.0,
        kernel="paper",
        estimator="semi_analytic",
        seed=7,
    )
    model = build_model(recipe, SHAPE, steps=100)
    assert (model.alpha, model.lambda_, model.seed, model.latent_dim) == (-1.0, 5.0, 7, 3)
    assert model.divergence.kernel == "paper"
    assert model.divergence.estimator == "semi_analytic"
    assert (model.likelihood.parameters, model.likelihood.sigma) == (("loc",), 0.3)
    assert float(model.encode([[[[0.0]] * 8] * 8]).stddev().numpy().min()) > 0.2
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-3)


def test_build_model_makes_every_model_by_name():
    for name, cls in models.MODELS.items():
        assert type(build_model(Recipe.of(name, dataset="any", widths=(4, 4)), SHAPE, 1)) is cls
    assert build_model(Recipe("beta_vae", "any", beta=2.5), SHAPE, 1).rate_weight == 2.5


def test_build_model_sets_prior_networks_and_optimizers_of_an_aae():
    recipe = Recipe(
        "aae",
        "any",
        prior="categorical_normal",
        categories=7,
        latent_dim=2,
        deterministic=True,
        discriminator_widths=(3, 4),
        discriminator_learning_rate=0.25,
        beta_1=0.5,
        schedule="constant",
        adversarial_loss="log_ratio",
        category_noise=0.1,
        classification_weight=3.0,
        consistency_weight=4.0,
        consistency="affine",
        labeled=20,
    )
    model = build_model(recipe, SHAPE, steps=100)
    assert (model.prior.categories, model.prior.dimension, model.latent_dim) == (7, 2, 9)
    assert model.deterministic
    assert [layer.units for layer in model.category_discriminator.layers[1:]] == [3, 4, 1]
    assert model.divergence.parts["z"].loss == "log_ratio"
    assert (model.category_noise, model.classification_weight) == (0.1, 3.0)
    assert (model.consistency_weight, model.consistency) == (4.0, "affine")
    rates = [float(o.learning_rate) for o in (model.optimizer, model.discriminator_optimizer)]
    assert rates == pytest.approx([1e-3, 0.25])
    assert model.discriminator_optimizer.beta_1 == model.optimizer.beta_1 == 0.5


def test_build_model_makes_an_infogan_as_its_recipe_says(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(
        """
        model = "infogan"
        dataset = "any"
        widths = [3, 4, 5]
        noise_dim = 6
        codes = [
            { name = "digit", prior = "categorical", categories = 7 },
            { name = "slant", prior = "uniform", weight = 0.5, min_stddev = 0.25 },
        ]
        posterior = "separate"
        information_weight = 2.0
        stratified = true
        fake_consistency_weight = 3.0
        real_consistency_weight = 4.0
        consistency = "both"
        consistency_warmup_epochs = 2
        continuous_warmup_epochs = 5
        objective = "hinge"
        r1 = 0.5
        update = "alternating"
        discriminator_steps = 2
        normalization = "spectral"
        epochs = 10
        """
    )
    recipe = Recipe.load(path)
    path.write_text(recipe.to_toml())
    assert Recipe.load(path) == recipe
    model = build_model(recipe, SHAPE, steps=100)
    config = model.get_config()
    expected = {
        "noise_dim": 6,
        "posterior": "separate",
        "information_weight": 2.0,
        "stratified": True,
        "fake_consistency_weight": 3.0,
        "real_consistency_weight": 4.0,
        "consistency": "both",
        "consistency_warmup_steps": 20,
        "continuous_warmup_steps": 50,
        "objective": "hinge",
        "r1": 0.5,
        "update": "alternating",
        "discriminator_steps": 2,
    }
    assert {name: config[name] for name in expected} == expected
    assert model.discriminator.get_config()["normalization"] == "spectral"
    assert model.discriminator.get_config()["filters"] == [3, 4]
    assert model.generator.get_config()["filters"] == [4, 3]
    slant = model.latents.codes["slant"]
    assert (slant.weight, slant.min_stddev, slant.posterior) == (0.5, 0.25, "beta")
    assert model.latents.codes["digit"].prior.categories == 7
    rates = [float(o.learning_rate) for o in (model.optimizer, model.discriminator_optimizer)]
    assert rates == pytest.approx([1e-3, 2e-4])


def test_build_model_sets_every_weight_of_an_aae():
    settings = {
        "category_noise": 0.7,
        "classification_weight": 2.0,
        "consistency_weight": 3.0,
        "consistency": "both",
        "consistency_radius": 1.5,
        "evenness_slack": 0.2,
        "lambda_": 4.0,
    }
    recipe = Recipe(
        "aae",
        "any",
        prior="categorical_normal",
        categories=5,
        labeled=100,
        adversarial_loss="log_ratio",
        consistency_warmup_epochs=2,
        epochs=10,
        **settings,
    )
    config = build_model(recipe, SHAPE, steps=100).get_config()
    expected = settings | {"loss": "log_ratio", "consistency_warmup_steps": 20}
    assert {name: config[name] for name in expected} == expected


def test_build_model_late_cosine_holds_the_rate_for_half_the_run():
    recipe = Recipe("vae", "any", schedule="late_cosine", learning_rate=0.5)
    rate = build_model(recipe, SHAPE, steps=101).optimizer._learning_rate
    rates = [float(rate(step)) for step in (0, 20, 50, 63, 75, 101)]
    assert rates[:3] == [0.5, 0.5, 0.5]
    assert rates[5] == pytest.approx(0, abs=1e-6)
    assert rates[3] > 0.4 > rates[4] > 0.2


def test_build_model_counts_warmup_epochs_in_steps():
    recipe = Recipe("beta_vae", "any", beta=1.0, epochs=20, warmup_epochs=5)
    assert build_model(recipe, SHAPE, steps=600).warmup_steps == 150


@pytest.mark.parametrize("prior", ["gaussian_mixture", "swiss_roll"])
def test_build_model_with_gaussian_mixture_or_swiss_roll_generates(prior):
    model = build_model(Recipe("aae", "any", prior=prior, latent_dim=2), SHAPE, 1)
    assert model.generate(3, seed=0).shape == (3, 8, 8, 1)


def test_build_model_seed_sets_the_initial_weights():
    a, b, c = (build_model(Recipe("vae", "any", seed=s), SHAPE, 1).get_weights() for s in (1, 1, 2))
    assert (a[0] == b[0]).all()
    assert (a[0] != c[0]).any()


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"model": "vae", "alpha": 1.0}, "has no setting alpha"),
        ({"model": "mmd_vae", "alpha": 1.0}, "has no setting alpha"),
        ({"model": "vae", "kernel": "paper"}, "has no setting divergence"),
        ({"model": "no"}, "model is one of vae"),
        ({"model": "gan", "network": "mlp"}, 'network = "conv"'),
        ({"model": "gan", "network": "conv", "stratified": True}, "has no setting stratified"),
        ({"model": "vae", "r1": 1.0}, "has no setting r1"),
        (
            {"model": "infogan", "network": "conv", "codes": ({"name": "a", "prior": "b"},)},
            "A code is a table",
        ),
        ({"model": "aae", "divergence": "mmd"}, "has no setting divergence; it has category_noise"),
        ({"model": "infovae", "beta": 2.0}, "has no setting beta"),
        ({"model": "vae", "likelihood": "poisson"}, "likelihood is one of"),
        ({"model": "vae", "weight_average": 0.9, "patience": 3}, "take one"),
        ({"model": "vae", "prior": "cauchy"}, "prior is one of standard_normal"),
        ({"model": "vae", "prior": "swiss_roll", "latent_dim": 3}, "event shape"),
        ({"model": "vae", "deterministic": True}, "has no rate"),
        ({"model": "vae", "consistency_weight": 1.0}, "has no setting consistency_weight"),
        ({"model": "aae", "consistency_weight": 1.0}, "take a CategoricalNormal"),
        ({"model": "vae", "network": "conv", "widths": (3,)}, "filters and, last"),
    ],
)
def test_build_model_refuses_settings_the_model_does_not_have(settings, what):
    with pytest.raises(ValueError, match=what):
        build_model(Recipe(**{"dataset": "any", **settings}), SHAPE, 1)


def test_build_model_of_infogan_paper_mnist_has_the_additions_off():
    recipe = Recipe.load(zoo.PRESETS / "infogan_paper_mnist" / "recipe.toml")
    model = build_model(recipe, (28, 28, 1), 10)
    off = ("real_consistency_weight", "fake_consistency_weight", "classification_weight")
    off += ("consistency_warmup_steps", "continuous_warmup_steps", "stratified", "r1")
    assert {name: getattr(model, name) for name in off if getattr(model, name)} == {}
    assert (recipe.starts, recipe.weight_average, recipe.label_smoothing) == (1, None, None)
    codes = model.latents.codes.values()
    assert [type(code.prior).__name__ for code in codes] == ["Categorical", "Uniform", "Uniform"]
    assert model.latents.noise_dim == 62
    assert (model.objective, model.posterior) == ("non_saturating", "shared")
    assert recipe.schedule == "late_cosine"  # the one addition that it has, as its section says
