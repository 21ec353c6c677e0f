"""The command `infomodels train`."""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from keras_infomodels import names
from keras_infomodels.command_parser import parse_image_size, parse_sizes
from keras_infomodels.termination import ending_on_sigterm

__all__ = ["add_parser", "say_stopped"]


_TRAINING_FLAGS = {
    "--epochs": ("epochs", int, "number of passes over the training data"),
    "--latent-dim": ("latent_dim", int, "number of latent variables, categories included"),
    "--batch-size": ("batch_size", int, "number of examples in a training step"),
    "--learning-rate": ("learning_rate", float, "learning rate of Adam"),
    "--image-size": (
        "image_size",
        parse_image_size,
        "size to resize images to: 64, or height and width: 64x48",
    ),
    "--network": ("network", str, "kind of network: mlp, conv or residual"),
    "--widths": (
        "widths",
        parse_sizes,
        "widths of hidden layers, such as 256,256; for conv the filters and, last, the dense "
        "layer; for residual the filters",
    ),
    "--likelihood": (
        "likelihood",
        str,
        "distribution of pixels: bernoulli_stochastic, bernoulli_threshold, bernoulli, "
        "continuous_bernoulli, "
        "shared_gaussian, discretized_logistic, discretized_gaussian or gaussian",
    ),
    "--sigma": ("sigma", float, "standard deviation of a gaussian likelihood (default: learned)"),
    "--prior": (
        "prior",
        str,
        "prior of z: standard_normal, gaussian_mixture, swiss_roll or categorical_normal (aae)",
    ),
    "--num-categories": (
        "num_categories",
        int,
        "categories of the prior categorical_normal or of an infogan; classes of a classifier",
    ),
    "--continuous-dim": (
        "continuous_dim",
        int,
        "latent variables beside the category of the prior categorical_normal",
    ),
    "--categories": (
        "categories",
        int,
        "old name of --num-categories; --latent-dim beside it is --continuous-dim",
    ),
    "--min-stddev": ("min_stddev", float, "smallest standard deviation of the posterior"),
    "--alpha": ("alpha", float, "infovae: 1 minus the weight of the rate"),
    "--lambda": ("lambda_", float, "infovae, mmd_vae, aae: weight of the prior-matching term"),
    "--beta": ("beta", float, "beta_vae: weight of the rate"),
    "--divergence": (
        "divergence",
        str,
        "infovae, mmd_vae: divergence from the prior: mmd, sliced_wasserstein, stein, ...",
    ),
    "--kernel": ("kernel", str, "kernel of the MMD: inverse_multiquadric, gaussian or paper"),
    "--information-weight": (
        "information_weight",
        float,
        "infogan: weight of the information term; 0 does not train the codes",
    ),
    "--schedule": (
        "schedule",
        str,
        "schedule of the learning rate: cosine, late_cosine, constant or plateau",
    ),
    "--patience": (
        "patience",
        int,
        "number of epochs without a better val_loss after which training stops",
    ),
    "--seed": ("seed", int, "seed of weights, order of data and noise"),
}


def add_parser(commands):
    """Adds the command to the subparsers of `infomodels`."""
    command = commands.add_parser(
        "train",
        help="train a model into a preset folder",
        description="Train a model into a preset folder. Flags override the settings of --recipe, "
        "which override the defaults.",
    )
    command.add_argument("model", nargs="?", help=f"name of the model: {', '.join(names.MODELS)}")
    command.add_argument(
        "--dataset",
        help="data set: a TFDS name, fashion_mnist_mini, scenes, sprites, nouns, a folder of "
        "images, or "
        "a .npz file",
    )
    command.add_argument(
        "--data-dir", help="folder of prepared TFDS data, or of the published files in NAME/"
    )
    command.add_argument(
        "--recipe", metavar="FILE.toml", help="recipe whose settings the flags change"
    )
    for flag, (name, kind, text) in _TRAINING_FLAGS.items():
        command.add_argument(flag, dest=name, type=kind, help=text)
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PLACE=VALUE",
        help="set any setting of a recipe, such as model.stratified=true or training.epochs=14",
    )
    command.add_argument(
        "--jit-compile",
        action="store_true",
        default=None,
        help="compile steps by XLA: faster for fully connected autoencoders; random numbers differ",
    )
    command.add_argument(
        "--seeds",
        metavar="0-4",
        help="train one run for each seed, in OUT/seed_N, with a summary table and picture in OUT",
    )
    command.add_argument(
        "--resume",
        action="store_true",
        help="continue an interrupted run; repeat its --data-dir",
    )
    command.add_argument(
        "--devices",
        type=int,
        metavar="N",
        help="number of devices that share each batch: GPUs, or virtual devices of the CPU. "
        "Several machines: set TF_CONFIG on each",
    )
    command.add_argument(
        "--pictures",
        type=int,
        metavar="N",
        help="draw pictures every N epochs into OUT/run/pictures; 0 draws none (default: a tenth "
        "of the epochs, at least 1)",
    )
    command.add_argument("--out", help="preset folder to create (default: runs/MODEL-DATASET)")
    command.set_defaults(run=_train)


