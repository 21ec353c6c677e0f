"""ln det Cov q(z) against the number of training images: VAE beside InfoVAE, on MNIST.

    python benchmarks/log_det.py [--seeds 1] [--data-dir D] [--out runs/log_det]

The plot of InfoVAE's first authors. z of 10; 784-32-10 and 10-200-200-784: a wider encoder learns
few images by heart and its codes of others shrink; the decoder has relu and a dropout of 0.5;
q(z|x) has a deviation of at least 0.26; Bernoulli on pixels binarized anew at every step; AdamW
from 2e-3 by cosine to 0 with a weight decay of 0.03; batch 80; 20,000 updates for every size, no
early stopping; seeds from 0, of the weights, the order and the noise. InfoVAE: alpha 0, lambda
1000, the paper's kernel, biased as in the authors' program. Statistics are of 10,000 *sampled* z
(several an image where there are fewer), of the training images and of the test images, so that all
compare at one n. Finished rows are not run again; at the end the table and the picture.
"""

import argparse
import csv
import itertools
from collections import defaultdict
from pathlib import Path

import numpy as np

SIZES = (500, 1000, 5000, 10_000, 50_000)
UPDATES, BATCH, DRAWS = 20_000, 80, 10_000
CURVES = tuple((name, split) for name in ("vae", "infovae") for split in ("train", "test"))
FIELDS = ("model", "size", "seed", "split", "log_det", "gaussian_kl", "mmd", "active_units", "loss")


def decoder():
    """Dropout holds the VAE's curve level over sizes, so that one InfoVAE serves them all."""
    import keras

    x = z = keras.Input((10,), name="z")
    for _ in range(2):
        x = keras.layers.Dense(200, "relu")(x)
        x = keras.layers.Dropout(0.5)(x)
    logits = keras.layers.Reshape((28, 28, 1))(keras.layers.Dense(784)(x))
    return keras.Model(z, {"logits": logits})


def build(name: str, seed: int):
    import keras

    from keras_infomodels import models, networks
    from keras_infomodels.divergences import MMD

    keras.utils.set_random_seed(seed)
    encoder = networks.MLPEncoder(latent_dim=10, widths=(32,), min_stddev=0.26)
    pair = encoder, decoder()
    if name == "vae":
        model = models.VAE(*pair, likelihood="bernoulli_stochastic", seed=seed)
    else:
        model = models.InfoVAE(
            *pair,
            likelihood="bernoulli_stochastic",
            alpha=0.0,
            lambda_=1000.0,
            divergence=MMD("paper", "biased"),
            seed=seed,
        )
    schedule = keras.optimizers.schedules.CosineDecay(2e-3, UPDATES)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.03)
    model.compile(optimizer, jit_compile=True, steps_per_execution=100)
    return model


def statistics_of(model, images: np.ndarray) -> dict:
    from keras_infomodels.evaluation import latent_statistics

    repeated = np.concatenate([images] * -(-DRAWS // len(images)))[:DRAWS].astype(np.float32) / 255
    z, loc, _ = model.encoding_table(repeated, batch_size=500, limit=DRAWS)
    loss = model.evaluate(repeated, batch_size=500, verbose=0, return_dict=True)["loss"]
    return vars(latent_statistics(z, loc)) | {"loss": loss}


def run(name: str, size: int, seed: int, training: np.ndarray, test: np.ndarray) -> list[dict]:
    from keras_infomodels import datasets

    model = build(name, seed)
    dataset = datasets.from_arrays(training[:size], batch_size=BATCH, seed=seed).repeat()
    model.fit(dataset, epochs=10, steps_per_epoch=UPDATES // 10, verbose=0)
    assert int(model.optimizer.iterations) == UPDATES
    splits = {"train": training[:size], "test": test}
    return [
        {"model": name, "size": size, "seed": seed, "split": split} | statistics_of(model, images)
        for split, images in splits.items()
    ]


def log_dets(rows: list[dict], name: str, split: str) -> dict[int, list[float]]:
    """By size, those of the seeds."""
    found = defaultdict(list)
    for r in rows:
        if (r["model"], r["split"]) == (name, split):
            found[int(r["size"])].append(float(r["log_det"]))
    return dict(sorted(found.items()))


def table(rows: list[dict]) -> str:
    """Markdown: mean and spread over seeds."""
    lines = ["| training images |", "|---|"]
    lines += [f"| {size:,} |" for size in SIZES]
    for name, split in CURVES:
        found = log_dets(rows, name, split)
        cells = [f" {name}, {split} |", "---|"]
        for size in SIZES:
            values = found.get(size, [np.nan])
            spread = f" ± {np.std(values, ddof=1):.2f}" if len(values) > 1 else ""
            cells.append(f" {np.mean(values):.2f}{spread} |")
        lines = [line + cell for line, cell in zip(lines, cells, strict=True)]
    return "\n".join(lines)


def plot(rows: list[dict], path: Path):
    from matplotlib.figure import Figure

    from keras_infomodels import plots

    figure = Figure((6.5, 4), layout="constrained")
    axes = figure.subplots()
    for name, split in CURVES:
        found = log_dets(rows, name, split)
        color = {"vae": "#D55E00", "infovae": "#0072B2"}[name]
        style = {"train": "--", "test": "-"}[split]
        means = [np.mean(values) for values in found.values()]
        axes.plot(list(found), means, style, color=color, label=f"{name}, {split}")
        for size, values in found.items():
            face = color if split == "test" else "none"
            axes.plot([size] * len(values), values, "o", color=color, mfc=face, markersize=4)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set(xscale="log", xlabel="training images", ylabel="ln det Cov q(z)")
    axes.legend(frameon=False)
    plots.save(figure, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/log_det"))
    arguments = parser.parse_args()

    from keras_infomodels import datasets

    training, _ = datasets.load_arrays("mnist", "train", data_dir=arguments.data_dir)
    test, _ = datasets.load_arrays("mnist", "test", data_dir=arguments.data_dir)
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "log_det.csv"
    rows = list(csv.DictReader(path.open())) if path.exists() else []
    done = {(r["model"], int(r["size"]), int(r["seed"])) for r in rows}
    for seed, size, name in itertools.product(range(arguments.seeds), SIZES, ("infovae", "vae")):
        if (name, size, seed) in done:
            continue
        rows += run(name, size, seed, training, test)
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(rows)
        print(*(f"{name} {size} {r['split']} {r['log_det']:.3f}" for r in rows[-2:]), flush=True)
    print(table(rows))
    plot(rows, arguments.out / "log_det.png")


if __name__ == "__main__":
    main()
