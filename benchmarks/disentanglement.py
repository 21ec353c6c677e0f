"""Disentanglement of methods on sets whose factors are known: a row a run, in a CSV file.

    python benchmarks/disentanglement.py run --out rows.csv --keep DIR  # goes on where it stopped
    python benchmarks/disentanglement.py run --out rows.csv --methods pca untrained
    python benchmarks/disentanglement.py run --out tuning.csv --grid --seeds 100 --sets sprites
    python benchmarks/disentanglement.py best --out tuning.csv  # the settings to write down
    python benchmarks/disentanglement.py table --out rows.csv
    python benchmarks/disentanglement.py ranks --out rows.csv   # do label-free scores rank runs?
    python benchmarks/disentanglement.py ranks --out rows.csv --keep DIR  # UDR, centrality too

Protocol. Images are drawn by the library and are not dSprites and 3D Shapes; each block of 2x2 of
their pixels is averaged, to 32x32. Autoencoders make `--updates` steps of 64 images, the same
number for all; GANs stop after `--cpu` seconds of CPU time, about what a VAE's updates take. One
network for all: three convolutions of stride 2 and a dense layer, ten latent variables; a GAN has
six uniform codes and ten of noise. Metrics are of posterior means of `--rows` images of uniform
factors, DCI of the first 2,000. `CHOSEN` has the settings of both sets, chosen on `sprites` with
seed 100 by the mean of MIG, InfoM and InfoE (benchmarks/results/disentanglement_tuning.csv):
`--grid` leaves out DCI and I_q. `--keep DIR` keeps each model as a preset, for `infomodels select`.

A method with `_ica` has the codes of the model of the same seed in `--keep` times a matrix:
FastICA of the posterior means of 5,000 training images, in the latents whose deviation is at least
a fifth of the largest. It makes the codes as independent as a linear map can.

`vae_tc` has the codes of a beta-TCVAE of codes: a small fully connected one, trained on
the posterior means of the same 5,000 images, in units of the VAE's median posterior deviation, with
a Gaussian likelihood of deviation 1. So the TC term, which needs many steps and large batches, gets
them where a step costs little.

A method with `_angles` looks for pairs of codes that lie on a circle, as those of a hue do: after
FastICA ("logcosh"), the squares of such a pair have a correlation of less than -0.4. Their
angle and radius take their place. `vae_angles_or_tc` has these codes if there is such a pair, and
those of `vae_tc` if there is none.

The bar, set before any run: a method that is named as disentangling beats VAE, PCA and the
untrained encoder by two standard errors on at least two of the four metrics; `table` counts them.
"""

import argparse
import csv
import os
import time
from functools import cache
from itertools import product
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import changed_codes
import keras
import numpy as np
import tensorflow as tf

import keras_infomodels as ki
from keras_infomodels import datasets, models
from keras_infomodels.distributions import Code, Uniform
from keras_infomodels.divergences import MinibatchTotalCorrelation, TotalCorrelation
from keras_infomodels.evaluation import disentanglement, latent_information, select_runs
from keras_infomodels.models.code_tables import code_table

SETS = {"sprites": "bernoulli_stochastic", "scenes": "continuous_bernoulli"}
"""Set -> likelihood of its pixels."""

LATENTS, FILTERS, WIDTH, BATCH = 10, (16, 32, 64), 128, 64
DCI_ROWS = 2000
"""Of the images, for DCI alone: its trees take a minute of CPU for 3,000 rows of `sprites`."""
METRICS = ("MIG", "DCI disentanglement", "InfoM", "InfoE")
"""The four that methods are compared by."""

LABEL_FREE = ("independence low", "independence high", "TC low", "TC high", "I_q low", "I_q high")
COLUMNS = (
    *("set", "method", "setting", "seed", "updates", "cpu seconds", "rows"),
    *(*METRICS, "InfoC", "DCI completeness", "DCI informativeness", "modularity"),
    *LABEL_FREE,
)

