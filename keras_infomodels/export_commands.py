"""The commands `infomodels export` and `infomodels run`."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from keras_infomodels.io import saving_folder
from keras_infomodels.spec import check_int

if TYPE_CHECKING:
    import numpy as np

__all__ = ["add_parsers", "recipe_images"]

_IMAGES = 1000
"""Number of test images for the comparison."""


def add_parsers(commands):
    """Adds both commands to the subparsers of `infomodels`."""
    export = commands.add_parser(
        "export",
        help="export a model to SavedModel, TFLite or ONNX",
        description="Export a model to SavedModel, TFLite or ONNX, and compare every signature "
        "with Keras. Nothing is written if they differ too much.",
    )
    export.add_argument("model", help="name or folder of a preset, folder of a run, or .keras file")
    export.add_argument("--to", required=True, choices=("savedmodel", "tflite", "onnx"))
    export.add_argument(
        "--out",
        help=".tflite file, or folder in which VERSION/ becomes the SavedModel, or folder of ONNX "
        "files (default: exports/NAME.tflite, exports/NAME or exports/NAME_onnx)",
    )
    export.add_argument(
        "--version", type=int, default=1, help="version of a SavedModel (default: 1)"
    )
    export.add_argument(
        "--quantize",
        choices=("float16", "dynamic", "int8"),
        help="quantization of a .tflite: float16 weights, int8 weights (dynamic), or all int8",
    )
    export.add_argument(
        "--int8-io", action="store_true", help="with int8: make inputs and outputs int8 too"
    )
    export.add_argument("--batch-size", type=int, help="fixed batch size (default: any)")
    export.add_argument("--uint8", action="store_true", help="make image inputs and outputs bytes")
    export.add_argument(
        "--dataset", help="data for comparison and calibration (default: the recipe's)"
    )
    export.add_argument(
        "--data-dir", help="folder of prepared TFDS data, or of the published files in NAME/"
    )
    export.add_argument(
        "--force", action="store_true", help="write the file even if it differs too much"
    )
    export.set_defaults(run=_export)

    run = commands.add_parser(
        "run",
        help="call a signature of an exported model",
        description="Call a signature of an exported model; a .tflite needs no TensorFlow. Without "
        "--out, list the signatures.",
    )
    run.add_argument("file", help=".tflite file, or folder of a SavedModel")
    run.add_argument("--signature", help="signature to call (default: generate)")
    run.add_argument(
        "--code",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="generate: value of a code",
    )
    run.add_argument("--n", type=int, help="generate: number of images (default: 64)")
    run.add_argument("--seed", type=int, help="generate: seed of the draws")
    run.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=FILE.npy",
        help="other signatures: an input, such as image=images.npy",
    )
    run.add_argument("--threads", type=int, help="threads of the interpreter of a .tflite")
    run.add_argument(
        "--isolated",
        action="store_true",
        help="run in a separate process, for a .tflite from an unknown source",
    )
    run.add_argument(
        "--trust", action="store_true", help="run a SavedModel that may access files or run code"
    )
    run.add_argument("--out", help=".png file for images, or .npz file for all outputs")
    run.set_defaults(run=_run)
    run.hint = "a signature is named by --signature NAME, and --out FILE.png or FILE.npz is needed"


def _export(arguments: argparse.Namespace):
    from keras_infomodels import presets, zoo
    from keras_infomodels.export import to_onnx, to_saved_model, to_tflite

    lite, onnx = arguments.to == "tflite", arguments.to == "onnx"
    if onnx and arguments.uint8:
        raise ValueError("--uint8 needs --to tflite or savedmodel.")
    if not lite and (arguments.quantize or arguments.int8_io):
        raise ValueError("--quantize and --int8-io need --to tflite.")
    check_int("--version", arguments.version, 0)
    source = Path(arguments.model)
    model = presets.load_model(source)
    images, calibration = _data(arguments, source, model)
    is_file = source.suffix == ".keras"
    name = source.stem if is_file else zoo.locate(source).resolve().name
    out = Path(arguments.out or Path("exports") / (name + ".tflite" * lite + "_onnx" * onnx))
    shared = {
        "batch_size": arguments.batch_size,
        "images": images,
        "preset": None if is_file else source,
        "force": arguments.force,
        "verbose": True,
    }
    if lite:
        own = {
            "int8_io": arguments.int8_io,
            "calibration": calibration,
            "uint8": arguments.uint8,
        }
        to_tflite(model, out, arguments.quantize, **own, **shared)
    elif onnx:
        to_onnx(model, out, **shared)
    else:
        to_saved_model(model, out / str(arguments.version), uint8=arguments.uint8, **shared)


def recipe_images(
    source: Path, dataset: str | None, data_dir: str | None, calibrate: bool
) -> "tuple[np.ndarray | None, np.ndarray | None]":
    """Test images to compare on, and training images to calibrate on: up to 1,000 float32 each.

    Args:
        source: a model as `load_model` takes it, whose recipe names a data set and its parts.
        dataset: takes its place; None is the recipe's.
        data_dir: str or path. Folder of the data; see `datasets.load`.
        calibrate: False leaves the training images out, as None.

    Returns:
        None for both where there is neither a recipe nor a data set.
    """
    import numpy as np

    from keras_infomodels import datasets, zoo
    from keras_infomodels.zoo.recipes import Recipe

    options, splits = {}, ("test", "train")
    if dataset is None and source.suffix != ".keras":
        file = zoo.locate(source) / "recipe.toml"
        if file.is_file():
            recipe = Recipe.load(file)
            dataset, options = recipe.data.name, recipe.data.options()
            splits = (recipe.data.test, recipe.data.train)
    if dataset is None:
        return None, None

    def load(split):
        images, _ = datasets.load_arrays(dataset, split, data_dir=data_dir, **options)
        images = images[:_IMAGES]
        scale = 255 if images.dtype == np.uint8 else 1
        return (images / np.float32(scale)).astype(np.float32)

    return load(splits[0]), load(splits[1]) if calibrate else None


def _data(arguments, source: Path, model) -> "tuple[np.ndarray | None, np.ndarray | None]":
    """Returns the images of `recipe_images`; None if data are missing and not needed."""
    int8 = arguments.quantize == "int8"
    try:
        images, calibration = recipe_images(source, arguments.dataset, arguments.data_dir, int8)
    except FileNotFoundError:
        # float16 rounds weights, which random pixels show too; the others cost by the data.
        if arguments.dataset or arguments.quantize in ("dynamic", "int8"):
            raise
        print(
            "The training data are not on this machine, so the file is compared with the model "
            "on random images. --data-dir DIR takes the data's folder."
        )
        return None, None
    if images is not None and images.shape[1:] != model.data_shape:
        raise ValueError(
            f"The images have shape {images.shape[1:]}, the model's {model.data_shape}; choose "
            "another --dataset."
        )
    return images, calibration


def _run(arguments: argparse.Namespace):
    import numpy as np

    from keras_infomodels.export.runtime import Runtime

    def open_runtime():
        return Runtime(arguments.file, arguments.threads, arguments.isolated, arguments.trust)

    check_int("--n", 64 if arguments.n is None else arguments.n, 1)
    if arguments.out is None:
        given = ("signature", "code", "n", "seed", "input")
        if ignored := [f"--{each}" for each in given if getattr(arguments, each) not in (None, [])]:
            raise ValueError(
                f"{' and '.join(ignored)} needs an output file: --out FILE.png or FILE.npz. "
                "Without --out the command lists the signatures."
            )
        print(_summary(open_runtime()))
        return
    runtime = open_runtime()
    signature = arguments.signature or "generate"
    out = Path(arguments.out)
    if out.suffix not in (".png", ".npz"):
        raise ValueError(f"--out ends in .png or .npz, got {out.name}.")
    if signature == "generate" and not arguments.input:
        codes = dict(_number(text) for text in arguments.code)
        if clash := len(arguments.code) - len(codes):
            raise ValueError(f"Each code is given once; {clash} came twice.")
        outputs = {"image": runtime.generate(arguments.n or 64, arguments.seed, codes)}
    else:
        arrays = {}
        for text in arguments.input:
            name, file = _pair(text, "--input", "NAME=FILE.npy")
            arrays[name] = np.load(file, allow_pickle=False)
        outputs = runtime.run(signature, **arrays)
    _write(out, outputs)
    shapes = ", ".join(f"{name} {array.shape}" for name, array in outputs.items())
    print(f"{out}: {shapes}")


def _write(out: Path, outputs: "dict[str, np.ndarray]"):
    """Writes the file atomically."""
    import numpy as np

    from keras_infomodels.export.png import grid, png

    with saving_folder(out.parent) as temporary:
        new = temporary / out.name
        if out.suffix == ".npz":
            np.savez(new, **outputs)
        elif "image" in outputs:
            new.write_bytes(png(grid(outputs["image"])))
        else:
            raise ValueError(f"A .png needs images, got {', '.join(outputs)}; write a .npz.")
        os.replace(new, out)


def _pair(text: str, flag: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ValueError(f"{flag} is {form}, got {text!r}.")
    return name, value


def _number(text: str) -> tuple[str, float]:
    name, value = _pair(text, "--code", "NAME=VALUE, such as digit=7")
    try:
        return name, float(value)
    except ValueError:
        raise ValueError(f"The value of a code is a number, got {text!r}.") from None


def _summary(runtime) -> str:
    facts = runtime.metadata
    kind = facts["quantization"] or "float32"
    lines = [
        f"{facts['model']}, preset {facts['preset']}, license {facts['license']}, {kind}, by "
        f"{facts['library']}"
    ]
    for name, signature in runtime.signatures.items():
        given, returned = (
            ", ".join(f"{key} {each['dtype']}{each['shape']}" for key, each in tensors.items())
            for tensors in (signature["inputs"], signature["outputs"])
        )
        lines.append(f"  {name}({given}) -> {returned}")
    return "\n".join(lines)
