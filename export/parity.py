"""Comparison of an exported file with the Keras model."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels import html
from keras_infomodels.export.contents import Contents
from keras_infomodels.export.costs import measure_costs
from keras_infomodels.export.inputs import as_bytes, draw_inputs, noise_images
from keras_infomodels.export.runtime import Runtime
from keras_infomodels.models.costs import Cost
from keras_infomodels.operators import check_operators

__all__ = ["TOLERANCES", "Parity", "Report", "check_parity"]

TOLERANCES = {None: 1e-4, "float16": 1e-2, "dynamic": np.inf, "int8": np.inf}
"""Largest allowed difference relative to max(1, |value|), by quantization.

The limits of int8 are in the model's own terms, `models.costs.LIMITS`.
"""

_CALLS = 20

_SIZES, _APART = (1, 8), 0.1
"""Batch sizes of CompiledModel's calls, and its largest int8 difference from the Interpreter."""


@dataclass(frozen=True)
class Parity:
    """Difference of an exported signature from the Keras model, and its speed.

    Differences are relative to max(1, |value|).

    Log densities are compared relative to max(|value|, number of pixel values).

    Attributes:
        largest: float. Largest difference over all outputs and examples.
        mean: float. Mean difference over all outputs and examples.
        milliseconds: float. Median time of a call with one example through `Runtime`; None for an
            isolated file.

    Example:
        model = ki.from_preset("infogan_mnist")
        path = ki.export.to_tflite(model, "infogan.tflite")
        ki.export.check_parity(model, path).signatures["generate"].largest
    """

    largest: float
    mean: float
    milliseconds: float | None = None


@dataclass(frozen=True)
class Report:
    """Result of `check_parity`: comparison of an exported file with its model.

    `print(report)` shows tables.

    Attributes:
        signatures: dict from name to `Parity`.
        bytes: int. Size of the file, or of all files of the folder.
        inputs: str. Number and kind of the images that were used.
        quantize: str or None. Quantization of the file.
        compiled: dict from (signature, number of examples) to float or str. Largest difference of
            LiteRT's CompiledModel from its Interpreter, relative to max(1, |value|), or the reason
            why the CompiledModel refuses the call. Empty for a SavedModel.
        costs: list of `Cost`. Changes of the model's terms by quantization. Empty for float32.
        failures: list of str. A sentence for each difference that exceeds its tolerance.

    Example:
        model = ki.from_preset("infogan_mnist")
        path = ki.export.to_tflite(model, "infogan.tflite", quantize="float16")
        print(ki.export.check_parity(model, path))
    """

    signatures: dict[str, Parity]
    bytes: int
    inputs: str
    quantize: str | None
    costs: list[Cost] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    compiled: dict[tuple[str, int], float | str] = field(default_factory=dict)

    def require(self, path: str | Path):
        """Raises ValueError if there are failures.

        Args:
            path: str or Path. Name of the file in the error message.
        """
        if self.failures:
            remedy = "Choose another quantization, or force it."
            if any("CompiledModel" in failure for failure in self.failures):
                remedy = "Give a fixed batch_size, or force it for the Interpreter alone."
            elif self.quantize is None:
                remedy = "Do not use this file, and report it."
            raise ValueError(" ".join([f"{path}:", *self.failures, remedy]))

    def _repr_html_(self) -> str:
        rows = [
            (
                name,
                f"{each.largest:.1e}",
                f"{each.mean:.1e}",
                "-" if each.milliseconds is None else f"{each.milliseconds:.3f}",
            )
            for name, each in self.signatures.items()
        ]
        title = f"{self.bytes / 1e6:.3f} MB; differences from Keras on {self.inputs}"
        notes = "\n".join([*map(str, self.costs), *self.failures])
        return html.table(("signature", "largest", "mean", "ms, one example"), rows, title, notes)

    def __str__(self) -> str:
        lines = [
            f"{self.bytes / 1e6:.3f} MB; differences from Keras, relative to max(1, |value|), on "
            f"{self.inputs}:",
            f"  {'signature':16} {'largest':>9} {'mean':>9} {'ms, one example':>16}",
        ]
        for name, each in self.signatures.items():
            speed = "" if each.milliseconds is None else f"{each.milliseconds:.3f}"
            lines.append(f"  {name:16} {each.largest:9.1e} {each.mean:9.1e} {speed:>16}")
        if self.compiled:
            largest = max((v for v in self.compiled.values() if not isinstance(v, str)), default=0)
            refused = [f"{n} of {k}" for (k, n), v in self.compiled.items() if isinstance(v, str)]
            lines.append(
                f"  CompiledModel: {largest:.1e} from Interpreter; refused: "
                f"{', '.join(refused) or 'nothing'}"
            )
        if self.costs:
            lines.append(f"  {'cost':28} {'Keras':>10} {'file':>10} {'at most':>10}")
            lines += [f"  {cost}" for cost in self.costs]
        return "\n".join(lines + self.failures)