GRID = {
    "vae": {"": {}},
    "beta_vae": {f"beta {b:g}": {"beta": b} for b in (2.0, 4.0, 8.0)},
    "annealed_vae": {f"capacity {c:g}": {"capacity": c} for c in (10.0, 15.0, 25.0)},
    "beta_tcvae": {f"beta {b:g}": {"lambda_": b} for b in (4.0, 6.0, 10.0)},
    "factor_vae": {f"gamma {g:g}": {"lambda_": g + 1} for g in (5.0, 10.0, 35.0)},
    "dip_vae": {f"lambda_od {w:g}": {"lambda_od": w, "lambda_d": w} for w in (2.0, 10.0, 50.0)},
    "mmd_vae": {f"lambda {w:g}": {"lambda_": w} for w in (1e3, 5e3, 2e4)},
    "qlae": {f"weight decay {w:g}": {"weight_decay": w} for w in (0.01, 0.1, 0.3)},
    "infogan": {f"weight {w:g}": {"information_weight": w} for w in (0.1, 0.5, 1.0)},
    "infogan_cr": {f"weight {w:g}": {"contrastive_weight": w} for w in (0.5, 1.0, 2.0)},
    "pca": {"": {}},
    "untrained": {"": {}},
    "vae_ica": {"": {}},
    "beta_vae_ica": {"": {}},
    "beta_tcvae_ica": {"": {}},
    "vae_angles": {"": {}},
    "vae_tc": {"beta 10": {"beta": 10.0}},
    "vae_angles_or_tc": {"beta 10": {"beta": 10.0}},
}
"""Method -> setting -> arguments."""

CHOSEN = {
    "vae": "",
    "beta_vae": "beta 4",
    "annealed_vae": "capacity 15",
    "beta_tcvae": "beta 6",
    "factor_vae": "gamma 10",
    "dip_vae": "lambda_od 50",
    "mmd_vae": "lambda 5000",
    "qlae": "weight decay 0.3",
    "infogan": "weight 1",
    "infogan_cr": "weight 2",
    "pca": "",
    "untrained": "",
    "vae_ica": "",
    "beta_vae_ica": "",
    "beta_tcvae_ica": "",
    "vae_angles": "",
    "vae_tc": "beta 10",
    "vae_angles_or_tc": "beta 10",
}
"""Method -> setting, by the tuning on `sprites` with seed 100."""

GANS = ("infogan", "infogan_cr")
AFTER = {
    "vae_ica": "vae",
    "beta_vae_ica": "beta_vae",
    "beta_tcvae_ica": "beta_tcvae",
    "vae_angles": "vae",
    "vae_tc": "vae",
    "vae_angles_or_tc": "vae",
}
"""Method -> model in `--keep` whose codes it changes."""

PLAIN = (*AFTER, "pca", "untrained")
"""Without bounds of I_q."""


def main():
    arguments = parse()
    {"run": run, "table": table, "best": best, "ranks": ranks}[arguments.command](arguments)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("run", "table", "best", "ranks"))
    parser.add_argument("--out", type=Path, required=True, help="the CSV file of rows")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--methods", nargs="+", choices=GRID, default=list(GRID))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--grid", action="store_true", help="all settings, for tuning")
    parser.add_argument("--updates", type=int, default=3000, help="of an autoencoder")
    parser.add_argument("--cpu", type=float, default=100.0, help="CPU seconds of a GAN")
    parser.add_argument("--rows", type=int, default=10_000, help="images that are encoded")
    parser.add_argument("--keep", type=Path, help="folder for the models")
    arguments = parser.parse_args()
    if arguments.grid or not arguments.keep:
        arguments.methods = [name for name in arguments.methods if name not in AFTER]
    return arguments


def run(arguments: argparse.Namespace):
    done = {key(row) for row in read(arguments.out)}
    for seed, name, method in product(arguments.seeds, arguments.sets, arguments.methods):
        for setting in GRID[method] if arguments.grid else [CHOSEN[method]]:
            if (name, method, setting, str(seed)) not in done:
                row = measure(name, method, setting, seed, arguments)
                append(arguments.out, row)
                print(*(f"{row[c]}" for c in COLUMNS[:6]), *shown(row), sep="  ", flush=True)


