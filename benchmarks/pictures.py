"""Pictures in color: models with default networks beside plain Keras, at equal computing time.

    python benchmarks/pictures.py run --data-dir DATA --out pictures.csv [--sets nouns scenes]
        [--models bits sigma gan] [--seeds 0] [--cpu-seconds 300] [--set model.stratified=false]
        [--validation]    # measures on validation images, to choose settings by
    python benchmarks/pictures.py report pictures.csv > table.md
    python benchmarks/pictures.py epochs    # seconds of an epoch of 3,000 images, at 64 and 128

Four sets: `nouns` and `scenes`, 10,000 training images each, and the folders `clothing_64` and
`sign_digits_64` of photographs in DATA. The last has no splits; its training images are the first
80 % of each class by file name and its test images the last 10 %, since the same hands appear in
neighboring files. `scenes_32` are scenes of 32x32.

    bits     a VAE with the discretized logistic, beside a plain ConvVAE with the same likelihood
    sigma    a VAE with one shared deviation, beside the same ConvVAE
    gan      an InfoGAN, beside a plain DCGAN of .66 to .85 times its size (see `--plain-filters`)

"plain" is a Keras model in the style of the examples of keras.io: two (here: until the grid has at
most 16 rows) strided convolutions, one dense layer, Adam with a rate of 1e-3; for the DCGAN 4x4
convolutions, batch normalization and Adam with 2e-4. Latent variables, batches (64) and seeds are
the same. A run takes as many steps as fit the CPU seconds, measured over 20 steps of its own after
its graphs are compiled, so that what else the machine does counts little. Our VAEs have the prior
fitted after training (`fit_prior`), as `infomodels train` does with pictures, in the same seconds.

Columns: `bits` is (reconstruction + rate) / (pixels ln 2) of test images; `rmse` that of their
reconstructions at the posterior mean, beside that of PCA with as many components and of the mean
training image; `rate` in nats; `kid` the kernel distance of 1,000 samples from test images by 50
principal components of training images, beside that of draws of N(0, I) in place of a fitted prior,
of the repeated mean image and of a second draw of test images; `mesh` the power of samples in the
rows and columns of the highest frequency over that in the next ones, divided by that of test
images: far above 1 for checkerboards. It was added later, and the first rows lack it.
"""

import argparse
import csv
import functools
import itertools
import math
import os
import time
import tomllib
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

SETS = ("nouns", "scenes", "clothing_64", "sign_digits_64")
SMALL = {"scenes_32": ("scenes", 32)}
"""Sets of another size, which are not among the default ones."""
MODELS = ("bits", "sigma", "gan")
WHOSE = ("ours", "plain")
LIKELIHOODS = {"bits": "discretized_logistic", "sigma": "shared_gaussian"}
COLUMNS = ("set", "model", "whose", "seed", "parameters", "steps", "cpu_seconds")
FIGURES = (
    "bits",
    "rate",
    "rmse",
    "rmse_pca",
    "rmse_mean",
    "kid",
    "kid_standard",
    "kid_mean",
    "kid_data",
    "mesh",
)
BATCH = 64


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("--data-dir", required=True)
    run.add_argument("--out", type=Path, required=True)
    run.add_argument("--sets", nargs="+", default=SETS, choices=(*SETS, *SMALL))
    run.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    run.add_argument("--whose", nargs="+", default=WHOSE, choices=WHOSE)
    run.add_argument("--seeds", nargs="+", type=int, default=[0])
    run.add_argument("--cpu-seconds", type=float, default=300)
    run.add_argument("--set", nargs="*", default=[], help="settings of our recipes, in TOML")
    run.add_argument("--plain-beta", type=float, default=1.0, help="its weight of the rate")
    run.add_argument("--plain-filters", type=int, nargs="+", help="of its DCGAN")
    run.add_argument("--validation", action="store_true", help="in place of test images")
    run.add_argument("--pictures", type=Path, help="folder for samples and reconstructions")
    report = commands.add_parser("report")
    report.add_argument("rows", type=Path)
    commands.add_parser("epochs")
    arguments = parser.parse_args()
    if arguments.command == "epochs":
        print_epochs()
        return
    if arguments.command == "report":
        print_table(list(csv.DictReader(arguments.rows.open())))
        return
    done = set()
    if arguments.out.exists():
        rows = csv.DictReader(arguments.out.open())
        done = {(r["set"], r["model"], r["whose"], r["seed"]) for r in rows}
    # Seeds are the outer loop, so that a table of unfinished rows covers every set and model.
    runs = itertools.product(arguments.seeds, arguments.sets, arguments.models, arguments.whose)
    loaded = functools.lru_cache(maxsize=1)(load)
    for seed, name, model, whose in runs:
        if (name, model, whose, str(seed)) not in done:
            data = loaded(name, arguments.data_dir, arguments.validation)
            row = measure(name, data, model, whose, seed, arguments)
            write(arguments.out, row)
            print({k: v for k, v in row.items() if v != ""}, flush=True)


