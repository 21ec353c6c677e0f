"""Importance-weighted NLL of trained models on their test images, in nats.

    infomodels train --recipe zoo/presets/vae_binarized_mnist/recipe.toml --seeds 0-2 \\
        --out runs/vae_binarized
    python benchmarks/nll.py runs/vae_binarized/seed_*

The negative ELBO; all test images with 200 samples each, and the first 1,000 with 1,000 each.
"""

import argparse
import json
from pathlib import Path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "folders", type=Path, nargs="+", help="folders that infomodels train has made"
    )
    parser.add_argument("--data-dir")
    parser.add_argument("--out", type=Path, default=Path("runs/nll.json"))
    arguments = parser.parse_args()

    rows = {}
    for folder in arguments.folders:
        rows[str(folder)] = measure(folder, arguments.data_dir)
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n")


def measure(folder: Path, data_dir) -> dict[str, float]:
    """The figures of one model, printed as they come."""
    from keras_infomodels import datasets, load_model
    from keras_infomodels.evaluation import log_likelihood
    from keras_infomodels.zoo.recipes import Recipe

    recipe = Recipe.load(folder / "recipe.toml")
    model = load_model(folder)
    images, _ = datasets.load_arrays(
        recipe.data.name, recipe.data.test, data_dir=data_dir, image_size=recipe.data.image_size
    )
    images = images / images.dtype.type(255) if images.max() > 1 else images
    metrics = json.loads((folder / "metadata.json").read_text())["metrics"]
    elbo = metrics["reconstruction"] + metrics["rate"]
    found = {"seed": recipe.training.seed, "negative_elbo": elbo}
    print(f"{folder}: {recipe.data.name}, {model.likelihood!r}")
    for count, samples, batch in ((len(images), 200, 25), (1000, 1000, 5)):
        estimate = log_likelihood(model, images[:count], samples, batch)
        found |= {
            f"nll_{samples}_samples": -estimate.nats,
            f"standard_error_{samples}_samples": estimate.standard_error,
        }
        print(f"NLL {-estimate.nats:.2f} ± {estimate.standard_error:.2f}", end=" ")
        print(f"({count} images, {samples} samples)", flush=True)
    return found


if __name__ == "__main__":
    main()