def check_parity(
    model: keras.Model,
    path: str | Path,
    images: np.ndarray | None = None,
    isolated: bool = False,
    force: bool = False,
) -> Report:
    """Compares an exported file with its model: outputs, speed and size of every signature.

    Args:
        model: Keras model. Model that was exported. A model in half precision is compared as a
            float32 copy.
        path: str or Path. Folder of a SavedModel, or `.tflite` file.
        images: array (n, height, width, channels). Images as `model.fit` takes them; use about
            1,000 real images for reliable numbers. `None` uses 16 images of random pixels. Other
            inputs, such as noise, are n random draws.
        isolated: bool. `True` runs the file in a process that cannot import this library or
            TensorFlow Probability, and for a `.tflite` neither TensorFlow nor Keras. `False` runs
            it in this process.
        force: bool. `True` returns a `Report` with failures instead of raising an error.

    Returns:
        `Report` with the differences, speeds and sizes.

    Raises:
        ValueError: If a difference exceeds `TOLERANCES`, or a cost of quantization exceeds
            `models.costs.LIMITS`; if an output is not finite, a signature is missing, or the file
            cannot run.

    Example:
        model = ki.from_preset("mmd_vae_fashion_mnist_mini")
        path = ki.export.to_tflite(model, "vae.tflite")
        images, _ = ki.datasets.load_arrays("fashion_mnist_mini", "test")
        print(ki.export.check_parity(model, path, images[:100] / 255))
    """
    is_lite = Path(path).suffix == ".tflite"
    if isolated and not is_lite:
        check_operators(path)
    runtime = Runtime(path, isolated=isolated, trust=isolated and not is_lite)
    contents = Contents(model, _takes_bytes(runtime))
    given = "16 images of random pixels" if images is None else f"{len(images)} images"
    images = noise_images(contents.model, 16) if images is None else np.asarray(images, np.float32)
    if contents.uint8:
        images = as_bytes(images) / np.float32(255)
    quantize = runtime.metadata["quantization"]
    parities, failures = _parities(contents, runtime, images, TOLERANCES[quantize], not isolated)
    costs = [] if quantize is None else measure_costs(contents, runtime, images)
    failures += [cost.failure for cost in costs if cost.failure]
    compiled, wrong = _compiled(contents, runtime, images) if is_lite else ({}, [])
    failures += wrong
    report = Report(parities, _size(runtime.path), given, quantize, costs, failures, compiled)
    if not force:
        report.require(path)
    return report


def _parities(contents: Contents, runtime: Runtime, images, tolerance: float, timed: bool):
    """Compares each signature, and returns the results with the failures."""
    there = {*runtime.signatures, *runtime.metadata.get("left_out", {})}
    failures = [f"The signature {name} is missing." for name in contents.signatures.keys() - there]
    inputs = {name: draw_inputs(contents, name, images) for name in runtime.signatures}
    answers = runtime.run_all(list(inputs.items()))
    parities, signatures = {}, contents.model.export_signatures()
    for (name, arrays), actual in zip(inputs.items(), answers, strict=True):
        tensors = {key: _tensor(array) for key, array in arrays.items()}
        signature = signatures[name]
        expected = signature.function(**tensors)
        largest, mean = _compare(name, expected, actual, signature.scales)
        parities[name] = Parity(
            largest, mean, _milliseconds(runtime, name, arrays) if timed else None
        )
        # Not `largest > tolerance`, which is False for NaN.
        if not (largest <= tolerance and np.isfinite(largest)):
            failures.append(
                f"The signature {name} differs from the Keras model by {largest:.2g} (relative to "
                f"max(1, |value|)); at most {tolerance:g} is allowed."
            )
    return parities, failures


