import tomllib

import pytest

from keras_infomodels import models, zoo
from keras_infomodels.zoo.build import build_model
from keras_infomodels.zoo.recipes import Recipe, differences

SHAPE = (8, 8, 1)


@pytest.mark.parametrize(
    "path", sorted(zoo.PRESETS.glob("*/recipe.toml")), ids=lambda p: p.parent.name
)
def test_build_model_makes_small_models_of_every_zoo_recipe(path):
    recipe = Recipe.load(path)
    model = build_model(recipe, (28, 28, 1), steps=10)
    assert type(model) is recipe.model_class
    # The limit of a pair; with a category, and discriminators included, it is a wider one.
    limit = 1500000 if isinstance(model, models.GAN) else 600000
    if isinstance(model, models.Classifier):
        limit = 500000
    elif getattr(model, "categorical", False):
        limit = 1400000
    elif getattr(model, "latent_dim", 0) > 32:  # photographs: dense layers to 64 latent variables
        limit = 750000
    assert model.count_params() <= limit


NESTED = """
[data]
name = "mnist"

[model]
class = "InfoVAE"
alpha = -0.5
lambda_ = 3.0

[model.encoder]
widths = [4, 5]
min_stddev = "none"

[training]
epochs = 9
optimizer = { learning_rate = 0.01 }
"""


def test_recipe_load_reads_tables_and_writes_them_again(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(NESTED)
    recipe = Recipe.load(path)
    assert (recipe.data.name, recipe.training.epochs) == ("mnist", 9)
    assert recipe.training.optimizer == {"learning_rate": 0.01, "beta_1": 0.9}
    table = recipe.completed(SHAPE)
    assert table["encoder"]["widths"] == [4, 5]
    assert table["decoder"]["widths"] == [5, 4]
    assert table["decoder"]["image_shape"] == [8, 8, 1]
    path.write_text(recipe.to_toml())
    assert Recipe.load(path) == recipe
    # What has no meaning for this model is not there.
    written = tomllib.loads(recipe.to_toml())
    assert set(written) == {"data", "model", "training"}
    assert set(written["data"]) == {"name", "train", "validation", "test"}
    assert set(written["model"]) == {"class", "alpha", "lambda_", "encoder"}
    assert set(written["training"]) == {"epochs", "batch_size", "seed", "schedule", "optimizer"}


def test_recipe_of_and_change_take_short_names(tmp_path):
    recipe = Recipe.of(
        "infovae", dataset="mnist", widths=(4, 5), image_size=(8, 9), alpha=-0.5, lambda_=3.0
    )
    path = tmp_path / "recipe.toml"
    path.write_text(recipe.to_toml())
    assert Recipe.load(path) == recipe
    changed = Recipe.load(path, epochs=2)
    assert changed == recipe.change(epochs=2) == recipe.put({"training.epochs": 2})
    assert differences(changed, recipe) == ["training.epochs"]
    conv = recipe.change(network="conv", widths=(3, 4, 8)).completed(SHAPE)
    assert (conv["encoder"]["filters"], conv["encoder"]["width"]) == ([3, 4], 8)
    assert (conv["decoder"]["class"], conv["decoder"]["filters"]) == ("ConvDecoder", [4, 3])
    assert "divergence" not in recipe.model
    assert recipe.change(alpha=None).model == recipe.put({"model.alpha": None}).model
    other = recipe.change(model="beta_vae", alpha=None, lambda_=None)
    assert other.model_class is models.BetaVAE


FLAT = 'model = "infogan"\ndataset = "mnist"\nwidths = [3, 4, 8]\nlatent_dim = 10\ncategories = 6\n'


def test_recipe_load_reads_a_flat_file_of_version_0_1_with_a_warning(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(FLAT + 'consistency_warmup_epochs = 0\nstarts = 2\nprior = "swiss_roll"\n')
    with pytest.warns(DeprecationWarning, match="recipe of version 0.1"):
        recipe = Recipe.load(path)
    assert recipe == Recipe.of(
        "infogan", dataset="mnist", widths=[3, 4, 8], num_categories=6, starts=2
    )
    path.write_text(FLAT + "stratfied = true\n")
    with (
        pytest.warns(DeprecationWarning, match="recipe of version 0.1"),
        pytest.raises(ValueError, match=r"no setting 'stratfied'; did you mean 'stratified'\?"),
    ):
        Recipe.load(path)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("[model]\n", "There is no model None"),
        ('[model]\nclass = "VAE"\n', "data.name: field required"),
        ('[model]\nclass = "VEA"\n', "no model 'VEA'; did you mean 'vae'"),
        ("[modle]\n", "no model None"),
        ("model = \n", "no TOML"),
        (NESTED + "epoch = 3\n", r"training has no setting 'epoch'; did you mean 'epochs'\?"),
        (NESTED.replace("alpha", "alhpa"), r"model \(InfoVAE\) has no setting 'alhpa'; did you"),
        (NESTED.replace("widths", "width"), r"model.encoder \(MLPEncoder\).*did you mean 'widths'"),
        (NESTED.replace("[model.encoder]", '[model.encoder]\nclass = "os.system"'), "is no class"),
        (NESTED.replace("epochs = 9", "epochs = 0"), "training.epochs: input should be greater"),
        (NESTED.replace("epochs = 9", 'epochs = "3"'), "training.epochs: .*valid integer, got '3'"),
        (NESTED.replace("epochs = 9", "epochs = true"), "training.epochs: .*valid integer"),
        (NESTED.replace("[4, 5]", "5"), "model.encoder.widths: .*got 5"),
        (NESTED.replace("widths = [4, 5]", 'latent_dim = "ten"'), "model.encoder.latent_dim|wrong"),
        (NESTED.replace("-0.5", '"low"'), "model.alpha: .*number, got 'low'"),
        (NESTED + 'schedule = "step"\n', "training.schedule: .*'cosine'"),
        (NESTED.replace('name = "mnist"', 'name = "mnist"\nlabeled = 10'), "belong together"),
        (NESTED + "weight_average = 0.9\npatience = 3\n", "use only one"),
        (NESTED + "starts = 2\n", "this model has none"),
        (NESTED + "[meanings]\nc3 = 'nothing'\n", r"meanings name \['c3'\]"),
    ],
)
def test_recipe_load_refuses_what_makes_no_sense(tmp_path, change, what):
    path = tmp_path / "recipe.toml"
    path.write_text(change)
    with pytest.raises(ValueError, match=what):
        Recipe.load(path)


