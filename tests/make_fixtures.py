"""Writes the tiny presets that every later version must load: python tests/make_fixtures.py NAME.

A preset that is there already is never written again: it stands for the files that people have.
"""

import sys
from pathlib import Path

import keras
import numpy as np

from keras_infomodels import models, networks

PRESETS = Path(__file__).parent / "fixtures" / "presets"


def make(name: str):
    folder = PRESETS / name
    if folder.exists():
        raise SystemExit(f"{folder} exists; it is not written again.")
    keras.utils.set_random_seed(0)
    shared = {"image_shape": (6, 6, 1), "latent_dim": 2}
    model = models.MODELS[name](
        networks.ConvEncoder(filters=(2, 3), width=4, name="encoder", **shared),
        networks.MLPDecoder(widths=(4,), name="decoder", **shared),
        likelihood="bernoulli_stochastic",
        name=name,
    )
    model.save_to_preset(folder)
    x = np.linspace(0, 1, 72, dtype=np.float32).reshape(2, 6, 6, 1)
    np.savez(folder / "expected.npz", x=x, reconstruction=model(x), loc=model.encode(x).mean())


if __name__ == "__main__":
    for name in sys.argv[1:]:
        make(name)
