"""The command `infomodels`, which loads TensorFlow only if a command needs it."""

import argparse
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from keras_infomodels import __version__, names
from keras_infomodels.command_parser import Parser
from keras_infomodels.completion_command import add_parser as add_completion_parser
from keras_infomodels.defaults import EXAMPLES
from keras_infomodels.disentangle_command import add_parser as add_disentangle_parser
from keras_infomodels.explore_command import add_parser as add_explore_parser
from keras_infomodels.export_commands import add_parsers as add_export_parsers
from keras_infomodels.io import printable
from keras_infomodels.log import printing, quiet_tensorflow
from keras_infomodels.select_command import add_parser as add_select_parser
from keras_infomodels.zoo.commands import add_parsers as add_zoo_parsers
from keras_infomodels.zoo.publish_commands import add_parsers as add_publish_parsers

__all__ = ["main"]


def _sizes(text: str) -> list[int]:
    """Parses a text such as 32,64,128 or 64x48 as integers."""
    return [int(part) for part in text.replace("x", ",").split(",")]


def _image_size(text: str) -> list[int]:
    """Parses a text such as 64 or 64x48 as [height, width]."""
    return (_sizes(text) * 2)[:2] if "x" not in text else _sizes(text)


_TRAINING_FLAGS = {
    "--epochs": ("epochs", int, "number of passes over the training data"),
    "--latent-dim": ("latent_dim", int, "number of latent variables, categories included"),
    "--batch-size": ("batch_size", int, "number of examples in a training step"),
    "--learning-rate": ("learning_rate", float, "learning rate of Adam"),
    "--image-size": (
        "image_size",
        _image_size,
        "size to resize images to: 64, or height and width: 64x48",
    ),
    "--network": ("network", str, "kind of network: mlp, conv or residual"),
    "--widths": (
        "widths",
        _sizes,
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

_GRACE = 10.0
"""Seconds that an operation may go on after SIGTERM; Slurm and Kubernetes send SIGKILL after 30."""

_EXPECTED = (ValueError, OSError, ImportError, NotImplementedError, FloatingPointError)


def main(argv: list[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    arguments = _parser().parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with printing(), quiet_tensorflow():
            arguments.run(arguments)
    except _Terminated:
        _say_stopped(arguments)
        if os.environ.get("TF_CONFIG"):
            os._exit(143)  # at its end a worker would wait for the others
        return 143
    except KeyboardInterrupt:
        hint = " Continue with --resume." if arguments.run is _train else ""
        print(f"\nInterrupted.{hint}", file=sys.stderr)
        return 130
    except Exception as error:
        if not isinstance(error, _EXPECTED) and not _is_of_tensorflow(error):
            raise
        lines = str(error).splitlines()
        if isinstance(error, FileNotFoundError) and error.filename:
            lines = [f"There is no file or folder {os.fspath(error.filename)}."]
        if _is_of_tensorflow(error):
            lines = [_reason(lines)]
            if os.environ.get("TF_CONFIG"):
                lines.append("If a worker has ended, start all of them again with --resume.")
        for number, line in enumerate(lines or [type(error).__name__]):
            print("infomodels:" if number == 0 else " ", printable(line), file=sys.stderr)
        return 1
    return 0


def _reason(lines: list[str]) -> str:
    """The line of an error of TensorFlow that says what happened, beside traces of the graph."""
    traces = ("Graph execution", "Detected at node", "Stack trace", "<stack", "File", " ", "\t")
    said = [line for line in lines if line and not line.startswith(traces)]
    return next(iter([*said, *lines]), "TensorFlow could not go on.")


def _how_to_go_on(arguments: argparse.Namespace) -> str:
    """Returns a sentence on what an ended training has left."""
    out = getattr(arguments, "out", None)
    if out and any(Path(out).expanduser().glob("run/checkpoints/after_epoch_*")):
        return f"Every finished epoch is saved; continue with --resume --out {out}."
    return "No epoch was finished, so nothing is saved; start again."


class _Terminated(BaseException):
    """The process was asked to end, as a cluster does before it takes the machine away."""


def _say_stopped(arguments: argparse.Namespace):
    print(f"\nStopped by SIGTERM. {_how_to_go_on(arguments)}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _ending_on_sigterm(arguments: argparse.Namespace) -> Iterator[None]:
    """Raises `_Terminated` where SIGTERM comes, between two operations of Python.

    If one operation lasts for longer than `_GRACE`, such as a step that waits for a worker that has
    ended, the process ends without the exception. Files are complete whenever that is.
    """

    def end(number, frame):
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    # Python writes the number of a signal here as it comes, also within an operation.
    own, to_write = socket.socketpair()
    to_write.setblocking(False)
    written = signal.set_wakeup_fd(to_write.fileno(), warn_on_full_buffer=False)
    watch = threading.Thread(target=_watch, args=(own, arguments), daemon=True)
    watch.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(written)
        signal.signal(signal.SIGTERM, before)
        to_write.close()
        watch.join()
        own.close()


def _watch(numbers: socket.socket, arguments: argparse.Namespace):
    """Ends the process some seconds after SIGTERM; returns when the other socket is closed."""
    while number := numbers.recv(1):
        if number[0] == signal.SIGTERM:
            numbers.settimeout(_GRACE)
            try:
                while numbers.recv(1):
                    pass
            except TimeoutError:
                _say_stopped(arguments)
                os._exit(143)
            return


def _is_of_tensorflow(error: Exception) -> bool:
    """Returns True for an error of TensorFlow, such as a full disk."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(error, tensorflow.errors.OpError)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="infomodels", description="Train and export information-maximizing generative models."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser(
        "demo", help="show a pretrained model, then train, measure, export and run another"
    )
    demo.add_argument("--out", default="demo", help="folder of the results (default: demo)")
    demo.set_defaults(run=_demo)

    train = commands.add_parser(
        "train",
        help="train a model into a preset folder",
        description="Train a model into a preset folder. Flags override the settings of --recipe, "
        "which override the defaults.",
    )
    train.add_argument("model", nargs="?", help=f"name of the model: {', '.join(names.MODELS)}")
    train.add_argument(
        "--dataset",
        help="data set: a TFDS name, fashion_mnist_mini, scenes, sprites, nouns, a folder of "
        "images, or "
        "a .npz file",
    )
    train.add_argument(
        "--data-dir", help="folder of prepared TFDS data, or of canonical files in NAME/"
    )
    train.add_argument(
        "--recipe", metavar="FILE.toml", help="recipe whose settings the flags change"
    )
    for flag, (name, kind, text) in _TRAINING_FLAGS.items():
        train.add_argument(flag, dest=name, type=kind, help=text)
    train.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PLACE=VALUE",
        help="set any setting of a recipe, such as model.stratified=true or training.epochs=14",
    )
    train.add_argument(
        "--jit-compile",
        action="store_true",
        default=None,
        help="compile steps by XLA: faster for fully connected autoencoders; random numbers differ",
    )
    train.add_argument(
        "--seeds",
        metavar="0-4",
        help="train one run for each seed, in OUT/seed_N, with a summary table and picture in OUT",
    )
    train.add_argument(
        "--resume",
        action="store_true",
        help="continue an interrupted run; repeat its --data-dir",
    )
    train.add_argument(
        "--devices",
        type=int,
        metavar="N",
        help="devices that share each batch: GPUs, or parts of the CPU; the numbers are those of "
        "one. Several machines: docs/scale.md",
    )
    train.add_argument(
        "--pictures",
        type=int,
        metavar="N",
        help="draw pictures every N epochs into OUT/run/pictures; 0 draws none (default: a tenth "
        "of the epochs)",
    )
    train.add_argument("--out", help="preset folder to create (default: runs/MODEL-DATASET)")
    train.set_defaults(run=_train)

    _add_measuring(commands)
    add_disentangle_parser(commands)
    add_select_parser(commands)
    add_export_parsers(commands)
    add_explore_parser(commands)

    prepare = commands.add_parser("prepare", help="download and prepare a data set")
    prepare.add_argument("dataset", help="name in TensorFlow Datasets, or nouns")
    prepare.add_argument("--data-dir", help="folder of the data (default: TFDS's own directory)")
    prepare.set_defaults(run=_prepare)

    shard = commands.add_parser(
        "shard", help="write a set of images as files that several machines read by rows"
    )
    shard.add_argument("dataset", help="as for train")
    shard.add_argument("--out", required=True, help="folder to make; --dataset of train takes it")
    shard.add_argument("--files", type=int, default=16, help="of each split (default: 16)")
    shard.add_argument("--data-dir", help="as for train")
    shard.add_argument("--image-size", type=_image_size, help="as for train")
    shard.add_argument("--fit", choices=("crop", "pad", "stretch"), default="crop")
    shard.add_argument("--skip-broken", action="store_true", help="leave out broken pictures")
    shard.set_defaults(run=_shard)

    add_zoo_parsers(commands)
    add_publish_parsers(commands)
    add_completion_parser(commands, parser)
    return parser


def _add_measuring(commands):
    mi = commands.add_parser(
        "mi",
        help="mutual information between columns of a CSV file",
        description="Mutual information between columns of a CSV file, as a table and a diagram.",
    )
    mi.add_argument("file", metavar="FILE.csv", help="CSV file with a header")
    mi.add_argument(
        "--x", required=True, help="names of columns, such as age,height; quote a name with a comma"
    )
    mi.add_argument("--y", required=True, help="names of other columns")
    mi.add_argument("--discrete", help="columns of x and y with categories, such as shop,item")
    mi.add_argument(
        "--estimator",
        default="auto",
        help="estimator: auto, ksg, mixed, copula, info_nce, ... (default: auto)",
    )
    mi.add_argument("--bits", action="store_true", help="print bits in place of nats")
    mi.add_argument("--seed", type=int, default=0, help="seed of a trained estimator (default: 0)")
    mi.add_argument(
        "--out", metavar="FILE.png", help="file of the diagram (default: beside the CSV file)"
    )
    mi.set_defaults(run=_mi)

    audit = commands.add_parser(
        "audit",
        help="measure the information in a model's latent variables",
        description="Bounds on the information in a model's latent variables, each with its kind, "
        "ceiling and a calibration, as a table, JSON and a picture.",
    )
    audit.add_argument("model", metavar="MODEL", help="preset, folder, .keras file or SavedModel")
    plane = commands.add_parser(
        "plane",
        help="draw several models in the information plane",
        description="Draw KL(q(z) || p(z)) against I_q(x;z) of models; rates are diagonals.",
    )
    plane.add_argument("models", metavar="MODEL", nargs="+", help="models, as for audit")
    for parser, run in ((audit, _audit), (plane, _plane)):
        parser.add_argument("--dataset", help="data set to encode; an infogan needs none")
        parser.add_argument("--split", default="test", help="split of it (default: test)")
        parser.add_argument("--data-dir", help="folder of the data, as for train")
        parser.add_argument(
            "--limit", type=int, default=EXAMPLES, help="largest number of examples"
        )
        parser.add_argument("--seed", type=int, default=0, help="seed of all draws (default: 0)")
        parser.add_argument(
            "--trust", action="store_true", help="run a SavedModel that may access files"
        )
        parser.add_argument("--out", help="folder of JSON and picture (default: audit or plane)")
        parser.set_defaults(run=run)
    audit.add_argument(
        "--steps",
        type=int,
        default=2000,
        help="training steps of a new Q; 0 trains none (default: 2000)",
    )


def _mi(arguments: argparse.Namespace):
    from keras_infomodels import information

    x, y = map(information.parse_names, (arguments.x, arguments.y))
    unit = "bits" if arguments.bits else "nats"
    columns = information.read_columns(arguments.file, (*x, *y))
    estimator = information.MutualInformation(arguments.estimator, seed=arguments.seed)
    discrete = [n.strip() for n in arguments.discrete.split(",")] if arguments.discrete else "auto"
    table = information.information_table(columns, x, y, estimator, discrete)
    print(information.format_table(table, unit))
    joint = information.measured_joint(columns, x, y, next(iter(table.values())))
    if joint is None:
        print(
            "There is no diagram for numbers beside labels, repeated numbers, constants or "
            "infinite information."
        )
        return
    out = arguments.out or f"{os.path.splitext(arguments.file)[0]}_information.png"
    information.information_diagram(joint, unit).savefig(out, dpi=110, bbox_inches="tight")
    print(f"The diagram is in {out}.")


def _audit(arguments: argparse.Namespace):
    from keras_infomodels import evaluation

    result = _audited(arguments, arguments.model, arguments.steps)
    print(result)
    _write(arguments.out or "audit", result.as_dict(), evaluation.audit_picture(result))


def _plane(arguments: argparse.Namespace):
    from keras_infomodels import evaluation

    names = [os.path.basename(os.path.normpath(model)) for model in arguments.models]
    if len(set(names)) < len(names):
        names = arguments.models
    audits = {
        name: _audited(arguments, model, 0)
        for name, model in zip(names, arguments.models, strict=True)
    }
    print(*audits.values(), sep="\n\n")
    numbers = {name: audit.as_dict() for name, audit in audits.items()}
    _write(arguments.out or "plane", numbers, evaluation.information_plane(audits))


def _audited(arguments: argparse.Namespace, source: str, steps: int):
    from keras_infomodels import datasets, evaluation, load_model

    saved = os.path.exists(os.path.join(source, "saved_model.pb"))
    model = source if saved else load_model(source)
    data = None
    if arguments.dataset:
        options = {"data_dir": arguments.data_dir, "shuffle": False}
        data = datasets.load(arguments.dataset, arguments.split, **options)
    title = os.path.basename(os.path.normpath(source))
    return evaluation.audit(
        model,
        data,
        steps=steps,
        limit=arguments.limit,
        seed=arguments.seed,
        title=title,
        trust=arguments.trust,
    )


def _write(out: str, numbers: dict, picture):
    import json

    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "audit.json"), "w") as file:
        json.dump(numbers, file, indent=2, allow_nan=False)
    picture.savefig(os.path.join(out, "audit.png"), dpi=110, bbox_inches="tight")
    print(f"Numbers and picture are in {out}.")


def _demo(arguments: argparse.Namespace):
    from keras_infomodels.demo import demo

    demo(arguments.out)


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
    with _ending_on_sigterm(arguments):
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
        arguments.pictures = recipe.training.epochs // 10
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


def _prepare(arguments: argparse.Namespace):
    from keras_infomodels.datasets import prepare

    print(f"{arguments.dataset} is in {prepare(arguments.dataset, arguments.data_dir)}.")


def _shard(arguments: argparse.Namespace):
    from keras_infomodels.datasets.loading import find
    from keras_infomodels.datasets.shard_source import write_shards
    from keras_infomodels.datasets.source import Options
    from keras_infomodels.spec import check_int

    names = ("data_dir", "image_size", "fit", "skip_broken")
    options = Options(**{name: getattr(arguments, name) for name in names})
    files = check_int("files", arguments.files, 1)
    sizes = write_shards(find(arguments.dataset, options), arguments.out, files)
    counts = ", ".join(f"{part} {count}" for part, count in sizes.items())
    print(f"The shards are in {arguments.out}: {counts}.")
