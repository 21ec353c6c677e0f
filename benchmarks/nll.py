"""Importance-weighted NLL of a trained model on its test images, in nats.

    infomodels train --recipe zoo/presets/vae_binarized_mnist/recipe.toml --out runs/vae_binarized
    python benchmarks/nll.py runs/vae_binarized

All test images with 200 samples each, and the first 1,000 with 1,000 each. The values of finished
images are kept beside the model, so that an interrupted call goes on.
"""

import argparse
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a folder that infomodels train has made")
    parser.add_argument("--data-dir")
    arguments = parser.parse_args()

    from keras_infomodels import datasets, load_model
    from keras_infomodels.evaluation import log_likelihood
    from keras_infomodels.zoo.recipes import Recipe

    recipe = Recipe.load(arguments.folder / "recipe.toml")
    model = load_model(arguments.folder)
    images, _ = datasets.load_arrays(
        recipe.dataset,
        recipe.test_split,
        data_dir=arguments.data_dir,
        image_size=recipe.image_size,
    )
    images = images / images.dtype.type(255) if images.max() > 1 else images
    print(f"{recipe.dataset}, {model.likelihood!r}")
    for count, samples, batch in ((len(images), 200, 25), (1000, 1000, 5)):
        path = arguments.folder / "run" / f"log_likelihood_{samples}.npz"
        estimate = log_likelihood(model, images[:count], samples, batch, path=path)
        print(f"NLL {-estimate.nats:.2f} ± {estimate.standard_error:.2f}", end=" ")
        print(f"({count} images, {samples} samples)", flush=True)


if __name__ == "__main__":
    main()