def _compiled(contents: Contents, runtime: Runtime, images: np.ndarray) -> tuple[dict, list[str]]:
    """Compares LiteRT's CompiledModel with its Interpreter; returns results and failures."""
    fixed = runtime.metadata["batch_size"]
    sizes = (fixed,) if fixed else _SIZES
    images = np.resize(images, (max(sizes), *images.shape[1:]))
    requests = []
    for name in runtime.signatures:
        arrays = draw_inputs(contents, name, images)
        requests += [(name, {k: array[:size] for k, array in arrays.items()}) for size in sizes]
    wanted, answers = runtime.run_all(requests), runtime.run_compiled(requests)
    tolerance = min(TOLERANCES[runtime.metadata["quantization"]], _APART)
    signatures = contents.model.export_signatures()
    found, failures = {}, []
    for (name, arrays), expected, answer in zip(requests, wanted, answers, strict=True):
        call = name, len(next(iter(arrays.values())))
        which = f"LiteRT's CompiledModel, given {call[1]} examples of {name},"
        if isinstance(answer, str):
            found[call] = answer
        elif answer is None:
            failures.append(f"{which} ends the process.")
        else:
            try:
                found[call] = _compare(name, expected, answer, signatures[name].scales)[0]
            except ValueError as error:
                failures.append(f"{which} fails: {error}")
                continue
            if not found[call] <= tolerance:
                failures.append(f"{which} differs from the Interpreter by {found[call]:.2g}.")
    return found, failures


def _takes_bytes(runtime: Runtime) -> bool:
    tensors = [
        tensor
        for each in runtime.signatures.values()
        for kind in ("inputs", "outputs")
        for name, tensor in each[kind].items()
        if name == "image"
    ]
    return any(tensor["dtype"] == "uint8" for tensor in tensors)


def _tensor(array: np.ndarray) -> tf.Tensor:
    """Converts an array to the model's input, which is never bytes."""
    return tf.constant(array / np.float32(255) if array.dtype == np.uint8 else array)


def _compare(signature: str, expected: Mapping, actual: Mapping, scales: Mapping) -> tuple:
    """Returns the largest and the mean difference, relative to max(scale or 1, |value|)."""
    if set(expected) != set(actual):
        raise ValueError(f"{signature} returns {sorted(actual)}, not {sorted(expected)}.")
    differences = []
    for name, value in expected.items():
        value, other = _unit(np.asarray(value)), actual[name]
        if value.shape != other.shape:
            raise ValueError(f"{signature}'s {name} is {other.shape}, not {value.shape}.")
        scale = np.maximum(scales.get(name, 1), np.abs(value))
        difference = np.abs(_unit(other) - value) / scale
        if other.dtype == np.uint8:  # rounding to the nearest byte is no difference
            difference = np.maximum(0, difference - 0.5 / 255)
        differences.append(difference.ravel())
    differences = np.concatenate(differences)
    return float(differences.max()), float(differences.mean())


def _unit(array: np.ndarray) -> np.ndarray:
    return array / np.float32(255) if array.dtype == np.uint8 else array


def _milliseconds(runtime: Runtime, name: str, arrays: Mapping[str, np.ndarray]) -> float:
    if "count" in arrays:
        one = {"count": np.int32(1), "seed": arrays["seed"]}
    else:
        one = {key: array[:1] for key, array in arrays.items()}
    times = []
    for _ in range(_CALLS + 1):
        start = time.perf_counter()
        runtime.run(name, **one)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times[1:]))


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sum(file.stat().st_size for file in files)
