"""The command `infomodels disentangle`, which loads TensorFlow only if it needs a model."""

import argparse
import io
import json
import os
import zipfile
from typing import TYPE_CHECKING

from keras_infomodels.io import write_atomically

if TYPE_CHECKING:
    import numpy as np

__all__ = ["add_parser"]


def add_parser(commands):
    """Adds the command to the subparsers of `infomodels`."""
    command = commands.add_parser(
        "disentangle",
        help="measure the disentanglement of known factors",
        description="Measure the disentanglement of a model's latents on a data set with known "
        "factors, or of another framework's codes, as a table, JSON and a heat map.",
    )
    command.add_argument(
        "model", metavar="MODEL", nargs="?", help="preset, folder or .keras file; or pass --codes"
    )
    command.add_argument("--dataset", help="data set with factors: sprites, scenes, dsprites, ...")
    command.add_argument("--split", default="test", help="split of the data set (default: test)")
    command.add_argument("--data-dir", help="folder of the data, as for train")
    command.add_argument(
        "--codes",
        metavar="FILE.npz",
        help="file with the arrays codes (n, d) and factors (n, k), and optional factor_names",
    )
    command.add_argument(
        "--discrete", action="store_true", help="treat codes as categories (InfoMEC)"
    )
    command.add_argument(
        "--metrics", help="names of metrics, such as infomec,mig,dci (default: all)"
    )
    command.add_argument(
        "--limit", type=int, default=15_000, help="largest number of examples (default: 15000)"
    )
    command.add_argument("--seed", type=int, default=0, help="seed of all draws (default: 0)")
    command.add_argument(
        "--out", default="disentangle", help="folder of the results (default: disentangle)"
    )
    command.add_argument(
        "--refit",
        action="store_true",
        help="also compute intervals of metrics that fit predictors (eleven times as long)",
    )
    command.set_defaults(run=_disentangle)


def _disentangle(arguments: argparse.Namespace):
    if (arguments.codes is None) == (arguments.model is None):
        raise ValueError(
            "Pass either a MODEL with --dataset NAME, or --codes FILE.npz with the arrays codes "
            "and factors."
        )
    if arguments.limit < 2:
        raise ValueError(f"--limit is at least 2, got {arguments.limit}.")
    if arguments.codes is not None:
        codes, factors, code_names, names = _read(arguments.codes)
        latents = None
    else:
        codes, factors, code_names, names, latents = _encode(arguments)
    from keras_infomodels.evaluation import disentanglement

    metrics = arguments.metrics and [name.strip() for name in arguments.metrics.split(",")]
    found = disentanglement.report(
        codes,
        factors,
        names,
        code_names=code_names,
        metrics=metrics,
        refit=arguments.refit,
        latents=latents,
        discrete=arguments.discrete,
        seed=arguments.seed,
    )
    print(found)
    picture = io.BytesIO()
    found.heat_map().savefig(picture, format="png", dpi=110)
    os.makedirs(arguments.out, exist_ok=True)
    numbers = json.dumps(found.as_dict(), indent=2, allow_nan=False)
    write_atomically(os.path.join(arguments.out, "disentanglement.json"), numbers + "\n")
    write_atomically(os.path.join(arguments.out, "information.png"), picture.getvalue())
    print(f"Numbers and heat map are in {arguments.out}.")


def _read(path: str) -> tuple:
    """Reads codes, factors and their names from a file; None for missing names."""
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (AttributeError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} is not a .npz file of plain arrays; write it with "
            "np.savez(path, codes=codes, factors=factors)."
        ) from error
    if missing := {"codes", "factors"} - set(arrays):
        raise ValueError(
            f"{path} lacks the array {' and '.join(sorted(missing))}; it has "
            f"{', '.join(sorted(arrays)) or 'none'}."
        )
    names = arrays.get("factor_names")
    return arrays["codes"], arrays["factors"], None, None if names is None else names.tolist()


def _encode(arguments: argparse.Namespace) -> tuple:
    """Encodes a data set with factors by a model, without constant factors.

    The last of five values is the table of what its latents carry, or None without one.
    """
    if arguments.dataset is None:
        raise ValueError("--dataset NAME is missing, such as sprites or scenes.")
    import numpy as np

    from keras_infomodels import datasets, load_model
    from keras_infomodels.models.code_tables import code_table

    model = load_model(arguments.model)
    place = {"data_dir": arguments.data_dir}
    try:
        names = datasets.factors(arguments.dataset, **place).names
    except ValueError as error:
        # The flag factors=False is of Python, and without factors there is nothing to measure.
        text = str(error).replace(
            "; load it with factors=False.",
            ", so there is no disentanglement to measure; factors of your own go into --codes "
            "FILE.npz, beside the codes.",
        )
        raise ValueError(text) from error
    images, factors = datasets.load_arrays(
        arguments.dataset, arguments.split, factors=True, **place
    )
    images, factors = _choose(images, factors, arguments.limit, arguments.seed)
    images = images.astype(np.float32) / 255 if images.dtype == np.uint8 else images
    codes, code_names = code_table(model, images)
    varying = (factors != factors[0]).any(axis=0)
    if not varying.all():
        constant = [name for name, varies in zip(names, varying, strict=True) if not varies]
        print(f"Left out, because they are constant: {', '.join(constant)}.")
    names = [name for name, varies in zip(names, varying, strict=True) if varies]
    return codes, factors[:, varying], code_names, names, _latents(model, images, arguments.seed)


def _latents(model, images: "np.ndarray", seed: int):
    """`latent_information` of at most 10,000 images; None of an InfoGAN or a category."""
    if getattr(model, "encoding_table", None) is None or model.categorical or len(images) < 4:
        return None
    from keras_infomodels.evaluation import latent_information

    return latent_information(*model.encoding_table(images, 256), prior=model.prior, seed=seed)


def _choose(
    images: "np.ndarray", factors: "np.ndarray", limit: int, seed: int
) -> "tuple[np.ndarray, np.ndarray]":
    """Chooses at most `limit` random rows, because sets may be ordered by their factors."""
    import numpy as np

    if len(images) <= limit:
        return images, factors
    rows = np.sort(np.random.default_rng(seed).permutation(len(images))[:limit])
    return images[rows], factors[rows]
