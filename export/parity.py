"""Proof that an exported file computes what the Keras model computes."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels.export import standalone

__all__ = ["TOLERANCE", "Parity", "check_parity"]

TOLERANCE = 1e-4
"""Largest difference allowed to a float32 export, relative to max(1, |value|)."""


@dataclass(frozen=True)
class Parity:
    """Differences of one signature from Keras, relative to max(1, |value|)."""

    largest: float
    mean: float


def check_parity(
    model: keras.Model,
    path: str | Path,
    images: np.ndarray | None = None,
    isolated: bool = False,
) -> dict[str, Parity]:
    """Compares every signature of an exported file with the model.

    Args:
        model: what was exported.
        path: a SavedModel folder or a `.tflite` file.
        images: inputs (n, height, width, channels); None for 16 of uniform noise. Latent inputs
            are n standard normal draws.
        isolated: whether the file runs in a process that cannot import this library or TFP, nor
            TensorFlow or Keras for a `.tflite`.

    Returns:
        The differences of each signature.

    Raises:
        ValueError: a difference above `TOLERANCE`, or a number that is not finite.
        RuntimeError: the isolated process failed.
    """
    signatures = model.export_signatures()
    inputs = {name: _inputs(specs, images) for name, (_, specs) in signatures.items()}
    run = _run_isolated if isolated else standalone.run
    actual = run(path, inputs)
    return {
        name: _compare(name, path, function(*map(tf.constant, inputs[name].values())), actual[name])
        for name, (function, _) in signatures.items()
    }


def _inputs(specs, images: np.ndarray | None) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    count = 16 if images is None else len(images)
    arrays = {}
    for spec in specs:
        shape = (count, *spec.shape[1:])
        if spec.name == "image":
            array = random.uniform(size=shape) if images is None else np.asarray(images)
        else:
            array = random.normal(size=shape)
        arrays[spec.name] = array.astype(spec.dtype.as_numpy_dtype)
    return arrays


def _compare(signature: str, path, expected: Mapping, actual: Mapping) -> Parity:
    if set(expected) != set(actual):
        raise ValueError(f"{path}: {signature} returns {sorted(actual)}, not {sorted(expected)}.")
    differences = []
    for name, value in expected.items():
        value = np.asarray(value)
        difference = np.abs(actual[name] - value) / np.maximum(1, np.abs(value))
        differences.append(difference.ravel())
    differences = np.concatenate(differences)
    # Not `largest > TOLERANCE`: a NaN must not pass.
    if not differences.max() <= TOLERANCE:
        raise ValueError(
            f"{path}: the signature {signature} differs from the Keras model by "
            f"{differences.max():.2g} (relative to max(1, |value|)); at most {TOLERANCE:g} is "
            "rounding. Do not use this file, and report it."
        )
    return Parity(float(differences.max()), float(differences.mean()))


def _run_isolated(path: str | Path, inputs: standalone.Tensors) -> standalone.Tensors:
    with tempfile.TemporaryDirectory() as folder:
        given, results = Path(folder) / "inputs.npz", Path(folder) / "outputs.npz"
        flat = {f"{name}/{key}": v for name, arrays in inputs.items() for key, v in arrays.items()}
        np.savez(given, **flat)
        command = [sys.executable, "-I", standalone.__file__, path, given, results]
        process = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        if process.returncode:
            raise RuntimeError(f"Running {path} on its own failed:\n{process.stderr[-2000:]}")
        with np.load(results, allow_pickle=False) as archive:
            return standalone.nest(archive)
