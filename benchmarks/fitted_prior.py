"""Samples of an autoencoder by the distribution that its latent variables are drawn from.

    python benchmarks/fitted_prior.py vae_nouns mmd_vae_clothing_64 --data-dir DATA

N(0, I), one normal distribution fitted to q(z) (`fit_prior`), and mixtures of 10 and 50 by
scikit-learn, each fitted to one draw of q(z|x) for each of up to 10,000 training images. A row is
the kernel distance of 1,000 samples from 1,000 test images by 50 principal components of training
images, beside that of reconstructions, of copies of the mean image and of other test images.
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from sklearn.mixture import GaussianMixture

from keras_infomodels import from_preset, zoo
from keras_infomodels.evaluation import fit_features, kernel_distance
from keras_infomodels.zoo.figures import load_images
from keras_infomodels.zoo.recipes import Recipe


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presets", nargs="+")
    parser.add_argument("--data-dir")
    arguments = parser.parse_args()
    for count, name in enumerate(arguments.presets):
        found = distances(name, arguments.data_dir)
        if not count:
            print("| preset |", " | ".join(found), "|")
            print("|---|" + "---|" * len(found))
        print(f"| `{name}` |", " | ".join(f"{v:.3f}" for v in found.values()), "|", flush=True)


def distances(name: str, data_dir: str | None) -> dict[str, float]:
    """Kernel distances from test images, by what is compared with them."""
    recipe = Recipe.load(zoo.PRESETS / name / "recipe.toml")
    training, _ = load_images(recipe, recipe.data.train, data_dir, 10_000)
    test, _ = load_images(recipe, recipe.data.test, data_dir, 2_000)
    real, other = np.array_split(test, 2)
    model, features, size = from_preset(name), fit_features(training[:4000]), len(real)
    target, rng = features(real), np.random.default_rng(0)
    _, loc, scale = model.encoding_table(training, 100)
    z = loc + scale * rng.normal(size=loc.shape)
    draws = {"N(0, I)": rng.normal(size=(size, z.shape[1]))}
    normal = model.fit_prior(training)
    draws["fitted"] = normal.distribution().sample(size, seed=[0, 0]).numpy()
    for components in (10, 50):
        mixture = GaussianMixture(components, random_state=0, reg_covar=1e-4).fit(z)
        draws[f"mixture of {components}"] = mixture.sample(size)[0]
    images = {key: decoded(model, value) for key, value in draws.items()}
    images["reconstructions"] = model.predict(other, batch_size=100, verbose=0)
    images["mean image"] = np.broadcast_to(training.mean(axis=0), real.shape)
    images["other images"] = other
    return {
        key: kernel_distance(features(np.clip(value, 0, 1)), target)
        for key, value in images.items()
    }


def decoded(model, z: np.ndarray) -> np.ndarray:
    parts = np.array_split(z.astype(np.float32), 10)
    return np.concatenate([np.asarray(model.decode(part).mean()) for part in parts])


if __name__ == "__main__":
    main()
