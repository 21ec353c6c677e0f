"""Writes what every later version must load: python tests/make_fixtures.py NAME.

NAME is that of a tiny preset, or the version in pyproject.toml without its last number, such as
v0.1: a folder of what else that version writes. What is there already is never written again: it
stands for the files that people have.
"""

import contextlib
import importlib.metadata
import json
import shutil
import sys
import tempfile
from pathlib import Path
from unittest import mock

import keras
import numpy as np

import keras_infomodels
from keras_infomodels import export, models, networks, optimizers, presets
from keras_infomodels.callbacks import AtomicBackup
from keras_infomodels.distributions import (
    Categorical,
    CategoricalNormal,
    Code,
    Latents,
    Normal,
    Uniform,
)
from keras_infomodels.export.contents import Contents
from keras_infomodels.export.inputs import draw_inputs
from keras_infomodels.zoo.build import build_model, load_split
from keras_infomodels.zoo.recipes import Recipe
from keras_infomodels.zoo.training import train

FIXTURES = Path(__file__).parent / "fixtures"
PRESETS = FIXTURES / "presets"
SHAPE = (6, 6, 1)
X = np.linspace(0, 1, 72, dtype=np.float32).reshape(2, *SHAPE)
VERSION = "v" + keras_infomodels.__version__.rpartition(".")[0]
CODES = [Code("digit", Categorical(3)), Code("a", Uniform()), Code("b", Normal())]


def make(name: str):
    folder = (FIXTURES if name == VERSION else PRESETS) / name
    if folder.exists():
        raise SystemExit(f"{folder} exists; it is not written again.")
    if name == VERSION:
        return make_formats(folder)
    keras.utils.set_random_seed(0)
    model = build(name)
    model.save_to_preset(folder)
    np.savez(folder / "expected.npz", **answers(model, X, latents_of(model)))


def build(name: str, **settings) -> keras.Model:
    """A tiny model of a class, or the AAE with a category."""
    if name in ("gan", "infogan"):
        codes = CODES if name == "infogan" else []
        dimension = Latents(2, codes).dimension
        normalization = settings.pop("normalization", "batch")
        return models.MODELS[name](
            networks.ConvGenerator(SHAPE, dimension, (3, 2), 4, name="generator"),
            networks.ConvDiscriminator(SHAPE, (2, 3), 4, normalization, name="discriminator"),
            2,
            codes,
            name=name,
            **settings,
        )
    if name == "classifier":
        network = networks.ConvClassifier(SHAPE, 3, (2, 3), 4, name="network")
        return models.Classifier(network, name=name, **settings)
    categories = 3 if name.endswith("_with_category") else 0
    encoder = networks.ConvEncoder(
        SHAPE, 2 + categories, filters=(2, 3), width=4, num_categories=categories, name="encoder"
    )
    decoder = networks.MLPDecoder(SHAPE, 2 + categories, widths=(4,), name="decoder")
    return models.MODELS[name.removesuffix("_with_category")](
        encoder,
        decoder,
        prior=CategoricalNormal(categories, 2) if categories else None,
        likelihood="bernoulli_stochastic",
        name=name,
        **settings,
    )


def latents_of(model: keras.Model) -> np.ndarray | None:
    """Two latents of a GAN; None of another model."""
    if not isinstance(model, models.GAN):
        return None
    dimension = model.latents.dimension
    return np.linspace(-1, 1, 2 * dimension, dtype=np.float32).reshape(2, dimension)


def answers(model: keras.Model, x: np.ndarray, latents: np.ndarray | None) -> dict:
    """The inputs, and what the model makes of them by its own methods."""
    if isinstance(model, models.GAN):
        logits = model.discriminate(x, False)["logits"]
        found = {"latents": latents, "images": model(latents), "logits": logits}
        if model.latents.codes:
            found |= {name: q.mean() for name, q in model.infer_codes(x).items()}
    elif isinstance(model, models.Classifier):
        found = {"probabilities": model(x).numpy(), "features": model.features(x)}
    else:
        q = model.encode(x)
        found = {"reconstruction": model(x)}
        found["loc"] = q["z"].mean() if model.categorical else q.mean()
    return {"x": x, **found}


# What else a version writes


def make_formats(folder: Path):
    """Everything but presets that this version writes, and what comes of reading it.

    keras/        a compiled, trained `.keras` file of each class, NAME.npz what it answers
    recipes/      recipes, NAME.json what each builds
    run/          a run that was broken off after two of four epochs, run.npz its end
    saved_model/  a SavedModel with all its signatures, saved_model.npz what it answers
    model.tflite  with any number of examples, tflite.npz what it answers
    """
    packages = ("keras", "tensorflow", "tensorflow-probability", "numpy", "h5py")
    versions = {name: importlib.metadata.version(name) for name in packages}
    folder.mkdir()
    versions = {"keras-infomodels": keras_infomodels.__version__, **versions}
    (folder / "VERSIONS.json").write_text(json.dumps(versions, indent=1) + "\n")
    for name in sorted(path.name for path in PRESETS.iterdir()):
        write_keras_file(name, folder / "keras")
    for name, text in recipes().items():
        write_recipe(text, folder / "recipes" / f"{name}.toml")
    write_run(folder / "run")
    write_exports(folder)


