"""Time of a call for one image: methods of the models beside the signatures of their SavedModels.

    python benchmarks/one_image.py [--calls 300]

Milliseconds of processor time, on one thread, medians of calls that take turns. A method's row has
the call, and the call with the value that the signature returns, such as `encode(x).mean()`. The
SavedModel's call is `tf.saved_model.load(folder).signatures[name]`.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import keras_infomodels as ki

KEPT = []


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=300, help="of each function")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    print("| | call | and its value | SavedModel | call relative to it |\n|---|---|---|---|---|")
    for rows in (autoencoder(), infogan()):
        for name, times in compare(rows, arguments.calls).items():
            call, full, saved = times
            print(f"| `{name}` | {call:.2f} | {full:.2f} | {saved:.2f} | {call / saved:.1f} |")


def autoencoder() -> dict:
    """Three functions for each method of a VAE: call, call with property, signature."""
    encoder, decoder = ki.networks.MLPEncoder(), ki.networks.MLPDecoder()
    model = ki.VAE(encoder, decoder)
    x = np.random.default_rng(0).integers(0, 2, (1, 28, 28, 1)).astype(np.float32)
    image, z = tf.constant(x), tf.zeros((1, 10))
    saved = signatures(model)

    return {
        "encode": (
            lambda: model.encode(image),
            lambda: model.encode(image).mean(),
            lambda: saved["encode"](image=image),
        ),
        "decode": (
            lambda: model.decode(z),
            lambda: model.decode(z).mean(),
            lambda: saved["decode"](z=z),
        ),
        "reconstruct": twice(
            lambda: model.reconstruct(image), lambda: saved["reconstruct"](image=image)
        ),
        "generate": twice(lambda: model.generate(1, seed=0), lambda: saved["generate"](noise=z)),
        "predict": twice(
            lambda: model.predict(x, verbose=0), lambda: saved["reconstruct"](image=image)
        ),
    }


def infogan() -> dict:
    """The same for an InfoGAN with a category and two continuous codes."""
    from keras_infomodels.distributions import Categorical, Code, Uniform

    codes = [Code("digit", Categorical(10)), Code("c1", Uniform()), Code("c2", Uniform())]
    generator = ki.networks.ConvGenerator(latent_dim=74)
    model = ki.InfoGAN(generator, ki.networks.ConvDiscriminator(), 62, codes)
    image, latents = tf.zeros((1, 28, 28, 1)), np.zeros((1, 74), np.float32)
    saved, widths = signatures(model), {"noise": 62, "digit": 10, "c1": 1, "c2": 1}
    given = {name: tf.zeros((1, width)) for name, width in widths.items()}

    def infer():
        found = model.infer_codes(image)
        return found["digit"].probs_parameter(), found["c1"].mean(), found["c2"].mean()

    return {
        "infer_codes": (
            lambda: model.infer_codes(image),
            infer,
            lambda: saved["infer_codes"](image=image),
        ),
        "InfoGAN.generate": twice(
            lambda: model.generate(1, seed=0), lambda: saved["generate"](**given)
        ),
        "InfoGAN.predict": twice(
            lambda: model.predict(latents, verbose=0), lambda: saved["generate"](**given)
        ),
    }


def twice(call, saved) -> tuple:
    return call, call, saved


def signatures(model) -> dict:
    folder = Path(tempfile.mkdtemp()) / "model"
    ki.export.to_saved_model(model, folder)
    loaded = tf.saved_model.load(folder)
    KEPT.append(loaded)  # signatures do not keep the variables
    return dict(loaded.signatures)


def compare(rows: dict, calls: int) -> dict[str, list[float]]:
    """Median milliseconds of each function, with calls that take turns."""
    times = {name: [[] for _ in functions] for name, functions in rows.items()}
    for step in range(calls + 5):
        for name, functions in rows.items():
            for function, own in zip(functions, times[name], strict=True):
                before = time.process_time()
                function()
                if step >= 5:  # the first calls trace
                    own.append(1000 * (time.process_time() - before))
    return {name: [statistics.median(own) for own in each] for name, each in times.items()}


if __name__ == "__main__":
    main()
