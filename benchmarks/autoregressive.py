"""Why InfoVAE: a decoder that can model pixels by itself, VAE against MMD-VAE, binarized MNIST.

    python benchmarks/autoregressive.py [--seeds 0] [--data-dir D] [--out runs/autoregressive]

p(x|z) = prod_i p(x_i | x_<i, z): masked convolutions over the image, and z. The decoder first
learns the images alone, two epochs with z drawn from the prior; from these weights it goes on for
an epoch as that of a VAE and that of an MMD-VAE (alpha 1, lambda 100, semi-analytic). It can do
without z: from there the VAE, which pays for what z tells, leaves z empty (trained with its
encoder from the first step it does not); the MMD-VAE does not pay. The same encoder, data, seed
and optimizer for both. Per model it prints I_q(x;z) of the test images, the rate, and the NLL
(importance weighted), and draws samples that share a z by the row. A seed is of the weights,
the order and the noise, those of the decoder's first two epochs included; a run is saved as it
ends and not run again.

The NLL of the MMD-VAE is that of its joint model p(z) p(x|z), with its encoder as the proposal.
"""

import argparse
import itertools
import json
from pathlib import Path

import numpy as np

WIDTH, DILATIONS, LATENT_DIM, BATCH, LAMBDA = 32, (1, 2, 4), 10, 32, 100.0
PIXEL_EPOCHS, EPOCHS = 2, 1
NAMES = ("vae", "mmd_vae")


def masked_convolution(shape: tuple[int, int], dilation: int, own: bool, name: str):
    """A convolution over what comes before each pixel, and over itself if `own`.

    Its kernel has `shape` (rows, columns) and ends in the row of the pixel.
    """
    import keras

    (rows, columns), middle = shape, shape[1] // 2
    mask = np.ones((rows, columns, 1, 1), np.float32)
    mask[-1, middle + own :] = 0

    class MaskedConvolution(keras.layers.Conv2D):
        def convolution_op(self, inputs, kernel):
            return super().convolution_op(inputs, kernel * mask)

    sides = dilation * middle
    padding = keras.layers.ZeroPadding2D(((dilation * (rows - 1), 0), (sides, sides)))
    layer = MaskedConvolution(WIDTH, shape, dilation_rate=dilation, name=name)
    return lambda image: layer(padding(image))


def pixel_network():
    """(images (batch, 28, 28, 1), z (batch, d)) to logits (batch, 28, 28, 1).

    A masked convolution of the 112 pixels that come before each one in 8 rows of 15, then residual
    ones whose dilations of 1, 2 and 4 let it see 22 rows of 29, which holds a digit. z shifts the
    features that the logits are made of, those of all pixels alike.
    """
    import keras

    layers = keras.layers
    image, z = keras.Input((28, 28, 1), name="image"), keras.Input((LATENT_DIM,), name="z")

    x = masked_convolution((8, 15), 1, False, "first")(image)
    for dilation in DILATIONS:
        h = layers.Activation("relu")(x)
        h = masked_convolution((3, 3), dilation, True, f"block_{dilation}")(h)
        x = x + layers.Dense(WIDTH, name=f"mix_{dilation}")(layers.Activation("relu")(h))
    x = x + layers.Reshape((1, 1, WIDTH))(layers.Dense(WIDTH, name="from_z")(z))
    x = layers.Dense(WIDTH, "relu", name="mix")(layers.Activation("relu")(x))
    return keras.Model([image, z], layers.Dense(1, name="logits")(x))


def learn_pixels(training: np.ndarray, path: Path, seed: int):
    """Trains the decoder on its own, z drawn from the prior, and saves its weights."""
    import keras

    keras.utils.set_random_seed(seed)
    pixels = pixel_network()
    steps = PIXEL_EPOCHS * (len(training) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps, alpha=0.25)

    def nats(x, logits):
        loss = keras.ops.binary_crossentropy(x, logits, from_logits=True)
        return keras.ops.sum(loss, axis=(1, 2, 3))

    pixels.compile(keras.optimizers.Adam(rate), nats, steps_per_execution=10)
    z = np.random.default_rng(seed).normal(size=(len(training), LATENT_DIM)).astype(np.float32)
    pixels.fit([training, z], training, BATCH, PIXEL_EPOCHS, verbose=2)
    pixels.save_weights(path)