def trained_of(name: str) -> dict:
    """Settings of each class other than its defaults, with small networks beside the model."""
    small = {part: networks.MLPDiscriminator(d, (4,)) for part, d in (("category", 3), ("z", 2))}
    sizes = {code.name: code.parameters for code in CODES}
    return {
        "beta_vae": {"beta": 2.0, "warmup_steps": 5},
        "infovae": {"alpha": 0.5, "lambda_": 10.0, "divergence": "stein"},
        "dip_vae": {"dip_type": "i", "lambda_od": 5.0},
        "aae": {"discriminator": small["z"], "lambda_": 2.0},
        "aae_with_category": {
            "discriminator": small,
            "classification_weight": 2.0,
            "consistency_weight": 1.0,
            "consistency": "both",
            "consistency_warmup_steps": 5,
        },
        "gan": {"objective": "hinge", "update": "alternating", "normalization": "spectral"},
        "infogan": {
            "recognition": networks.RecognitionHead(4, sizes, 4, name="recognition"),
            "stratified": True,
            "fake_consistency_weight": 1.0,
            "real_consistency_weight": 1.0,
            "consistency": "both",
            "continuous_warmup_steps": 5,
            "classification_weight": 1.0,
        },
        "classifier": {"augment": True},
    }.get(name, {})


def write_keras_file(name: str, folder: Path):
    folder.mkdir(exist_ok=True)
    keras.utils.set_random_seed(0)
    model = build(name, **trained_of(name))
    both = (
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-2, 50)),
        optimizers.FusedAdam(1e-3, beta_1=0.5),
    )
    model.compile(*both[: len(model.optimizer_groups())], steps_per_execution=2)
    x = np.random.default_rng(0).uniform(size=(24, *SHAPE)).astype(np.float32)
    model.fit(x, np.arange(24) % 3, batch_size=6, epochs=2, verbose=0)
    model.save(folder / f"{name}.keras")
    np.savez(folder / f"{name}.npz", **answers(model, X, latents_of(model)), **moments(model))


def moments(model: keras.Model) -> dict[str, np.ndarray]:
    """Steps of each optimizer, and the sum of each of its variables' absolute values."""
    own = [getattr(model, group.optimizer_name) for group in model.optimizer_groups()]
    sums = [np.abs(np.asarray(v, float)).sum() for each in own for v in each.variables]
    return {"iterations": np.array([int(each.iterations) for each in own]), "moments": sums}


BY_HAND = """# As people write it: what is left out is as by default.
model = "infogan"
dataset = "mnist_mini"
train_split = "test[:80%]"
validation_split = "test[80%:90%]"
test_split = "test[90%:]"
noise_dim = 20
widths = [8, 16, 24]
codes = [
    { name = "digit", prior = "categorical", categories = 10 },
    { name = "c1", prior = "uniform", weight = 0.1, min_stddev = 0.1 },
]
stratified = true
labeled = 20
labeled_per_batch = 10
classification_weight = 1

[meanings]
digit = "the digit of that number"
c1 = 'slant, "from left to right"'
"""


