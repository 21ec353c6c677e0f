"""What exports are worth: differences, size, speed, the cost of quantization, start-up times.

    python benchmarks/export.py MODEL... [--data-dir DIR] > tables.md

Each MODEL is whatever `load_model` takes and has a recipe, whose test images (up to 1,000) are
compared and whose training images calibrate int8. The tables are Markdown; docs/export.md has
them. Times are those of the fastest of many calls with one example, or of three processes: what
else the machine does is no property of a file.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

KINDS = ("SavedModel", None, "float16", "dynamic", "int8")
CALLS, PREDICTIONS, STARTS = 200, 20, 3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--data-dir", help="prepared TFDS data, or canonical files in NAME/")
    arguments = parser.parse_args()

    from keras_infomodels import load_model

    rows, costs, speeds, starts = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for name in map(Path, arguments.models):
            model = load_model(name)
            images, calibration = data(name, arguments.data_dir)
            files = {}
            for kind in KINDS:
                files[kind], report = write(model, name, kind, images, calibration, Path(folder))
                rows.append(row(model, name, kind, report))
                costs += [cost_row(name, kind, cost) for cost in report.costs]
                print(f"{name.name} {kind or 'float32'}", file=sys.stderr)
            speeds.append(speed_row(model, name, files, images))
            if not starts and hasattr(model, "generate"):
                starts.append(start_row(model, name, files))
    table("Parity, size and speed", HEADS, rows)
    table("What quantization costs", COST_HEADS, costs)
    table("One example, in milliseconds", SPEED_HEADS, speeds)
    table("From an empty process to the first picture, in seconds", START_HEADS, starts)


def data(name: Path, data_dir: str | None):
    """Test images to compare on and training images to calibrate on, as `infomodels export`."""
    from keras_infomodels.export_commands import recipe_images

    return recipe_images(name, None, data_dir, calibrate=True)


def write(model, name: Path, kind: str | None, images, calibration, folder: Path):
    """Exports, whatever it costs; the file and its report."""
    from keras_infomodels import export

    if kind == "SavedModel":
        path = export.to_saved_model(model, folder / name.name, images=images[:16], force=True)
    else:
        path = folder / f"{name.name}_{kind}.tflite"
        settings = {"calibration": calibration, "images": images[:16], "force": True}
        export.to_tflite(model, path, kind, **settings)
    return path, export.check_parity(model, path, images, force=True)


HEADS = (
    "model",
    "class",
    "file",
    "MB",
    "largest difference",
    "mean",
    "milliseconds, median",
    "let through",
)


def row(model, name: Path, kind: str | None, report) -> tuple:
    parities = report.signatures.values()
    shown = [
        f"{key} {each.milliseconds:.2f}"
        for key, each in report.signatures.items()
        if key in ("encode", "decode", "generate", "infer_codes", "discriminate", "classify")
    ]
    return (
        name.name,
        type(model).__name__,
        label(kind),
        f"{report.bytes / 1e6:.2f}",
        f"{max(each.largest for each in parities):.1e}",
        f"{statistics.mean(each.mean for each in parities):.1e}",
        ", ".join(shown),
        "no" if report.failures else "yes",
    )


COST_HEADS = ("model", "file", "figure", "Keras", "file's", "at most")


def cost_row(name: Path, kind: str | None, cost) -> tuple:
    limit = "" if cost.limit is None else f"+{cost.limit:.2f}"
    return (name.name, label(kind), cost.name, f"{cost.keras:.3f}", f"{cost.file:.3f}", limit)


SPEED_HEADS = (
    "model",
    "signature",
    "`model.predict`",
    "SavedModel",
    "float32 .tflite",
    "int8 .tflite",
    "predict / .tflite",
    "SavedModel / .tflite",
)


def speed_row(model, name: Path, files: dict, images) -> tuple:
    """What `model.predict` computes, by each: reconstructions, images of latents or classes."""
    import numpy as np
    import tensorflow as tf

    from keras_infomodels.export import Runtime

    if hasattr(model, "latents"):
        signature, parts = "generate", model.latents.sample(1, [0, 0])
        arrays = {key: value.numpy() for key, value in parts.items()}
        x = model.latents.join(parts).numpy()
    else:
        signature = "classify" if "classify" in model.export_signatures() else "reconstruct"
        x = np.asarray(images[:1], np.float32)
        arrays = {"image": x}
    function = tf.saved_model.load(str(files["SavedModel"])).signatures[signature]
    tensors = {key: tf.constant(array) for key, array in arrays.items()}
    runtimes = [Runtime(files[kind]) for kind in (None, "int8")]
    predict = fastest(lambda: model.predict(x, verbose=0), PREDICTIONS)
    served = fastest(lambda: [v.numpy() for v in function(**tensors).values()], CALLS)
    lite, int8 = (fastest(lambda r=r: r.run(signature, **arrays), CALLS) for r in runtimes)
    times = [f"{1000 * seconds:.3f}" for seconds in (predict, served, lite, int8)]
    return (name.name, signature, *times, f"{predict / lite:.0f}", f"{served / lite:.1f}")


START_HEADS = ("model", "Keras, this library", "SavedModel, TensorFlow", ".tflite, LiteRT")


def start_row(model, name: Path, files: dict) -> tuple:
    """Seconds of a whole process that makes one picture: of the first model, they hardly differ."""
    from keras_infomodels.export import Runtime

    inputs = Runtime(files[None]).signatures["generate"]["inputs"]
    zeros = ", ".join(f"{key}=tf.zeros((1, *{each['shape']}))" for key, each in inputs.items())
    codes = (
        f"import keras_infomodels as k; k.load_model({str(name)!r}).generate(1)",
        f"import tensorflow as tf; tf.saved_model.load({str(files['SavedModel'])!r})"
        f".signatures['generate']({zeros})",
        "from keras_infomodels.export.runtime import Runtime; "
        f"Runtime({str(files[None])!r}).generate(1)",
    )
    return (name.name, *(f"{fastest(lambda c=c: process(c), STARTS):.2f}" for c in codes))


def process(code: str):
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def fastest(call, times: int) -> float:
    """Seconds of the fastest of some calls."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def label(kind: str | None) -> str:
    return kind if kind == "SavedModel" else f"{kind or 'float32'} .tflite"


def table(title: str, heads: tuple, rows: list[tuple]):
    print(f"## {title}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for each in rows:
        print(f"| {' | '.join(each)} |")
    print(flush=True)


if __name__ == "__main__":
    main()
