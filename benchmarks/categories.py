"""Error of the AAE's category on MNIST: clusters without labels, and a class from few labels.

    python benchmarks/categories.py clusters --heads 16 [--seeds 0 1 2] [--consistency affine]
    python benchmarks/categories.py labels --labeled 100 [--seeds 0 1 2]

Recipes: zoo/presets/aae_clusters_mnist and zoo/presets/aae_semisupervised_mnist; the seed draws the
weights, the order, the noise and which labels are kept. Nothing is chosen on the test images or on
labels that training does not get. Clusters: each takes a label of *training* images for its name,
that of its most confident one (the paper's protocol) or its most frequent one, and is scored on the
10,000 test images. A finished run is not run again, an interrupted one goes on.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

FIELDS = ("row", "seed", "most_confident", "majority", "one_to_one", "nmi", "error", "seconds")


def scores(model, recipe, data_dir) -> dict:
    """Clustering figures, or the error where the categories are classes."""
    from keras_infomodels import datasets
    from keras_infomodels.evaluation import clustering_error

    def probabilities(split):
        images, labels = datasets.load_arrays(recipe.dataset, split, data_dir=data_dir)
        parts = [images[i : i + 2000] / np.float32(255) for i in range(0, len(images), 2000)]
        means = [model.encode(part)["category"].mean().numpy() for part in parts]
        return np.concatenate(means), labels

    p, labels = probabilities(recipe.test_split)
    if recipe.labeled is not None:
        return {"error": float(np.mean(p.argmax(1) != labels))}
    named, names = probabilities(recipe.train_split)
    naming = (names, named.argmax(1))
    results = {
        matching: clustering_error(labels, p.argmax(1), matching, naming, named.max(1))
        for matching in ("most_confident", "majority", "one_to_one")
    }
    nmi = results["majority"].nmi
    return {matching: result.error for matching, result in results.items()} | {"nmi": nmi}


def run(row: str, recipe, out: Path, data_dir) -> dict:
    import json

    from keras_infomodels import load_model
    from keras_infomodels.zoo.training import train

    if not (out / "config.json").exists():
        train(recipe, out, data_dir, resume=(out / "recipe.toml").exists())
    model = load_model(out)
    seconds = json.loads((out / "metadata.json").read_text())["training"]["seconds"]
    figures = scores(model, recipe, data_dir)
    return {"row": row, "seed": recipe.seed, "seconds": seconds, **figures}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=("clusters", "labels"))
    parser.add_argument("--heads", type=int, default=16, help="clusters: number of categories")
    parser.add_argument("--labeled", type=int, default=100, help="labels: how many are known")
    parser.add_argument("--consistency", help="adversarial or affine; the recipe's if left out")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data-dir")
    parser.add_argument("--out", type=Path, default=Path("runs/categories"))
    arguments = parser.parse_args()

    from keras_infomodels import zoo
    from keras_infomodels.zoo.recipes import Recipe

    if arguments.task == "clusters":
        name, changes = "aae_clusters_mnist", {"categories": arguments.heads}
    else:
        name, changes = "aae_semisupervised_mnist", {"labeled": arguments.labeled}
    if arguments.consistency:
        changes["consistency"] = arguments.consistency
    path = zoo.PRESETS / name / "recipe.toml"
    arguments.out.mkdir(parents=True, exist_ok=True)
    table = arguments.out / "categories.csv"
    rows = list(csv.DictReader(table.open())) if table.exists() else []
    kind = Recipe.load(path, **changes).consistency
    row = f"{arguments.task}_{arguments.heads if 'categories' in changes else arguments.labeled}"
    row = f"{row}_{kind}"
    for seed in arguments.seeds:
        if (row, str(seed)) in {(r["row"], str(r["seed"])) for r in rows}:
            continue
        recipe = Recipe.load(path, seed=seed, **changes)
        rows.append(run(row, recipe, arguments.out / f"{row}_{seed}", arguments.data_dir))
        with table.open("w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(rows)
    figures = [r for r in rows if r["row"] == row]
    for name in ("most_confident", "majority", "one_to_one", "error"):
        values = [100 * float(r[name]) for r in figures if r.get(name) not in (None, "")]
        if values:
            listed = " ".join(f"{value:.2f}" for value in values)
            spread = np.std(values, ddof=1) if len(values) > 1 else float("nan")
            print(f"{row} {name}: {np.mean(values):.2f} ± {spread:.2f} % ({listed})")


if __name__ == "__main__":
    main()
