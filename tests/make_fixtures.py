"""Writes the tiny presets that every later version must load: python tests/make_fixtures.py NAME.

A preset that is there already is never written again: it stands for the files that people have.
"""

import sys
from pathlib import Path

import keras
import numpy as np

from keras_infomodels import models, networks
from keras_infomodels.distributions import (
    Categorical,
    CategoricalNormal,
    Code,
    Latents,
    Normal,
    Uniform,
)

PRESETS = Path(__file__).parent / "fixtures" / "presets"


def make(name: str):
    folder = PRESETS / name
    if folder.exists():
        raise SystemExit(f"{folder} exists; it is not written again.")
    keras.utils.set_random_seed(0)
    shared = {"image_shape": (6, 6, 1)}
    if name in ("gan", "infogan"):
        return make_gan(name, folder)
    if name == "classifier":
        return make_classifier(folder)
    categories = 3 if name.endswith("_with_category") else 0
    encoder = networks.ConvEncoder(
        filters=(2, 3), width=4, latent_dim=2, categories=categories, name="encoder", **shared
    )
    decoder = networks.MLPDecoder(widths=(4,), latent_dim=2 + categories, name="decoder", **shared)
    model = models.MODELS[name.removesuffix("_with_category")](
        encoder,
        decoder,
        prior=CategoricalNormal(categories, 2) if categories else None,
        likelihood="bernoulli_stochastic",
        name=name,
    )
    model.save_to_preset(folder)
    x = np.linspace(0, 1, 72, dtype=np.float32).reshape(2, 6, 6, 1)
    q = model.encode(x)
    loc = q["z"].mean() if categories else q.mean()
    np.savez(folder / "expected.npz", x=x, reconstruction=model(x), loc=loc)


def make_gan(name: str, folder: Path):
    codes = [Code("digit", Categorical(3)), Code("a", Uniform()), Code("b", Normal())]
    codes = codes if name == "infogan" else []
    dimension = Latents(2, codes).dimension
    model = models.MODELS[name](
        networks.ConvGenerator((6, 6, 1), dimension, (3, 2), 4, name="generator"),
        networks.ConvDiscriminator((6, 6, 1), (2, 3), 4, name="discriminator"),
        2,
        codes,
        name=name,
    )
    model.save_to_preset(folder)
    x = np.linspace(0, 1, 72, dtype=np.float32).reshape(2, 6, 6, 1)
    latents = np.linspace(-1, 1, 2 * dimension, dtype=np.float32).reshape(2, dimension)
    expected = {"x": x, "latents": latents, "images": model(latents)}
    expected["logits"] = model.judge(x, False)["logits"]
    if codes:
        expected |= {name: q.mean() for name, q in model.infer_codes(x).items()}
    np.savez(folder / "expected.npz", **expected)


def make_classifier(folder: Path):
    network = networks.ConvClassifier((6, 6, 1), 3, (2, 3), 4, name="network")
    model = models.Classifier(network, name="classifier")
    model.save_to_preset(folder)
    x = np.linspace(0, 1, 72, dtype=np.float32).reshape(2, 6, 6, 1)
    expected = {"probabilities": model.classify(x), "features": model.features(x)}
    np.savez(folder / "expected.npz", x=x, **expected)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        make(name)
