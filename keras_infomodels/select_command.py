"""The command `infomodels select`. Nothing here loads TensorFlow at once."""

import argparse
import json
import os

from keras_infomodels.io import write_atomically

__all__ = ["add_parser"]


def add_parser(commands):
    """Adds it to the subparsers of `infomodels`."""
    command = commands.add_parser(
        "select",
        help="score runs without labels, to select one",
        description="Score several runs without labels or factors: UDR, ModelCentrality, and the "
        "information and independence of their latents.",
    )
    command.add_argument(
        "models", metavar="MODEL", nargs="+", help="presets, run folders or .keras files"
    )
    command.add_argument(
        "--dataset", help="data set to encode (default: that of the first run's recipe)"
    )
    command.add_argument(
        "--split", help="split of the data set (default: the recipe's test split, or test)"
    )
    command.add_argument("--data-dir", help="folder of the data, as for train")
    command.add_argument(
        "--limit", type=int, default=2_000, help="number of images (default: 2000)"
    )
    command.add_argument(
        "--votes",
        type=int,
        default=500,
        help="training votes, and test votes, of ModelCentrality (default: 500)",
    )
    command.add_argument("--seed", type=int, default=0, help="seed of all draws (default: 0)")
    command.add_argument("--out", metavar="FILE.json", help="JSON file to write the scores to")
    command.set_defaults(run=_select)


def _select(arguments: argparse.Namespace):
    if len(arguments.models) < 2:
        raise ValueError("Give at least two runs, since they are compared with each other.")
    if arguments.limit < 20:
        raise ValueError(f"--limit is at least 20, got {arguments.limit}.")
    if arguments.votes < 2:
        raise ValueError(f"--votes is at least 2, got {arguments.votes}.")
    import numpy as np

    from keras_infomodels import datasets, load_model
    from keras_infomodels.evaluation import select_runs
    from keras_infomodels.zoo.model_data import data_for

    first, runs = arguments.models[0], None
    if arguments.dataset:  # of another size, perhaps
        runs = {name: load_model(path) for name, path in _names(arguments.models).items()}
    size = None if runs is None else next(iter(runs.values())).data_shape[:2]
    dataset, split, options = data_for(first, arguments.dataset, arguments.split, size)
    if dataset is None:
        raise ValueError(f"Name the images with --dataset; {first} has no recipe.toml.")
    images, _ = datasets.load_arrays(dataset, split, data_dir=arguments.data_dir, **options)
    order = np.random.default_rng(arguments.seed).permutation(len(images))
    images = images[np.sort(order[: arguments.limit])]
    images = images.astype(np.float32) / 255 if images.dtype == np.uint8 else images
    runs = runs or {name: load_model(path) for name, path in _names(arguments.models).items()}
    found = select_runs(runs, images, arguments.votes, arguments.seed)
    print(found)
    if arguments.out:
        numbers = json.dumps(found.as_dict(), indent=2, allow_nan=False)
        write_atomically(arguments.out, numbers + "\n")
        print(f"The numbers are in {arguments.out}.")


def _names(paths: list[str]) -> dict[str, str]:
    """Paths by their last parts, or by themselves where these are not distinct."""
    names = [os.path.basename(os.path.normpath(path)) for path in paths]
    return dict(zip(names if len(set(names)) == len(names) else paths, paths, strict=True))
