"""What clients that nobody here wrote compute from exported files, beside Keras.

    python benchmarks/clients.py MODEL... > table.md

Each MODEL is whatever `load_model` takes. It is exported as a float32 `.tflite` and a SavedModel,
and every signature is called with 1 and with 8 examples:

    Interpreter     LiteRT's, on the .tflite
    CompiledModel   LiteRT's, on the .tflite, in a process of its own
    TensorFlow      the SavedModel, in a process without Keras and this library
    onnxruntime     the SavedModel's signatures, converted by tf2onnx
    OpenVINO        the .tflite, of which it reads subgraph 0: `generate`, `encode` or `classify`

A cell is the largest difference from Keras, relative to max(1, |value|), and what a client does not
run. The last two clients need `pip install tf2onnx onnxruntime openvino`; without them their cells
say so. docs/export.md has the table.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

SIZES = (1, 8)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    arguments = parser.parse_args()

    from keras_infomodels import export, load_model

    print("| class | model |", " | ".join(CLIENTS), "|")
    print("|---|---|" + "---|" * len(CLIENTS))
    for name in map(Path, arguments.models):
        model = load_model(name)
        with tempfile.TemporaryDirectory() as folder:
            lite = export.to_tflite(model, Path(folder) / "model.tflite", force=True)
            saved = export.to_saved_model(model, Path(folder) / "saved_model", force=True)
            calls = list(expected(model))
            cells = []
            for client, run in CLIENTS.items():
                cells.append(cell(run, lite, saved, calls))
                print(name.name, client, cells[-1], file=sys.stderr, flush=True)
        print(f"| {type(model).__name__} | {name.name} | {' | '.join(cells)} |", flush=True)


def expected(model):
    """(signature, arrays, Keras' outputs) of every call."""
    import tensorflow as tf

    from keras_infomodels.export.contents import Contents
    from keras_infomodels.export.inputs import draw_inputs, noise_images

    contents = Contents(model)
    images = noise_images(contents.model, max(SIZES))
    for name, signature in contents.signatures.items():
        if signature.saved_model_only:
            continue
        arrays = draw_inputs(contents, name, images)
        for size in SIZES:
            given = {key: array[:size] for key, array in arrays.items()}
            outputs = signature.function(**{k: tf.constant(v) for k, v in given.items()})
            yield name, given, {key: value.numpy() for key, value in outputs.items()}


def cell(run, lite: Path, saved: Path, calls: list) -> str:
    """The largest difference of a client, and the signatures that it does not run."""
    try:
        answers = run(lite, saved, [(name, arrays) for name, arrays, _ in calls])
    except ModuleNotFoundError as error:
        return f"{error.name} is not installed"
    except Exception as error:
        print(f"{run.__name__}: {error}", file=sys.stderr)
        return "none"
    largest, refused = None, []
    for (name, _, wanted), answer in zip(calls, answers, strict=True):
        if isinstance(answer, dict):
            largest = max(largest or 0, *(difference(answer[key], wanted[key]) for key in wanted))
        elif name not in refused:
            refused.append(name)
    runs = [name for name in dict.fromkeys(name for name, _, _ in calls) if name not in refused]
    if len(runs) < len(refused):
        return f"{largest:.1e} ({', '.join(runs)} alone)" if runs else "none"
    return f"{largest:.1e}" + (f" (not {', '.join(refused)})" if refused else "")


def difference(found: np.ndarray, wanted: np.ndarray) -> float:
    if found.shape != wanted.shape:
        return np.inf
    return float((np.abs(found - wanted) / np.maximum(1, np.abs(wanted))).max())


def interpreter(lite: Path, saved: Path, requests: list) -> list:
    from keras_infomodels.export.runtime import Runtime

    return Runtime(lite).run_all(requests)


def compiled_model(lite: Path, saved: Path, requests: list) -> list:
    from keras_infomodels.export.runtime import Runtime

    return Runtime(lite).run_compiled(requests)


def tensorflow(lite: Path, saved: Path, requests: list) -> list:
    from keras_infomodels.export.runtime import Runtime

    return Runtime(saved, isolated=True, trust=True).run_all(requests)


def onnxruntime(lite: Path, saved: Path, requests: list) -> list:
    import onnxruntime
    import tensorflow as tf
    import tf2onnx

    loaded, sessions, answers = tf.saved_model.load(str(saved)), {}, []
    for name, arrays in requests:
        if name not in sessions:
            signature = loaded.signatures[name]

            def renamed(*tensors, signature=signature, names=tuple(arrays)):
                # tf2onnx refuses an input and an output of one name, such as "image".
                outputs = signature(**dict(zip(names, tensors, strict=True)))
                return {f"{key}_out": value for key, value in outputs.items()}

            specs = [
                tf.TensorSpec((None, *array.shape[1:]), array.dtype, name=key)
                for key, array in arrays.items()
            ]
            try:
                function = tf.function(renamed, input_signature=specs)
                onnx, _ = tf2onnx.convert.from_function(function, specs, opset=18)
                sessions[name] = onnxruntime.InferenceSession(onnx.SerializeToString())
            except Exception as error:
                sessions[name] = str(error)
                print(f"{name}: {str(error)[:300]}", file=sys.stderr)
        session = sessions[name]
        if isinstance(session, str):
            answers.append(session)
            continue
        given = {node.name: arrays[node.name] for node in session.get_inputs()}
        names = [node.name.removesuffix("_out") for node in session.get_outputs()]
        answers.append(dict(zip(names, session.run(None, given), strict=True)))
    return answers


def openvino(lite: Path, saved: Path, requests: list) -> list:
    import openvino

    from keras_infomodels.export.flatbuffer import Flatbuffer

    flatbuffer = Flatbuffer(lite.read_bytes())
    (first,) = (name for name, each in flatbuffer.signatures.items() if each.subgraphIndex == 0)
    names = {}  # OpenVINO knows tensors by their names in the graph
    for kind in ("inputs", "outputs"):
        tensors = flatbuffer.model.subgraphs[0].tensors
        for each in getattr(flatbuffer.signatures[first], kind):
            names[tensors[each.tensorIndex].name.decode()] = each.name.decode()
    core, answers = openvino.Core(), []
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    model = core.compile_model(core.read_model(str(lite)), "CPU", settings)
    for name, arrays in requests:
        if name != first:
            answers.append("not subgraph 0")
            continue
        given = {port: arrays[names[port.get_any_name()]] for port in model.inputs}
        results = model(given)
        answers.append({names[port.get_any_name()]: results[port] for port in model.outputs})
    return answers


CLIENTS = {
    "Interpreter": interpreter,
    "CompiledModel": compiled_model,
    "TensorFlow": tensorflow,
    "onnxruntime": onnxruntime,
    "OpenVINO": openvino,
}


if __name__ == "__main__":
    main()