def load(name: str, data_dir: str, validation: bool) -> tuple[np.ndarray, np.ndarray]:
    """Training images and test or validation images, uint8."""
    from keras_infomodels import datasets

    held_out = "validation" if validation else "test"
    block = "train[80%:90%]" if validation else "train[90%:]"
    splits = {"sign_digits_64": ("train[:80%]", block), "clothing_64": ("train", held_out)}
    chosen = splits.get(name, ("train[:10000]", f"{held_out}[:2000]"))
    source, size = SMALL.get(name, (Path(data_dir) / name if name in splits else name, None))
    return tuple(
        datasets.load_arrays(source, split, data_dir=data_dir, image_size=size)[0]
        for split in chosen
    )


def measure(name: str, data, model: str, whose: str, seed: int, arguments) -> dict:
    """One row: trains a model and measures it on the test images."""
    import keras

    from keras_infomodels import datasets

    training, test = data
    changes = dict(map(assigned, arguments.set))
    if whose == "plain":
        is_gan = model == "gan"
        changes = {"filters": arguments.plain_filters} if is_gan else {"beta": arguments.plain_beta}
    build = functools.partial(BUILDERS[model, whose], changes=changes)
    batches = datasets.from_arrays(training, batch_size=BATCH, seed=seed).repeat()
    steps = count_steps(build(training, seed, 1000)[0], batches, arguments.cpu_seconds, training)
    keras.utils.set_random_seed(seed)
    built, callbacks = build(training, seed, steps)
    start = time.process_time()
    built.fit(batches, epochs=1, steps_per_epoch=steps, verbose=0, callbacks=callbacks)
    fit_prior(built, training)
    used = time.process_time() - start
    row = dict.fromkeys(COLUMNS + FIGURES, "") | {
        "set": name,
        "model": model,
        "whose": whose,
        "seed": seed,
        "parameters": sum(math.prod(weight.shape) for weight in built.weights),
        "steps": steps,
        "cpu_seconds": round(used),
    }
    images = test.astype(np.float32) / 255
    row |= figures(built, model, training, images)
    if arguments.pictures:
        save_pictures(arguments.pictures, f"{name}-{model}-{whose}-{seed}", built, images)
    return row


def assigned(text: str) -> tuple[str, object]:
    """Place and value of a setting, such as "training.epochs=14"."""
    place, _, value = text.partition("=")
    return place, tomllib.loads(f"value = {value}")["value"]


def count_steps(model, batches, cpu_seconds: float, training: np.ndarray) -> int:
    """How many steps of a model fit the CPU seconds beside fitting its prior, by 20 of them."""
    model.fit(batches, epochs=1, steps_per_epoch=20, verbose=0)  # compiles
    start = time.process_time()
    model.fit(batches, epochs=1, steps_per_epoch=20, verbose=0)
    each = (time.process_time() - start) / 20
    start = time.process_time()
    fit_prior(model, training)
    rest = cpu_seconds - (time.process_time() - start)
    return max(20, 10 * round(rest / each / 10))


def fit_prior(model, training: np.ndarray):
    """Fits the prior of one of our autoencoders, as `infomodels train` does with pictures."""
    from keras_infomodels import datasets

    if hasattr(model, "fit_prior"):
        model.fit_prior(datasets.from_arrays(training, batch_size=BATCH, shuffle=False))


def ours(model: str):
    """A builder of what `infomodels train` builds for such images."""

    def build(training, seed, steps, changes=None):
        from keras_infomodels.callbacks import WeightAverage
        from keras_infomodels.zoo.build import build_model
        from keras_infomodels.zoo.choices import for_pictures
        from keras_infomodels.zoo.recipes import Recipe

        own = {"likelihood": LIKELIHOODS[model]} if model in LIKELIHOODS else {}
        kind = "vae" if own else "infogan"
        recipe = Recipe.of(kind, dataset="pictures", seed=seed, epochs=1, batch_size=BATCH, **own)
        recipe = for_pictures(recipe, {"epochs"}, len(training)).put(changes or {})
        average = recipe.training.weight_average
        callbacks = [] if average is None else [WeightAverage(average)]
        return build_model(recipe, training.shape[1:], steps), callbacks

    return build


def plain(model: str):
    """A builder of a Keras model as the examples of keras.io have it."""

    def build(training, seed, steps, changes):
        import plain_models

        shape = training.shape[1:]
        if model == "gan":
            return plain_models.DCGAN(shape, **changes), []
        latent_dim = ours(model)(training, seed, steps)[0].latent_dim
        return plain_models.ConvVAE(shape, latent_dim, LIKELIHOODS[model], **changes), []

    return build


BUILDERS = {(model, "ours"): ours(model) for model in MODELS}
BUILDERS |= {(model, "plain"): plain(model) for model in MODELS}