def measure(name: str, method: str, setting: str, seed: int, arguments) -> dict:
    factors, images = measured_images(name, arguments.rows)
    keras.backend.clear_session()  # of the runs before
    start, updates, model, codes = time.process_time(), 0, None, None
    if method == "pca":
        codes = principal_components(name, images, seed)
    elif method in AFTER:
        updates = arguments.updates
        codes = codes_of(name, method, seed, arguments, images)
    else:
        model = build(name, method, seed, GRID[method][setting], arguments.updates)
        updates = 0 if method == "untrained" else train(model, name, method, seed, arguments)
    cpu = time.process_time() - start
    codes = code_table(model, images)[0] if codes is None else codes
    if model is not None and arguments.keep and not arguments.grid:
        model.save_to_preset(arguments.keep / f"{name}-{method}-{seed}")
    row = dict.fromkeys(COLUMNS, "")
    row |= {"set": name, "method": method, "setting": setting, "seed": seed, "updates": updates}
    row |= {"cpu seconds": round(cpu), "rows": arguments.rows}
    found = {}
    parts = [(["mig", "modularity", "infomec"], arguments.rows), (["dci"], DCI_ROWS)]
    for metrics, rows in parts[:1] if arguments.grid else parts:
        found |= disentanglement.report(
            codes[:rows],
            factors[:rows],
            metrics=metrics,
            groups=0,
            discrete=method == "qlae",
            seed=seed,
        ).scores
    row |= {k: round(score.value, 4) for k, score in found.items() if k in COLUMNS}
    if method not in (*GANS, *PLAIN) and not arguments.grid:
        row |= label_free(model, images, seed)
    return row


def label_free(model, images: np.ndarray, seed: int) -> dict:
    found = latent_information(*model.encoding_table(images, 256), prior=model.prior, seed=seed)
    ends = zip(("low", "high"), (found.lower, found.upper), strict=True)
    values = {f"I_q {end}": bound.nats for end, bound in ends}
    for label, pair in (("independence", found.independence), ("TC", found.total_correlation)):
        values |= {f"{label} {end}": v for end, v in zip(("low", "high"), pair, strict=True)}
    return {name: round(value, 4) for name, value in values.items()}


def build(name: str, method: str, seed: int, own: dict, updates: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    shape, likelihood = {"sprites": (32, 32, 1), "scenes": (32, 32, 3)}[name], SETS[name]
    if method in GANS:
        return build_gan(method, shape, seed, own)
    sizes = {"image_shape": shape, "latent_dim": LATENTS, "width": WIDTH}
    deterministic = {"min_stddev": None} if method == "qlae" else {}
    encoder = ki.networks.ConvEncoder(filters=FILTERS, **sizes, **deterministic)
    decoder = ki.networks.ConvDecoder(filters=FILTERS[::-1], **sizes)
    shared = {"likelihood": likelihood, "seed": seed}
    own = dict(own)
    decay = own.pop("weight_decay", None)
    if method == "beta_tcvae":
        model = ki.InfoVAE(
            encoder, decoder, divergence=MinibatchTotalCorrelation(), **own, **shared
        )
    elif method == "factor_vae":
        judge = ki.networks.MLPDiscriminator(latent_dim=LATENTS, widths=(256, 256))
        model = ki.InfoVAE(encoder, decoder, divergence=TotalCorrelation(judge), **own, **shared)
    else:
        if method == "annealed_vae":
            own["warmup"] = updates // 2
        cls = models.MODELS["vae" if method == "untrained" else method]
        model = cls(encoder, decoder, **own, **shared)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, updates)
    optimizer = keras.optimizers.Adam(rate)
    if decay is not None:
        optimizer = keras.optimizers.AdamW(rate, weight_decay=decay)
    judge = [keras.optimizers.Adam(2e-4, 0.5)] if method == "factor_vae" else []
    model.compile(optimizer, *judge)
    return model


