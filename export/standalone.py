"""Runs an exported file without this library; needs TensorFlow for a SavedModel, LiteRT else.

As a script, in a process of its own: `python standalone.py FILE requests.npz results.npz`, where
the archives hold arrays named NUMBER/SIGNATURE/TENSOR, the numbers counting calls. It then refuses
to load what a user of the file need not have: this library and TensorFlow Probability, and for a
`.tflite` TensorFlow and Keras too.
"""

import sys
from pathlib import Path

import numpy as np

__all__ = ["Request", "flatten", "lite_rt", "nest", "saved_model"]

Request = tuple[str, dict[str, np.ndarray]]
"""A signature, and its arrays by name."""


def saved_model(path: str | Path):
    """signature -> (function of arrays by keyword -> dict of arrays), of a SavedModel folder."""
    import tensorflow as tf

    signatures = tf.saved_model.load(str(path)).signatures

    def signature(name):
        def call(**arrays):
            outputs = signatures[name](**{k: tf.constant(v) for k, v in arrays.items()})
            return {key: value.numpy() for key, value in outputs.items()}

        return call

    return signature


def lite_rt(content: bytes, threads: int | None = None):
    """signature -> (function of arrays by keyword -> dict of arrays), of a `.tflite`'s bytes."""
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=content, num_threads=threads).get_signature_runner


def flatten(requests: list[Request]) -> dict[str, np.ndarray]:
    """Arrays named NUMBER/SIGNATURE/TENSOR."""
    return {
        f"{number}/{name}/{key}": array
        for number, (name, arrays) in enumerate(requests)
        for key, array in arrays.items()
    }


def nest(archive: np.lib.npyio.NpzFile) -> list[Request]:
    """The inverse of `flatten`."""
    requests = {}
    for key in archive.files:
        number, name, tensor = key.split("/")
        requests.setdefault(int(number), (name, {}))[1][tensor] = archive[key]
    return [requests[number] for number in sorted(requests)]


def _main(path: str, given: str, results: str):
    foreign = ["keras_infomodels", "tensorflow_probability"]
    if path.endswith(".tflite"):
        foreign += ["tensorflow", "keras", "tf_keras"]
    for name in foreign:
        sys.modules[name] = None  # importing it now fails
    is_lite = path.endswith(".tflite")
    signature = lite_rt(Path(path).read_bytes()) if is_lite else saved_model(path)
    with np.load(given, allow_pickle=False) as archive:
        requests = nest(archive)
    answers = [(name, signature(name)(**arrays)) for name, arrays in requests]
    np.savez(results, **flatten(answers))


if __name__ == "__main__":
    _main(*sys.argv[1:])
