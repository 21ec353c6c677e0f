"""ln det Cov q(z) against the number of training images: VAE beside InfoVAE, on MNIST.

    python benchmarks/log_det.py [--data-dir D] [--out runs/log_det]

The plot of InfoVAE's first authors. z of 10; 784-64-10 and 10-256-256-784: a wider encoder learns
few images by heart and its codes of others shrink; Bernoulli on pixels thresholded at 0.5; Adam
from 1e-3 by cosine to 0; batch 200; 20,000 updates for every size, no early stopping; seed 0.
InfoVAE: alpha 0, lambda 1000, the paper's kernel, biased as in the authors' program.
Statistics are of 10,000 *sampled* z (several an image where there are fewer), of the training
images and of the test images, so that all compare at one n. Finished rows are not run again.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

SIZES = (500, 1000, 5000, 10_000, 50_000)
UPDATES, BATCH, DRAWS = 20_000, 200, 10_000
FIELDS = ("model", "size", "split", "log_det", "gaussian_kl", "mmd", "active_units", "loss")


def build(name: str):
    import keras

    from keras_infomodels import models, networks
    from keras_infomodels.divergences import MMD

    keras.utils.set_random_seed(0)
    encoder = networks.MLPEncoder(latent_dim=10, widths=(64,), min_stddev=0.05)
    pair = encoder, networks.MLPDecoder(latent_dim=10, widths=(256, 256))
    if name == "vae":
        model = models.VAE(*pair, likelihood="bernoulli_threshold")
    else:
        model = models.InfoVAE(
            *pair,
            likelihood="bernoulli_threshold",
            alpha=0.0,
            lambda_=1000.0,
            divergence=MMD("paper", "biased"),
        )
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, UPDATES)
    model.compile(keras.optimizers.Adam(schedule), jit_compile=True, steps_per_execution=100)
    return model


def row(name: str, size: int, split: str, model, images: np.ndarray) -> dict:
    from keras_infomodels.evaluation import latent_statistics

    repeated = np.concatenate([images] * -(-DRAWS // len(images)))[:DRAWS].astype(np.float32) / 255
    z, loc, _ = model.encoding_table(repeated, batch_size=500, limit=DRAWS)
    statistics = latent_statistics(z, loc)
    loss = model.evaluate(repeated, batch_size=500, verbose=0, return_dict=True)["loss"]
    return {"model": name, "size": size, "split": split, "loss": loss} | vars(statistics)


def run(name: str, size: int, training: np.ndarray, test: np.ndarray) -> list[dict]:
    from keras_infomodels import datasets

    model = build(name)
    dataset = datasets.from_arrays(training[:size], batch_size=BATCH).repeat()
    model.fit(dataset, epochs=10, steps_per_epoch=UPDATES // 10, verbose=0)
    assert int(model.optimizer.iterations) == UPDATES
    splits = {"train": training[:size], "test": test}
    return [row(name, size, split, model, images) for split, images in splits.items()]


def plot(rows: list[dict], path: Path):
    from matplotlib.figure import Figure

    from keras_infomodels import plots

    figure = Figure((6.5, 4), layout="constrained")
    axes = figure.subplots()
    for name, color in (("vae", "#D55E00"), ("infovae", "#0072B2")):
        for split, style in (("train", "--"), ("test", "-")):
            points = [r for r in rows if r["model"] == name and r["split"] == split]
            points.sort(key=lambda r: int(r["size"]))
            axes.plot(
                [int(r["size"]) for r in points],
                [float(r["log_det"]) for r in points],
                style,
                color=color,
                marker="o",
                label=f"{name}, {split}",
            )
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set(xscale="log", xlabel="training images", ylabel="ln det Cov q(z)")
    axes.legend(frameon=False)
    plots.save(figure, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir")
    parser.add_argument("--out", type=Path, default=Path("runs/log_det"))
    arguments = parser.parse_args()

    from keras_infomodels import datasets

    training, _ = datasets.load_arrays("mnist", "train", data_dir=arguments.data_dir)
    test, _ = datasets.load_arrays("mnist", "test", data_dir=arguments.data_dir)
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "log_det.csv"
    rows = list(csv.DictReader(path.open())) if path.exists() else []
    done = {(r["model"], int(r["size"])) for r in rows}
    for size in SIZES:
        for name in ("infovae", "vae"):
            if (name, size) in done:
                continue
            rows += run(name, size, training, test)
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, FIELDS)
                writer.writeheader()
                writer.writerows(rows)
            print(*(f"{r['model']} {size} {r['split']} {r['log_det']:.3f}" for r in rows[-2:]))
    plot(rows, arguments.out / "log_det.png")


if __name__ == "__main__":
    main()