def build_gan(method: str, shape: tuple, seed: int, own: dict) -> keras.Model:
    codes = [Code(f"c{i}", Uniform()) for i in range(6)]
    generator = ki.networks.ConvGenerator(
        shape, 10 + len(codes), FILTERS[::-1], WIDTH, upsampling="bilinear"
    )
    discriminator = ki.networks.ConvDiscriminator(shape, FILTERS, WIDTH, normalization=None)
    more = {"contrastive_warmup": 1000} if method == "infogan_cr" else {}
    cls = models.MODELS[method]
    model = cls(generator, discriminator, 10, codes, r1=0.1, seed=seed, **more, **own)
    model.compile(keras.optimizers.Adam(1e-3, 0.5), keras.optimizers.Adam(4e-4, 0.5))
    return model


class StopAfter(keras.callbacks.Callback):
    """Stops training after some updates, or some seconds of CPU time."""

    def __init__(self, updates: int | None, seconds: float | None):
        super().__init__()
        self.updates, self.seconds, self.start, self.made = updates, seconds, 0.0, 0

    def on_train_begin(self, logs=None):
        self.start = time.process_time()

    def on_train_batch_end(self, batch, logs=None):
        self.made += 1
        late = self.seconds is not None and time.process_time() - self.start > self.seconds
        if late or self.made == self.updates:
            self.model.stop_training = True


def train(model, name: str, method: str, seed: int, arguments) -> int:
    gan = method in GANS
    stop = StopAfter(None if gan else arguments.updates, arguments.cpu if gan else None)
    data = datasets.load(name, "train", BATCH, seed=seed)
    data = data.map(lambda images: tf.nn.avg_pool2d(images, 2, 2, "VALID"))
    model.fit(data, epochs=10_000, callbacks=[stop], verbose=0)
    return stop.made


def principal_components(name: str, images: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.decomposition import PCA

    fitted = PCA(LATENTS, random_state=seed).fit(flat(training_images(name)))
    return fitted.transform(flat(images))


def codes_of(name: str, method: str, seed: int, arguments, images: np.ndarray) -> np.ndarray:
    """Codes of images by a model in `--keep`, changed as the method says."""
    model = ki.load_model(arguments.keep / f"{name}-{AFTER[method]}-{seed}")
    training = training_images(name)
    means, codes = (code_table(model, each)[0] for each in (training, images))
    changes = method.removeprefix(f"{AFTER[method]}_")
    if changes == "ica":
        return changed_codes.independent_components(means, codes, "cube")[1]
    if "angles" in changes:
        independent, of_codes = changed_codes.independent_components(means, codes, "logcosh")
        pairs = changed_codes.circles(independent)
        if pairs or changes == "angles":
            return changed_codes.with_angles(of_codes, pairs)
    unit = np.median(model.encoding_table(training, 256)[2], axis=0)
    own = GRID[method][CHOSEN[method]]
    return changed_codes.second_stage(means, codes, unit, seed, **own)


def measured_images(name: str, rows: int) -> tuple[np.ndarray, np.ndarray]:
    factors = datasets.factors(name).sample(rows, seed=1)
    return factors, halved(datasets.draw(name, factors).astype(np.float32) / 255)


@cache
def training_images(name: str) -> np.ndarray:
    return halved(datasets.load_arrays(name, "train[:5000]")[0].astype(np.float32) / 255)


def halved(images):
    """Means of blocks of 2x2 pixels."""
    return 0.25 * sum(images[:, i::2, j::2] for i in (0, 1) for j in (0, 1))


def flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1)


# Files and tables


def read(path: Path) -> list[dict]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def append(path: Path, row: dict):
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def key(row: dict) -> tuple[str, str, str, str]:
    return row["set"], row["method"], row["setting"], row["seed"]


def shown(row: dict) -> list[str]:
    return [f"{name} {float(row[name]):.3f}" for name in METRICS if row[name] != ""]


