"""Which settings of an InfoGAN recipe to take, found without test images or labels.

    python benchmarks/choose_infogan.py [--seeds 102 103] [--only NAME ...]
    python benchmarks/choose_infogan.py infogan_paper_mnist

Each candidate is trained once a seed, in bfloat16. The better one is the one whose seeds agree:
the share of training and validation images that two seeds put into different categories, categories
being matched one to one. Confidence alone would not do: H(mean Q) - mean H(Q) is higher without
consistency on real images, where Q is sure of what a small move of the image changes. Neither the
test split nor a label is read. Finished runs are not run again.
"""

import argparse
import itertools
import json
import os
from pathlib import Path

import numpy as np

CANDIDATES = {
    "infogan_mnist": {
        "14 epochs": {"epochs": 14},
        "5 epochs": {"epochs": 5},
        "5 epochs, real consistency 0.5": {"epochs": 5, "real_consistency_weight": 0.5},
        "5 epochs, real consistency 2": {"epochs": 5, "real_consistency_weight": 2.0},
        "5 epochs, fake consistency 0.5": {"epochs": 5, "fake_consistency_weight": 0.5},
        "5 epochs, fake consistency 2": {"epochs": 5, "fake_consistency_weight": 2.0},
        "5 epochs, continuous codes from the first step": {
            "epochs": 5,
            "continuous_warmup_epochs": 0,
        },
        "5 epochs, half the rates": {
            "epochs": 5,
            "learning_rate": 5e-4,
            "discriminator_learning_rate": 2e-4,
        },
    },
    "infogan_paper_mnist": {
        "12 epochs": {"epochs": 12},
        "30 epochs": {"epochs": 30},
    },
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("preset", nargs="?", choices=CANDIDATES, default="infogan_mnist")
    parser.add_argument("--seeds", type=int, nargs="+", default=[102, 103])
    parser.add_argument("--only", nargs="+", help="names of candidates; all if left out")
    parser.add_argument("--data-dir")
    parser.add_argument("--out", type=Path, default=Path("runs/choose_infogan"))
    arguments = parser.parse_args()
    candidates = CANDIDATES[arguments.preset]
    if unknown := set(arguments.only or ()) - set(candidates):
        parser.error(f"no candidate {sorted(unknown)} of {arguments.preset}: {list(candidates)}")
    out = arguments.out / arguments.preset

    from keras_infomodels import zoo
    from keras_infomodels.evaluation import clustering_error
    from keras_infomodels.zoo.recipes import Recipe

    table = ["| | seeds disagree | H(mean Q) - mean H(Q), validation (nats) |", "|---|---|---|"]
    rows = {}
    for name in arguments.only or candidates:
        found = []
        for seed in arguments.seeds:
            path = out / name.replace(" ", "_") / f"seed_{seed}.npz"
            if not path.exists():
                settings = {"dtype": "mixed_bfloat16", "seed": seed} | candidates[name]
                recipe = Recipe.load(zoo.PRESETS / arguments.preset / "recipe.toml", **settings)
                path.parent.mkdir(parents=True, exist_ok=True)
                part = path.with_suffix(".part.npz")
                np.savez(part, **categories(recipe, arguments.data_dir))
                os.replace(part, path)
            found.append(np.load(path))
        pairs = itertools.combinations([each["category"] for each in found], 2)
        rows[name] = {
            "seeds": arguments.seeds,
            "disagreement": float(np.mean([clustering_error(*pair).error for pair in pairs])),
            "information_real": float(np.mean([each["information_real"] for each in found])),
        }
        apart, real = rows[name]["disagreement"], rows[name]["information_real"]
        table.append(f"| {name} | {100 * apart:.2f} % | {real:.3f} |")
        (out / "table.json").write_text(json.dumps(rows, indent=1) + "\n")
    print("\n".join(table))


def categories(recipe, data_dir) -> dict[str, np.ndarray]:
    """Trains a recipe; the category of each training and validation image, without their labels."""
    from keras_infomodels.zoo.build import build_model, load_split
    from keras_infomodels.zoo.figures import load_images

    training = load_split(recipe, recipe.data.train, data_dir)
    validation = load_split(recipe, recipe.data.validation, data_dir)
    epochs = recipe.training.epochs
    model = build_model(recipe, training.element_spec.shape[1:], epochs * len(training))
    model.fit(training, epochs=epochs, verbose=2)
    logs = model.evaluate(validation, return_dict=True, verbose=0)
    images = [
        load_images(recipe, split, data_dir)[0]
        for split in (recipe.data.train, recipe.data.validation)
    ]
    return {
        "category": model.category_logits(np.concatenate(images)).argmax(axis=-1),
        "information_real": logs["information_real_digit"],
    }


if __name__ == "__main__":
    main()
