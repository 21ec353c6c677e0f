"""What each addition of the recipe infogan_mnist is worth: shorter runs with one changed.

    python benchmarks/ablation.py [--seeds 100] [--only NAME ...] [--data-dir D] [--out DIR]

Each row is a run of its own with the same seed, networks, epochs and data: 9 epochs, and continuous
codes of full weight from the beginning. The error is the one-to-one test error of the category.
Finished runs are not run again.
"""

import argparse
from pathlib import Path

import numpy as np

SHORTER = {"epochs": 9, "continuous_warmup_epochs": 0}
CHANGES = {
    "the shorter recipe": {},
    "without stratified codes": {"stratified": None},
    "without consistency on generated images": {"fake_consistency_weight": None},
    "without consistency on real images": {
        "real_consistency_weight": None,
        "consistency": None,
        "consistency_warmup_epochs": 0,
    },
    "consistency on real images from the first step": {"consistency_warmup_epochs": 0},
    "real images moved affinely alone": {"consistency": "affine"},
    "continuous codes from 0 over two epochs": {"continuous_warmup_epochs": 2},
    "alternating updates": {"update": "alternating"},
    "bfloat16 and FusedAdam": {"dtype": "mixed_bfloat16"},
    "constant learning rates": {"schedule": "constant"},
    "with averaged weights": {"weight_average": 0.999},
    "with the best of three starts": {"starts": 3},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[100])
    parser.add_argument("--only", nargs="+", choices=CHANGES, default=list(CHANGES))
    parser.add_argument("--data-dir")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"))
    arguments = parser.parse_args()

    from keras_infomodels import zoo
    from keras_infomodels.zoo.recipes import Recipe
    from keras_infomodels.zoo.seeds import train_seeds

    table = ["| | test error, mean | each | information real digit (nats) |", "|---|---|---|---|"]
    for name in arguments.only:
        settings = SHORTER | CHANGES[name]
        recipe = Recipe.load(zoo.PRESETS / "infogan_mnist" / "recipe.toml", **settings)
        folder = arguments.out / name.replace(" ", "_")
        rows = train_seeds(recipe, arguments.seeds, folder, arguments.data_dir, resume=True)
        errors = [100 * row["one_to_one_error"] for row in rows]
        each = ", ".join(f"{error:.2f}" for error in errors)
        real = np.mean([row["information_real_digit"] for row in rows])
        table.append(f"| {name} | {np.mean(errors):.2f} % | {each} | {real:.3f} |")
    print("\n".join(table))


if __name__ == "__main__":
    main()