def say_stopped(arguments: argparse.Namespace):
    """Prints that SIGTERM ended a training, and what is left of it."""
    out = getattr(arguments, "out", None)
    hint = "No epoch was finished, so nothing is saved; start again."
    if out and any(Path(out).expanduser().glob("run/checkpoints/after_epoch_*")):
        hint = f"Every finished epoch is saved; continue with --resume --out {out}."
    print(f"\nStopped by SIGTERM. {hint}", file=sys.stderr, flush=True)


def _recipe(arguments: argparse.Namespace):
    """Returns the recipe for the flags of `train`."""
    from keras_infomodels.zoo.recipes import Recipe, parse_seeds

    names = ["model", "dataset", "jit_compile", *(name for name, _, _ in _TRAINING_FLAGS.values())]
    given = {
        name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None
    }
    if arguments.seeds is not None and "seed" in given:
        raise ValueError("Give --seed for one run or --seeds for several, not both.")
    source = arguments.recipe
    if arguments.resume and source is None:
        first = [] if arguments.seeds is None else [f"seed_{parse_seeds(arguments.seeds)[0]}"]
        source = os.path.join(arguments.out, *first, "recipe.toml")
        if not os.path.exists(source):
            raise FileNotFoundError(f"{arguments.out} contains no run to resume.")
    if source is not None:
        recipe = Recipe.load(source, **given)
    elif missing := {"model", "dataset"} - set(given):
        raise ValueError(
            f"The {' and '.join(sorted(missing))} is missing: infomodels train MODEL --dataset "
            "NAME --out DIR, or pass a --recipe."
        )
    else:
        recipe = Recipe.of(**given)
    return recipe.put(dict(map(_assigned, arguments.set)))


def _chosen(recipe, arguments: argparse.Namespace):
    """Returns the recipe with settings for the data that no flag sets."""
    from keras_infomodels.zoo.choices import choose

    given = {name for name, _, _ in _TRAINING_FLAGS.values()}
    given = {name for name in given if getattr(arguments, name) is not None}
    given |= {_assigned(text)[0].rpartition(".")[2] for text in arguments.set}
    return choose(recipe, given, arguments.data_dir)


def _default_out(arguments: argparse.Namespace) -> str:
    """Returns the default folder of a run."""
    if arguments.recipe is not None or arguments.resume:
        raise ValueError("--out DIR, the folder of the run, is missing.")
    name = os.path.basename(os.path.normpath(arguments.dataset or "")).partition(".")[0]
    return os.path.join("runs", f"{arguments.model}-{name}")


def _train(arguments: argparse.Namespace):
    with ending_on_sigterm(partial(say_stopped, arguments)):
        _train_on_devices(arguments)


def _train_on_devices(arguments: argparse.Namespace):
    from keras_infomodels.training.strategies import choose_strategy

    strategy = choose_strategy(arguments.devices)  # before TensorFlow does anything
    if arguments.out is None:
        arguments.out = _default_out(arguments)
    recipe = _recipe(arguments)
    if arguments.recipe is None and not arguments.resume:
        recipe = _chosen(recipe, arguments)
    if arguments.pictures is None:
        arguments.pictures = max(1, recipe.training.epochs // 10)
    if arguments.seeds is not None:
        from keras_infomodels.zoo.recipes import parse_seeds
        from keras_infomodels.zoo.seeds import train_seeds

        seeds = parse_seeds(arguments.seeds)
        where = arguments.out, arguments.data_dir
        train_seeds(recipe, seeds, *where, arguments.resume, arguments.pictures, strategy)
        return

    from keras_infomodels.zoo.training import train

    where = arguments.out, arguments.data_dir
    train(recipe, *where, arguments.resume, arguments.pictures, strategy)
    print(f"The model is in {arguments.out}; see README.md and the pictures in run/ there.")
    print(f"To load it: ki.from_preset({os.fspath(arguments.out)!r})")


def _assigned(text: str) -> tuple[str, object]:
    """Parses a text such as training.epochs=14; a value that is not TOML is a text."""
    import tomllib

    place, equals, value = text.partition("=")
    if not (equals and place.strip()):
        raise ValueError(f"--set takes PLACE=VALUE, such as training.epochs=14; got {text!r}.")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    return place.strip(), parsed