def build(name: str, pixel_weights: Path, seed: int):
    import keras
    import tensorflow as tf

    from keras_infomodels import models, networks
    from keras_infomodels.divergences import MMD

    pixels = pixel_network()
    pixels.load_weights(pixel_weights)

    class AutoregressiveVAE(models.InfoVAE):
        """InfoVAE whose pixels depend on those before them."""

        def observation(self, z, x, training):
            return self.likelihood.distribution({"logits": pixels([x, z])})

        def draw(self, z: np.ndarray, seed: int) -> np.ndarray:
            """One image for each z, pixel by pixel."""
            uniform = np.random.default_rng(seed).uniform(size=(len(z), 28, 28, 1))
            z = tf.constant(z)
            step = tf.function(lambda x: tf.sigmoid(pixels([x, z])))
            x = np.zeros((len(z), 28, 28, 1), np.float32)
            for row in range(28):
                for column in range(28):
                    p = step(tf.constant(x))[:, row, column]
                    x[:, row, column] = uniform[:, row, column] < p
            return x

    z = keras.Input((LATENT_DIM,), name="z")
    blank = keras.layers.Reshape((28, 28, 1))(keras.layers.Dense(784, trainable=False)(z) * 0.0)
    decoder = keras.Model(z, {"logits": pixels([blank, z])})
    encoder = networks.MLPEncoder(latent_dim=LATENT_DIM, widths=(256, 256), min_stddev=0.05)
    objective = {
        "vae": {"alpha": 0.0, "lambda_": 1.0},
        "mmd_vae": {
            "alpha": 1.0,
            "lambda_": LAMBDA,
            "divergence": MMD(estimator="semi_analytic"),
        },
    }
    return AutoregressiveVAE(encoder, decoder, likelihood="bernoulli", seed=seed, **objective[name])


def run(name: str, data: dict[str, np.ndarray], out: Path, seed: int, epochs: int) -> dict:
    import keras

    from keras_infomodels import datasets, plots
    from keras_infomodels.evaluation import log_likelihood

    keras.utils.set_random_seed(seed)
    model = build(name, out / f"pixels_{seed}.weights.h5", seed)
    training = datasets.from_arrays(data["train"], batch_size=BATCH, seed=seed)
    rate = keras.optimizers.schedules.CosineDecay(5e-4, epochs * len(training))
    model.compile(keras.optimizers.Adam(rate), steps_per_execution=10)
    model.fit(training, epochs=epochs, validation_data=data["validation"], verbose=2)
    logs = model.evaluate(data["test"], batch_size=200, verbose=0, return_dict=True)
    nll = log_likelihood(model, data["test"][:1000], samples=100, batch_size=5)
    rows = np.random.default_rng(0).normal(size=(8, 1, LATENT_DIM)).astype(np.float32)
    z = np.repeat(rows, 8, axis=1).reshape(64, LATENT_DIM)
    figure = plots.image_grid(model.draw(z, 1), 8, f"{name}: each row shares one z")
    plots.save(figure, out / f"{name}_{seed}.png")
    return {
        "model": name,
        "seed": seed,
        "epochs": epochs,
        "parameters": model.count_params(),
        "reconstruction": logs["reconstruction"],
        "rate": logs["rate"],
        "mutual_information": logs["mutual_information"],
        "nll": -nll.nats,
        "nll_standard_error": nll.standard_error,
    }


def table(rows: list[dict]) -> str:
    """Markdown: mean and spread over seeds; the NLL with the mean of its standard errors."""
    columns = {
        "I_q(x;z), nats": "mutual_information",
        "rate": "rate",
        "NLL, 100 samples, 1,000 test images": "nll",
        "its standard error over images": "nll_standard_error",
        "reconstruction": "reconstruction",
    }
    lines = [f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name in NAMES:
        cells = []
        for key in columns.values():
            values = [row[key] for row in rows if row["model"] == name]
            spread = f" ± {np.std(values, ddof=1):.2f}" if len(values) > 1 else ""
            cells.append(f"{np.mean(values):.2f}{spread}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--out", type=Path, default=Path("runs/autoregressive"))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    arguments = parser.parse_args()

    from keras_infomodels import datasets

    data = {
        split: datasets.load_arrays("binarized_mnist", split, data_dir=arguments.data_dir)[0]
        for split in ("train", "validation", "test")
    }
    data = {split: x.astype(np.float32) / (x.max() or 1) for split, x in data.items()}
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "results.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    for seed, name in itertools.product(arguments.seeds, NAMES):
        pixels = arguments.out / f"pixels_{seed}.weights.h5"
        if not pixels.exists():
            learn_pixels(data["train"], pixels, seed)
        wanted = (name, seed, arguments.epochs)
        if wanted not in {(row["model"], row["seed"], row["epochs"]) for row in rows}:
            rows.append(run(name, data, arguments.out, seed, arguments.epochs))
            path.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