def grouped(rows: list[dict]) -> dict[tuple, np.ndarray]:
    """Metrics of the runs of each (set, method, setting), (runs, 4)."""
    found: dict[tuple, list] = {}
    for row in rows:
        found.setdefault(key(row)[:3], []).append([float(row[name] or "nan") for name in METRICS])
    return {name: np.array(values) for name, values in found.items()}


def table(arguments: argparse.Namespace):
    """Means and standard errors over seeds, and how many bars each method clears."""
    found = grouped(read(arguments.out))
    print("| set | method | runs |", " | ".join(METRICS), "| ahead on |")
    print("|---|---|---|" + "---|" * (len(METRICS) + 1))
    for (name, method, setting), values in found.items():
        cells = [f"{m:.3f} ± {e:.3f}" for m, e in zip(*mean_and_error(values), strict=True)]
        label = f"{method}, {setting}" if setting else method
        ahead = len(bars(found, name, values))
        print(f"| {name} | {label} | {len(values)} |", " | ".join(cells), f"| {ahead} |")


def bars(found: dict, name: str, values: np.ndarray) -> list[str]:
    """Metrics on which runs beat VAE, PCA and untrained by two standard errors."""
    mean, error = mean_and_error(values)
    beaten = np.ones(len(METRICS), bool)
    for method in ("vae", "pca", "untrained"):
        other, other_error = mean_and_error(found.get((name, method, ""), np.full((2, 4), np.nan)))
        beaten &= mean - other > 2 * np.hypot(error, other_error)
    return [metric for metric, won in zip(METRICS, beaten, strict=True) if won]


def mean_and_error(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(values) < 2:
        return values.mean(axis=0), np.full(values.shape[1], np.nan)
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def best(arguments: argparse.Namespace):
    """The setting of each method with the highest mean of MIG, InfoM and InfoE."""
    scores: dict[tuple, dict] = {}
    for (name, method, setting), values in grouped(read(arguments.out)).items():
        scores.setdefault((name, method), {})[setting] = float(np.nanmean(values))
    for pair, found in scores.items():
        print(f"{pair!r}: {max(found, key=found.get)!r} of {found}")


def ranks(arguments: argparse.Namespace):
    """Rank correlation of label-free scores with the metrics, over all runs of a set."""
    rows = read(arguments.out)
    for name in arguments.sets:
        own = [row for row in rows if row["set"] == name and row["independence low"]]
        agreements(f"{name}, latents", own, {c: [float(r[c]) for r in own] for c in LABEL_FREE})
        for method in arguments.methods if arguments.keep else ():
            of_method = [r for r in rows if (r["set"], r["method"]) == (name, method)]
            agreements(f"{name}, {method}", *selected(of_method, arguments.keep))


def selected(rows: list[dict], folder: Path) -> tuple[list[dict], dict]:
    """Rows whose models were kept, and what `select_runs` makes of them."""
    paths = {"{set}-{method}-{seed}".format(**row): row for row in rows}
    kept = {name: row for name, row in paths.items() if (folder / name).exists()}
    if len(kept) < 4:
        return [], {}
    (name,) = {row["set"] for row in kept.values()}
    factors = datasets.factors(name).sample(2000, seed=2)
    images = halved(datasets.draw(name, factors) / np.float32(255))
    found = select_runs({run: ki.load_model(folder / run) for run in kept}, images).runs
    scores = {
        "UDR": [found[n].udr for n in kept],
        "centrality": [found[n].centrality for n in kept],
    }
    return list(kept.values()), scores


def agreements(title: str, rows: list[dict], scores: dict[str, list[float]]):
    from scipy.stats import spearmanr

    if len(rows) < 4:
        print(f"{title}: {len(rows)} runs are too few.")
        return
    for score, values in scores.items():
        found = [spearmanr(values, [float(r[m]) for r in rows]).statistic for m in METRICS]
        cells = (f"{m} {value:+.2f}" for m, value in zip(METRICS, found, strict=True))
        print(f"{title}, {len(rows)} runs, {score}:", *cells, sep="  ")


if __name__ == "__main__":
    main()
