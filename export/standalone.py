"""Runs an exported file without this library; needs TensorFlow for a SavedModel, LiteRT else.

As a script, in a process of its own: `python standalone.py FILE inputs.npz outputs.npz`, where the
archives hold arrays named SIGNATURE/TENSOR. It then refuses to load what a user of the file need
not have: this library and TensorFlow Probability, and for a `.tflite` TensorFlow and Keras too.
"""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

__all__ = ["nest", "run"]

Tensors = dict[str, dict[str, np.ndarray]]
"""Signature -> tensor name -> array."""


def run(path: str | Path, inputs: Tensors) -> Tensors:
    """Calls the signatures of a SavedModel folder or a `.tflite` file.

    Args:
        path: the folder, or the file that ends in .tflite.
        inputs: arrays for each signature to call.

    Returns:
        The outputs of each of these signatures.
    """
    signatures = _tflite(path) if Path(path).suffix == ".tflite" else _saved_model(path)
    return {
        name: {key: np.asarray(value) for key, value in signatures(name)(**arrays).items()}
        for name, arrays in inputs.items()
    }


def _saved_model(path):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))

    def signature(name):
        function = loaded.signatures[name]
        return lambda **arrays: function(**{k: tf.constant(v) for k, v in arrays.items()})

    return signature


def _tflite(path):
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(str(path)).get_signature_runner


def nest(archive: np.lib.npyio.NpzFile) -> Tensors:
    """The arrays of an archive whose names are SIGNATURE/TENSOR."""
    nested = defaultdict(dict)
    for key in archive.files:
        signature, tensor = key.split("/")
        nested[signature][tensor] = archive[key]
    return nested


def _main(path: str, inputs: str, outputs: str):
    foreign = ["keras_infomodels", "tensorflow_probability"]
    if path.endswith(".tflite"):
        foreign += ["tensorflow", "keras", "tf_keras"]
    for name in foreign:
        sys.modules[name] = None  # importing it now fails
    with np.load(inputs, allow_pickle=False) as archive:
        results = run(path, nest(archive))
    flat = {f"{name}/{key}": v for name, tensors in results.items() for key, v in tensors.items()}
    np.savez(outputs, **flat)


if __name__ == "__main__":
    _main(*sys.argv[1:])