def recipes() -> dict[str, str]:
    """Recipes as runs write them, settings of all kinds among them, and as people do."""
    mini = {
        "dataset": "fashion_mnist_mini",
        "train_split": "train[:200]",
        "validation_split": "train[200:240]",
        "test_split": "test[:40]",
        "image_size": (8, 8),
        "batch_size": 20,
        "epochs": 4,
    }
    dense = mini | {"widths": (8,), "latent_dim": 2}
    convolutional = mini | {"network": "conv", "widths": (2, 3, 4)}
    digits = {
        "dataset": "mnist_mini",
        "train_split": "test[:80]",
        "validation_split": "test[80:90]",
        "test_split": "test[90:]",
    }
    category = {"name": "kind", "prior": "categorical", "categories": 10, "weight": 2.0}
    codes = (
        category,
        {"name": "c1", "prior": "uniform", "posterior": "gaussian", "min_stddev": 0.1},
        {"name": "c2", "prior": "normal", "weight": 0.5},
    )
    written = {
        "vae": dense | {"likelihood": "gaussian", "sigma": 0.1, "schedule": "constant"},
        "beta_vae": convolutional
        | {"latent_dim": 3, "beta": 2.0, "warmup_epochs": 2, "likelihood": "continuous_bernoulli"},
        "infovae": dense
        | {"alpha": 0.5, "lambda_": 20.0, "divergence": "stein"}
        | {"patience": 2, "schedule": "plateau", "activation": "relu", "seed": 3},
        "mmd_vae": dense
        | digits
        | {"lambda_": 50.0, "kernel": "gaussian", "estimator": "biased"}
        | {"min_stddev": 0.05, "weight_average": 0.9, "description": 'Grey "digits", 8 × 8.'},
        "aae": dense
        | {"prior": "gaussian_mixture", "deterministic": True, "adversarial_loss": "saturating"}
        | {"discriminator_widths": (4,), "discriminator_learning_rate": 2e-3, "beta_1": 0.5},
        "aae_semisupervised": dense
        | {"model": "aae", "prior": "categorical_normal", "category_noise": 0.2}
        | {"labeled": 20, "labeled_per_batch": 5, "classification_weight": 5.0}
        | {"consistency_weight": 2.0, "consistency": "both", "consistency_radius": 0.5}
        | {"evenness_slack": 0.1, "consistency_warmup_epochs": 2, "lambda_": 3.0},
        "gan": convolutional
        | {"noise_dim": 3, "objective": "hinge", "r1": 1.0, "normalization": "spectral"}
        | {"update": "alternating", "discriminator_steps": 2},
        "infogan": convolutional
        | {"noise_dim": 3, "codes": codes, "posterior": "shared", "information_weight": 0.5}
        | {"stratified": True, "fake_consistency_weight": 1.0, "real_consistency_weight": 2.0}
        | {"consistency": "both", "consistency_warmup_epochs": 1, "continuous_warmup_epochs": 2}
        | {"dtype": "mixed_bfloat16", "weight_average": 0.9, "starts": 2, "start_epochs": 1}
        | {"label_smoothing": 0.1, "meanings": {"kind": "the garment", "c2": "sleeves"}},
        "classifier": convolutional | {"augment": True, "learning_rate": 3e-3},
    }
    found = {
        name: Recipe.of(**{"model": name} | values).to_toml() for name, values in written.items()
    }
    found |= {
        f"shortest_{model}": f'model = "{model}"\ndataset = "fashion_mnist_mini"\n'
        for model in ("vae", "aae", "infogan", "classifier")
    }
    return found | {"by_hand": BY_HAND}


def write_recipe(text: str, path: Path):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    keras.backend.clear_session()  # names begin with no number
    _, facts = effects(Recipe.load(path))
    path.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")


def effects(recipe: Recipe) -> tuple[keras.Model, dict]:
    """The compiled model of a recipe, and JSON of what it is and what it is trained on."""
    training = load_split(recipe, recipe.data.train, None)
    shapes = [list(spec.shape) for spec in keras.tree.flatten(training.element_spec)]
    model = build_model(recipe, tuple(shapes[0][1:]), recipe.training.epochs * len(training))
    facts = {
        "class_name": type(model).__name__,
        "config": model.get_config(),
        "compile_config": model.get_compile_config(),
        "training": {
            "steps_per_epoch": len(training),
            "shapes": shapes,
            "epochs": recipe.training.epochs,
            "seed": recipe.training.seed,
        },
    }
    return model, json.loads(json.dumps(facts))


def write_run(out: Path):
    """As `infomodels train` leaves it when it is interrupted after the second epoch."""
    recipe = Recipe.of(
        "mmd_vae",
        dataset="mnist_mini",
        train_split="test[:60]",
        validation_split="test[60:80]",
        test_split="test[80:]",
        image_size=(8, 8),
        widths=(8,),
        latent_dim=3,
        lambda_=10.0,
        estimator="semi_analytic",
        batch_size=30,
        epochs=4,
        learning_rate=1e-2,
        schedule="plateau",
        patience=3,
    )
    save = AtomicBackup.on_epoch_end

    def break_off(self, epoch, logs=None):
        save(self, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    interrupted = mock.patch.object(AtomicBackup, "on_epoch_end", break_off)
    with contextlib.suppress(KeyboardInterrupt), interrupted:
        train(recipe, out)
    with tempfile.TemporaryDirectory() as temporary:
        copy = shutil.copytree(out, Path(temporary) / "run")
        model = train(recipe, copy, resume=True)
    np.savez(out.with_suffix(".npz"), *model.get_weights())


def write_exports(folder: Path):
    for kind, name in (("saved_model", "vae"), ("tflite", "infogan")):
        model = presets.from_preset(PRESETS / name)
        if kind == "tflite":
            path = export.to_tflite(model, folder / "model.tflite", preset=PRESETS / name)
        else:
            path = export.to_saved_model(model, folder / kind, preset=PRESETS / name)
            (path / "assets").rmdir()  # empty, and then no file of a repository
        contents, kept = Contents(model), {}
        for signature in export.Runtime(path).signatures:
            inputs = draw_inputs(contents, signature, X)
            outputs = contents.function(signature)(*inputs.values())
            for which, tensors in (("inputs", inputs), ("outputs", outputs)):
                kept |= {f"{signature}/{which}/{key}": each for key, each in tensors.items()}
        np.savez(folder / f"{kind}.npz", **kept)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        make(name)