def test_recipe_load_refuses_labels_that_a_schedule_watches():
    settings = {"dataset": "mnist", "labeled": 100, "classification_weight": 1.0}
    with pytest.raises(ValueError, match="fixed number of epochs"):
        Recipe.of("aae", prior="categorical_normal", patience=3, **settings)


def test_build_model_passes_the_settings_to_an_infovae():
    recipe = Recipe.of(
        "infovae",
        dataset="any",
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


def test_recipe_of_takes_arguments_of_the_constructor_by_name():
    recipe = Recipe.of("dip_vae", dataset="any", dip_type="i", lambda_od=3.0)
    assert recipe.model == {"class": "DIPVAE", "dip_type": "i", "lambda_od": 3.0}
    assert recipe.change(lambda_od=None).model == {"class": "DIPVAE", "dip_type": "i"}
    with pytest.raises(ValueError, match="no setting 'lambda_odd'; did you mean 'lambda_od'"):
        Recipe.of("dip_vae", dataset="any", lambda_odd=3.0)


def test_build_model_makes_every_model_by_name():
    for name, cls in models.MODELS.items():
        assert type(build_model(Recipe.of(name, dataset="any", widths=(4, 4)), SHAPE, 1)) is cls
    assert build_model(Recipe.of("beta_vae", dataset="any", beta=2.5), SHAPE, 1).rate_weight == 2.5


def test_recipe_takes_categories_with_the_latent_dim_of_0_1():
    """There `latent_dim` counts the continuous variables."""
    shared = {"model": "aae", "dataset": "any", "prior": "categorical_normal"}
    new = Recipe.of(**shared, num_categories=7, continuous_dim=2)
    with pytest.warns(DeprecationWarning, match="write num_categories=7, continuous_dim=2"):
        assert Recipe.of(**shared, categories=7, latent_dim=2) == new
    encoder = Recipe.of(**shared, num_categories=7, latent_dim=9).completed(SHAPE)["encoder"]
    assert encoder == new.completed(SHAPE)["encoder"]
    assert (encoder["latent_dim"], encoder["num_categories"]) == (9, 7)
    with pytest.raises(ValueError, match="1 continuous variable"):
        build_model(Recipe.of(**shared, num_categories=7, latent_dim=7), SHAPE, 1)


def test_build_model_sets_prior_networks_and_optimizers_of_an_aae():
    recipe = Recipe.of(
        "aae",
        dataset="any",
        prior="categorical_normal",
        num_categories=7,
        latent_dim=9,
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
    assert (model.prior.num_categories, model.prior.continuous_dim, model.latent_dim) == (7, 2, 9)
    assert model.deterministic
    assert [layer.units for layer in model.category_discriminator.layers[1:]] == [3, 4, 1]
    assert model.divergence.parts["z"].loss == "log_ratio"
    assert (model.category_noise, model.classification.weight) == (0.1, 3.0)
    assert (model.consistency.weight, model.consistency.augmentations) == (4.0, "affine")
    rates = [float(o.learning_rate) for o in (model.optimizer, model.discriminator_optimizer)]
    assert rates == pytest.approx([1e-3, 0.25])
    assert model.discriminator_optimizer.beta_1 == model.optimizer.beta_1 == 0.5


def test_build_model_makes_an_infogan_as_its_recipe_says(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(
        """
        data = { name = "any" }
        training = { epochs = 10 }

        [model]
        class = "InfoGAN"
        noise_dim = 6
        posterior = "separate"
        information_weight = 2.0
        stratified = true
        fake_consistency_weight = 3.0
        consistency = { weight = 4.0, augmentations = "both", warmup = { epochs = 2 } }
        continuous_warmup = { epochs = 5 }
        objective = "hinge"
        r1 = 0.5
        update = "alternating"
        discriminator_steps = 2
        discriminator = { filters = [3, 4], width = 5, normalization = "spectral" }

        [[model.codes]]
        name = "digit"
        prior = { class = "Categorical", num_categories = 7 }

        [[model.codes]]
        name = "slant"
        prior = { class = "Uniform" }
        weight = 0.5
        min_stddev = 0.25
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
        "continuous_warmup": 50,
        "objective": "hinge",
        "r1": 0.5,
        "update": "alternating",
        "discriminator_steps": 2,
    }
    assert {name: config[name] for name in expected} == expected
    own = {
        "weight": 4.0,
        "augmentations": "both",
        "radius": 1.0,
        "balance_tolerance": 0.0,
        "warmup": 20,
    }
    assert model.consistency.get_config() == own
    assert model.discriminator.get_config()["normalization"] == "spectral"
    assert model.discriminator.get_config()["filters"] == [3, 4]
    assert model.generator.get_config()["filters"] == [4, 3]
    slant = model.latents.codes["slant"]
    assert (slant.weight, slant.min_stddev, slant.posterior) == (0.5, 0.25, "beta")
    assert model.latents.codes["digit"].prior.num_categories == 7
    rates = [float(o.learning_rate) for o in (model.optimizer, model.discriminator_optimizer)]
    assert rates == pytest.approx([1e-3, 2e-4])


def test_build_model_sets_every_weight_of_an_aae():
    settings = {
        "category_noise": 0.7,
        "classification_weight": 2.0,
        "consistency_weight": 3.0,
        "consistency": "both",
        "consistency_radius": 1.5,
        "balance_tolerance": 0.2,
        "lambda_": 4.0,
    }
    recipe = Recipe.of(
        "aae",
        dataset="any",
        prior="categorical_normal",
        num_categories=5,
        labeled=100,
        adversarial_loss="log_ratio",
        consistency_warmup_epochs=2,
        epochs=10,
        **settings,
    )
    config = build_model(recipe, SHAPE, steps=100).get_config()
    assert (config["loss"], config["category_noise"], config["lambda_"]) == ("log_ratio", 0.7, 4.0)
    assert config["classification"]["config"] == {"weight": 2.0}
    own = {
        "weight": 3.0,
        "augmentations": "both",
        "radius": 1.5,
        "balance_tolerance": 0.2,
        "warmup": 20,
    }
    assert config["consistency"]["config"] == own


def test_build_model_late_cosine_holds_the_rate_for_half_the_run():
    recipe = Recipe.of("vae", dataset="any", schedule="late_cosine", learning_rate=0.5)
    rate = build_model(recipe, SHAPE, steps=101).optimizer._learning_rate
    rates = [float(rate(step)) for step in (0, 20, 50, 63, 75, 101)]
    assert rates[:3] == [0.5, 0.5, 0.5]
    assert rates[5] == pytest.approx(0, abs=1e-6)
    assert rates[3] > 0.4 > rates[4] > 0.2


def test_build_model_counts_warmup_epochs_in_steps():
    recipe = Recipe.of("beta_vae", dataset="any", beta=1.0, epochs=20, warmup_epochs=5)
    assert build_model(recipe, SHAPE, steps=600).warmup.steps == 150


@pytest.mark.parametrize("prior", ["gaussian_mixture", "swiss_roll"])
def test_build_model_with_gaussian_mixture_or_swiss_roll_generates(prior):
    model = build_model(Recipe.of("aae", dataset="any", prior=prior, latent_dim=2), SHAPE, 1)
    assert model.generate(3, seed=0).shape == (3, 8, 8, 1)


def test_build_model_seed_sets_the_initial_weights():
    recipe = Recipe.of("vae", dataset="any")
    a, b, c = (build_model(recipe.change(seed=s), SHAPE, 1).get_weights() for s in (1, 1, 2))
    assert (a[0] == b[0]).all()
    assert (a[0] != c[0]).any()


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"model": "vae", "alpha": 1.0}, r"model \(VAE\) has no setting 'alpha'"),
        ({"model": "mmd_vae", "alpha": 1.0}, "has no setting 'alpha'"),
        ({"model": "vae", "kernel": "paper"}, "has no setting 'divergence'"),
        ({"model": "no"}, "no model 'no'; there are: aae"),
        ({"model": "gan", "network": "mlp"}, 'network = "conv"'),
        ({"model": "gan", "stratified": True}, "has no setting 'stratified'"),
        ({"model": "vae", "r1": 1.0}, "has no setting 'r1'"),
        ({"model": "gan", "latent_dim": 3}, "has no setting 'latent_dim'"),
        ({"model": "infogan", "codes": ({"name": "a", "prior": "b"},)}, "A code is a table"),
        ({"model": "aae", "divergence": "mmd"}, "has no setting 'divergence'"),
        ({"model": "infovae", "beta": 2.0}, "has no setting 'beta'"),
        ({"model": "infovae", "kernel": "paper", "divergence": "stein"}, "kernel is .* of MMD"),
        ({"model": "vae", "likelihood": "poisson"}, "likelihood is one of"),
        ({"model": "vae", "sigma": 0.1}, "sigma is a setting of Gaussian only"),
        ({"model": "vae", "weight_average": 0.9, "patience": 3}, "use only one"),
        ({"model": "vae", "prior": "cauchy"}, "prior is one of standard_normal"),
        ({"model": "vae", "prior": "swiss_roll", "latent_dim": 3}, "event shape"),
        ({"model": "vae", "deterministic": True}, "has no rate"),
        ({"model": "vae", "consistency_weight": 1.0}, "has no setting 'consistency'"),
        ({"model": "aae", "consistency_weight": 1.0}, "take a CategoricalNormal"),
        ({"model": "vae", "network": "conv", "widths": (3,)}, "filters and, last"),
        ({"model": "vae", "dtype": "bfloat"}, "no setting 'dtype'"),
    ],
)
def test_build_model_refuses_settings_the_model_does_not_have(settings, what):
    with pytest.raises(ValueError, match=what):
        build_model(Recipe.of(**{"dataset": "any", **settings}), SHAPE, 1)


@pytest.mark.parametrize(
    ("optimizer", "what"),
    [
        ({"class": "Adm"}, r"no optimizer 'Adm'; did you mean 'Adam'\?"),
        ({"beta_3": 1.0}, "optimizer Adam do not fit"),
    ],
)
def test_build_model_refuses_an_optimizer_that_is_none(optimizer, what):
    recipe = Recipe.of("vae", dataset="any").put({"training.optimizer": optimizer})
    with pytest.raises(ValueError, match=what):
        build_model(recipe, SHAPE, 1)


def test_build_model_takes_another_optimizer_with_its_arguments():
    recipe = Recipe.of("vae", dataset="any", schedule="constant")
    table = {"class": "SGD", "learning_rate": 0.25, "momentum": 0.5}
    optimizer = build_model(recipe.put({"training.optimizer": table}), SHAPE, 1).optimizer
    assert (type(optimizer).__name__, optimizer.momentum) == ("SGD", 0.5)
    assert float(optimizer.learning_rate) == 0.25


def test_build_model_of_infogan_paper_mnist_has_the_additions_off():
    recipe = Recipe.load(zoo.PRESETS / "infogan_paper_mnist" / "recipe.toml")
    model = build_model(recipe, (28, 28, 1), 10)
    off = ("consistency", "fake_consistency_weight", "classification", "stratified", "r1")
    assert {name: getattr(model, name) for name in off if getattr(model, name)} == {}
    assert model.continuous_warmup.steps == 0
    assert (recipe.training.starts, recipe.training.weight_average) == (1, None)
    assert "label_smoothing" not in recipe.model
    codes = model.latents.codes.values()
    assert [type(code.prior).__name__ for code in codes] == ["Categorical", "Uniform", "Uniform"]
    assert model.latents.noise_dim == 62
    assert (model.objective, model.posterior) == ("non_saturating", "shared")
    assert recipe.training.schedule == "late_cosine"  # the one addition, as its section says


def test_recipe_says_whether_xla_compiles_the_step():
    recipe = Recipe.of("vae", dataset="mnist")
    assert "jit_compile" not in recipe.to_toml()
    compiled = recipe.change(jit_compile=True)
    assert Recipe.parse(compiled.to_toml(), "recipe.toml") == compiled != recipe
    for each, expected in ((recipe, False), (compiled, True)):
        assert build_model(each, (8, 8, 1), 10).jit_compile is expected
