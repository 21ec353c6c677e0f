"""Commands that measure information: of a table's columns and of a model's latent variables."""

import argparse
import os

from keras_infomodels.defaults import EXAMPLES

__all__ = ["add_parsers"]


def add_parsers(commands):
    """Adds the commands to the subparsers of `infomodels`."""
    mi = commands.add_parser(
        "mi",
        help="mutual information between columns of a CSV file",
        description="Mutual information between columns of a CSV file, as a table and a diagram.",
    )
    mi.add_argument("file", metavar="FILE.csv", help="CSV file with a header")
    mi.add_argument(
        "--x", required=True, help="names of columns, such as age,height; quote a name with a comma"
    )
    mi.add_argument("--y", required=True, help="names of columns; if x has some of them, all pairs")
    mi.add_argument("--discrete", help="columns of x and y with categories, such as shop,item")
    mi.add_argument(
        "--skip-missing",
        action="store_true",
        help="leave out rows with an empty field or NaN in one of these columns",
    )
    mi.add_argument(
        "--estimator",
        default="auto",
        help="estimator: auto, ksg, mixed, copula, info_nce, ... (default: auto)",
    )
    mi.add_argument("--bits", action="store_true", help="print bits instead of nats")
    mi.add_argument("--seed", type=int, default=0, help="seed of a trained estimator (default: 0)")
    mi.add_argument(
        "--out", metavar="FILE.png", help="file of the diagram (default: beside the CSV file)"
    )
    mi.set_defaults(run=_mi)

    audit = commands.add_parser(
        "audit",
        help="measure the information in a model's latent variables",
        description="Measure bounds on the information in a model's latent variables, each with "
        "its kind, its ceiling and its error on simulated data, as a table, JSON and a picture.",
    )
    audit.add_argument("model", metavar="MODEL", help="preset, folder, .keras file or SavedModel")
    plane = commands.add_parser(
        "plane",
        help="draw several models in the information plane",
        description="Draw models by KL(q(z) || p(z)), the divergence of their latents from the "
        "prior, and I_q(x;z), the information in their latents.",
    )
    plane.add_argument("models", metavar="MODEL", nargs="+", help="models, as for audit")
    for parser, run in ((audit, _audit), (plane, _plane)):
        parser.add_argument(
            "--dataset", help="data set to encode (default: that of the model's recipe)"
        )
        parser.add_argument(
            "--split", help="split of the data set (default: the recipe's test split, or test)"
        )
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
        help="training steps of the network Q that bounds I_p; 0 leaves it out (default: 2000)",
    )


def _mi(arguments: argparse.Namespace):
    from keras_infomodels import information

    x, y = map(information.parse_names, (arguments.x, arguments.y))
    unit = "bits" if arguments.bits else "nats"
    columns = information.read_columns(arguments.file, (*x, *y), arguments.skip_missing)
    estimator = information.MutualInformation(arguments.estimator, seed=arguments.seed)
    discrete = [n.strip() for n in arguments.discrete.split(",")] if arguments.discrete else "auto"
    table = information.information_table(columns, x, y, estimator, discrete)
    print(information.format_table(table, unit))
    if set(x) & set(y):
        print("There is no diagram if --x and --y share columns.")
        return
    joint = information.measured_joint(columns, x, y, next(iter(table.values())))
    if joint is None:
        print(
            "There is no diagram for a mixture of numbers and labels, repeated numbers, constants "
            "or infinite information."
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
    from keras_infomodels.zoo.model_data import data_for

    saved = os.path.exists(os.path.join(source, "saved_model.pb"))
    model = source if saved else load_model(source)
    size = getattr(model, "data_shape", (None, None))[:2]
    dataset, split, options = data_for(source, arguments.dataset, arguments.split, size)
    data = None
    if arguments.dataset or (dataset and hasattr(model, "encode")):
        data = datasets.load(dataset, split, data_dir=arguments.data_dir, shuffle=False, **options)
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