def figures(model, kind: str, training: np.ndarray, images: np.ndarray) -> dict:
    """The columns `FIGURES`, rounded."""
    from sklearn.decomposition import PCA

    from keras_infomodels.evaluation import fit_features, kernel_distance

    scaled = training.astype(np.float32) / 255
    mean, half = scaled.mean(axis=0), len(images) // 2
    features = fit_features(scaled[:4000])
    data, other = images[:half], images[half:]
    samples = np.clip(model.generate(1000, seed=0), 0, 1)
    repeated = np.broadcast_to(mean, (len(data), *mean.shape))
    named = {"kid": samples, "kid_mean": repeated, "kid_data": other}
    if hasattr(model, "fit_prior"):
        z = np.random.default_rng(0).normal(size=(1000, model.latent_dim)).astype(np.float32)
        named["kid_standard"] = np.clip(model.decode(z).mean(), 0, 1)
    found = {k: kernel_distance(features(v), features(data)) for k, v in named.items()}
    found["mesh"] = highest_frequency(samples) / highest_frequency(data)
    if kind != "gan":
        terms = model.evaluate(images, batch_size=100, return_dict=True, verbose=0)
        bound = terms["reconstruction"] + terms["rate"]
        if kind == "bits":
            found["bits"] = bound / (math.prod(mean.shape) * math.log(2))
        found |= {"rate": terms["rate"], "rmse": rmse(reconstructions(model, images), images)}
        flat = images.reshape(len(images), -1)
        pca = PCA(model.latent_dim, random_state=0).fit(scaled[:10000].reshape(-1, flat.shape[1]))
        found["rmse_pca"] = rmse(pca.inverse_transform(pca.transform(flat)), flat)
        found["rmse_mean"] = rmse(mean, images)
    return {name: f"{value:.4g}" for name, value in found.items()}


def reconstructions(model, images: np.ndarray) -> np.ndarray:
    return model.predict(images, batch_size=100, verbose=0)


def highest_frequency(images: np.ndarray) -> float:
    """Power in the rows and columns of the highest frequency over that in the next ones."""
    power = (np.abs(np.fft.fft2(images, axes=(1, 2))) ** 2).mean(axis=(0, 3))
    height, width = power.shape[0] // 2, power.shape[1] // 2

    def line(back: int) -> float:
        return power[height - back, 1 : width - 1].sum() + power[1 : height - 1, width - back].sum()

    return line(0) / line(1)


def rmse(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(np.mean((a - b) ** 2)))


def save_pictures(folder: Path, name: str, model, images: np.ndarray):
    """Samples; and above them reconstructions below their images, where there are any."""
    import keras

    folder.mkdir(parents=True, exist_ok=True)
    rows = [np.clip(model.generate(30, seed=0), 0, 1)]
    if hasattr(model, "encoder"):
        rows = [images[:10], reconstructions(model, images[:10]), *rows]
    height, width, channels = images.shape[1:]
    tiles = np.concatenate(rows).reshape(-1, 10, height, width, channels)
    sheet = tiles.transpose(0, 2, 1, 3, 4).reshape(-1, 10 * width, channels)
    keras.utils.save_img(folder / f"{name}.png", 255 * np.clip(sheet, 0, 1), scale=False)


def write(path: Path, row: dict):
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS + FIGURES, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def print_epochs():
    """Prints the seconds of 3,000 random images, with default networks and batches of 64."""
    from keras_infomodels import datasets
    from keras_infomodels.zoo.build import build_model
    from keras_infomodels.zoo.choices import for_pictures
    from keras_infomodels.zoo.recipes import Recipe

    print("| images | model | parameters | s, wall | s, CPU |\n|---|---|---|---|---|")
    for size in (64, 128):
        images = np.random.default_rng(0).integers(0, 256, (10 * BATCH, size, size, 3), np.uint8)
        batches = datasets.from_arrays(images, batch_size=BATCH)
        for kind in ("vae", "mmd_vae", "aae", "infogan"):
            recipe = for_pictures(Recipe.of(kind, dataset="pictures"), set(), len(images))
            model = build_model(recipe, images.shape[1:], 10)
            model.fit(batches, epochs=1, verbose=0)  # compiles
            wall, cpu = time.perf_counter(), time.process_time()
            model.fit(batches, epochs=1, verbose=0)
            seconds = np.array([time.perf_counter() - wall, time.process_time() - cpu])
            wall, cpu = seconds * 3000 / len(images)
            parameters = f"{model.count_params() / 1e6:.2f} million"
            print(
                f"| {size}x{size}x3 | {kind} | {parameters} | {wall:.0f} | {cpu:.0f} |", flush=True
            )


def print_table(rows: list[dict]):
    """Means over seeds, with their standard deviation, as Markdown."""
    print("| set | model | whose | seeds | steps |", " | ".join(FIGURES), "|")
    print("|---|---|---|---|---|" + "---|" * len(FIGURES))
    keys = dict.fromkeys((row["set"], row["model"], row["whose"]) for row in rows)
    for key in keys:
        own = [row for row in rows if (row["set"], row["model"], row["whose"]) == key]
        cells = [*key, str(len(own)), f"{np.mean([int(row['steps']) for row in own]):.0f}"]
        for figure in FIGURES:
            values = [float(row[figure]) for row in own if row[figure]]
            spread = (
                f" ± {np.std(values, ddof=1):.1g}" if len(values) > 1 and np.ptp(values) else ""
            )
            cells.append(f"{np.mean(values):.4g}{spread}" if values else "")
        print("|", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
