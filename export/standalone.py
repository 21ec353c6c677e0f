"""Runs an exported file without this library; needs TensorFlow for a SavedModel, LiteRT else.

As a script, in a process of its own: `python standalone.py TASK FILE FOLDER`, with requests in
FOLDER/requests.npz, whose arrays are named NUMBER/SIGNATURE/TENSOR, the numbers counting calls. The
answer of each call goes to FOLDER/NUMBER.npz. The task is

    run         by LiteRT's Interpreter, or TensorFlow for a SavedModel
    compile     by LiteRT's CompiledModel; what it refuses goes to FOLDER/NUMBER.txt
    describe    what the file's signatures take and return, to FOLDER/interface.json

It refuses to load what a user of the file need not have: this library and TensorFlow Probability,
and for a `.tflite` TensorFlow and Keras too.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

__all__ = [
    "Request",
    "compiled",
    "flatten",
    "interface",
    "interpreter",
    "lite_rt",
    "nest",
    "saved_model",
]

Request = tuple[str, dict[str, np.ndarray]]
"""Signature, and its arrays by name."""

MEMORY, BYTES = 4 * 2**30, 2 * 2**30
"""Largest address space of the process that runs a `.tflite`, and largest file that it writes."""


def saved_model(path: str | Path):
    """Returns a dict from signature to function of arrays by keyword, for a SavedModel folder.

    Args:
        path: str or Path. Folder of the SavedModel.
    """
    import tensorflow as tf

    signatures = tf.saved_model.load(str(path)).signatures

    def signature(name):
        def call(**arrays):
            outputs = signatures[name](**{k: tf.constant(v) for k, v in arrays.items()})
            return {key: value.numpy() for key, value in outputs.items()}

        return call

    return signature


def lite_rt(content: bytes, threads: int | None = None):
    """Returns a dict from signature to function of arrays by keyword, for a `.tflite`'s bytes."""
    return interpreter(content, threads).get_signature_runner


def interpreter(content: bytes, threads: int | None = None):
    """Returns LiteRT's Interpreter of a `.tflite`'s bytes."""
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=content, num_threads=threads)


def interface(interpreter) -> dict[str, dict]:
    """Returns {signature: {"inputs" and "outputs": {name: {"shape", "dtype"}}}} of an Interpreter.

    Shapes begin with the batch; -1 stands for a free size.
    """
    found = {}
    for name in interpreter.get_signature_list():
        runner = interpreter.get_signature_runner(name)
        ends = {"inputs": runner.get_input_details(), "outputs": runner.get_output_details()}
        found[name] = {
            kind: {
                key: {
                    "shape": [int(size) for size in each["shape_signature"]],
                    "dtype": np.dtype(each["dtype"]).name,
                }
                for key, each in tensors.items()
            }
            for kind, tensors in ends.items()
        }
    return found


def compiled(content: bytes):
    """Returns a function for each signature, run by LiteRT's CompiledModel.

    A failure in CompiledModel may end the process instead of raising an error.
    """
    from ai_edge_litert.compiled_model import CompiledModel

    model = CompiledModel.from_buffer(content)

    def signature(name):
        def call(**arrays):
            shapes = model.get_input_tensor_details(name)
            for key, array in arrays.items():
                if list(shapes[key]["shape"]) != list(array.shape):
                    model.resize_input_tensor_by_name(name, key, array.shape)
            inputs, outputs = {}, {}
            for key, array in arrays.items():
                inputs[key] = model.create_input_buffer_by_name(name, key)
                inputs[key].write(array)
            for key in model.get_output_tensor_details(name):
                outputs[key] = model.create_output_buffer_by_name(name, key)
            model.run_by_name(name, inputs, outputs)
            answers = {}
            for key, each in model.get_output_tensor_details(name).items():
                count = int(np.prod(each["shape"]))
                answers[key] = np.array(outputs[key].read(count, each["dtype"]))
                answers[key] = answers[key].reshape(each["shape"])
            return answers

        return call

    return signature


def flatten(requests: list[Request]) -> dict[str, np.ndarray]:
    """Returns arrays named NUMBER/SIGNATURE/TENSOR."""
    return {
        f"{number}/{name}/{key}": array
        for number, (name, arrays) in enumerate(requests)
        for key, array in arrays.items()
    }


def nest(archive: np.lib.npyio.NpzFile) -> list[Request]:
    """Inverse of `flatten`."""
    requests = {}
    for key in archive.files:
        number, name, tensor = key.split("/")
        requests.setdefault(int(number), (name, {}))[1][tensor] = archive[key]
    return [requests[number] for number in sorted(requests)]


def _main(task: str, path: str, folder: Path):
    is_lite = path.endswith(".tflite")
    foreign = ["keras_infomodels", "tensorflow_probability"]
    if is_lite:
        foreign += ["tensorflow", "keras", "tf_keras"]
        _limit()
    for name in foreign:
        sys.modules[name] = None  # importing it now fails
    content = Path(path).read_bytes() if is_lite else b""
    if task == "describe":
        (folder / "interface.json").write_text(json.dumps(interface(interpreter(content))))
        return
    opener = {"run": lite_rt, "compile": compiled}[task]
    signature = opener(content) if is_lite else saved_model(path)
    with np.load(folder / "requests.npz", allow_pickle=False) as archive:
        requests = nest(archive)
    for number, (name, arrays) in enumerate(requests):
        try:
            np.savez(folder / f"{number}.npz", **signature(name)(**arrays))
        except Exception as error:
            if task == "run":
                raise
            (folder / f"{number}.txt").write_text(str(error))


def _limit():
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, BYTES)):
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _main(*sys.argv[1:3], Path(sys.argv[3]))
    # Freeing a CompiledModel that failed may crash the process.
    sys.stdout.flush()
    os._exit(0)
