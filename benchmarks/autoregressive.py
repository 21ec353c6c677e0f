"""Why InfoVAE: a decoder that can model pixels by itself, VAE against MMD-VAE, binarized MNIST.

    python benchmarks/autoregressive.py [--data-dir D] [--out runs/autoregressive]

p(x|z) = prod_i p(x_i | x_<i, z): masked convolutions over the image, given z. Such a decoder can
do without z, and a VAE, which pays for what z tells, then says nothing with it; the MMD-VAE
(alpha 1) does not pay. The same networks, data, seed and optimizer for both. Per model it prints
I_q(x;z) of the test images, the rate, and the NLL (importance weighted), and draws samples that
share a z by the row. A run is saved as it ends and not run again.

The NLL of the MMD-VAE is that of its joint model p(z) p(x|z), with its encoder as the proposal.
"""

import argparse
import json
from pathlib import Path

import numpy as np

WIDTH, BLOCKS, LATENT_DIM, BATCH, EPOCHS = 32, 3, 10, 128, 10
NAMES = ("vae", "mmd_vae")


def masked_convolution(rows: int, reach: int, own: bool, name: str):
    """A convolution over what comes before each pixel, and over itself if `own`.

    It sees `rows` rows, of the last one what comes before, and `reach` pixels to both sides.
    """
    import keras

    mask = np.ones((rows, 2 * reach + 1, 1, 1), np.float32)
    mask[-1, reach + own :] = 0

    class MaskedConvolution(keras.layers.Conv2D):
        def convolution_op(self, inputs, kernel):
            return super().convolution_op(inputs, kernel * mask)

    padding = keras.layers.ZeroPadding2D(((rows - 1, 0), (reach, reach)))
    layer = MaskedConvolution(WIDTH, mask.shape[:2], name=name)
    return lambda image: layer(padding(image))


def pixel_network():
    """(images, features of z), both (batch, 28, 28, .), to logits (batch, 28, 28, 1).

    A masked convolution of the 112 pixels that come before each one in 8 rows of 15, then
    residual ones of 2 rows of 5 on its features.
    """
    import keras

    image = keras.Input((28, 28, 1), name="image")
    features = keras.Input((28, 28, WIDTH), name="features")
    x = masked_convolution(8, 7, False, "first")(image) + features
    for i in range(BLOCKS):
        h = keras.layers.Activation("relu")(x)
        h = masked_convolution(2, 2, True, f"block_{i}")(h)
        x = x + keras.layers.Dense(WIDTH, name=f"mix_{i}")(keras.layers.Activation("relu")(h))
    x = keras.layers.Activation("relu")(x)
    x = keras.layers.Dense(WIDTH, "relu", name="mix")(x)
    return keras.Model([image, features], keras.layers.Dense(1, name="logits")(x))


def feature_network():
    """z (batch, d) to {"features": (batch, 28, 28, WIDTH), "logits": zeros of an image's shape}."""
    import keras

    layers = keras.layers
    z = keras.Input((LATENT_DIM,), name="z")
    x = layers.Dense(14 * 14 * 16, activation="relu")(layers.Dense(128, activation="relu")(z))
    x = layers.UpSampling2D()(layers.Reshape((14, 14, 16))(x))
    x = layers.Dense(WIDTH)(x)
    return keras.Model(z, {"features": x, "logits": x[..., :1] * 0.0})


def build(name: str):
    import keras
    import tensorflow as tf

    from keras_infomodels import models, networks
    from keras_infomodels.models.ledger import Player

    class AutoregressiveVAE(models.InfoVAE):
        """InfoVAE whose pixels depend on those before them."""

        def __init__(self, *arguments, pixels, **kwargs):
            super().__init__(*arguments, **kwargs)
            self.pixels = pixels

        def observation(self, z, x, training):
            features = self.decoder(z, training=training)["features"]
            return self.likelihood.distribution({"logits": self.pixels([x, features])})

        def players(self):
            return [Player("optimizer", "loss", (self.encoder, self.decoder, self.pixels))]

        def draw(self, z: np.ndarray, seed: int) -> np.ndarray:
            """One image for each z, pixel by pixel."""
            features = self.decoder(z)["features"]
            uniform = np.random.default_rng(seed).uniform(size=(len(z), 28, 28, 1))
            step = tf.function(lambda x: tf.sigmoid(self.pixels([x, features])))
            x = np.zeros((len(z), 28, 28, 1), np.float32)
            for row in range(28):
                for column in range(28):
                    p = step(tf.constant(x))[:, row, column]
                    x[:, row, column] = uniform[:, row, column] < p
            return x

    keras.utils.set_random_seed(0)
    encoder = networks.MLPEncoder(latent_dim=LATENT_DIM, widths=(256, 256), min_stddev=0.05)
    objective = {
        "vae": {"alpha": 0.0, "lambda_": 1.0},
        "mmd_vae": {"alpha": 1.0, "lambda_": models.mmd_vae.DEFAULT_LAMBDA},
    }
    return AutoregressiveVAE(
        encoder,
        feature_network(),
        likelihood="bernoulli",
        pixels=pixel_network(),
        **objective[name],
    )


def run(name: str, data: dict[str, np.ndarray], out: Path, epochs: int) -> dict:
    import keras

    from keras_infomodels import datasets, plots
    from keras_infomodels.evaluation import log_likelihood

    model = build(name)
    training = datasets.from_arrays(data["train"], batch_size=BATCH)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * len(training))
    model.compile(keras.optimizers.Adam(rate), steps_per_execution=10)
    model.fit(training, epochs=epochs, validation_data=data["validation"], verbose=2)
    logs = model.evaluate(data["test"], batch_size=200, verbose=0, return_dict=True)
    nll = log_likelihood(model, data["test"][:1000], samples=100, batch_size=5)
    rows = np.random.default_rng(0).normal(size=(8, 1, LATENT_DIM)).astype(np.float32)
    z = np.repeat(rows, 8, axis=1).reshape(64, LATENT_DIM)
    figure = plots.image_grid(model.draw(z, 1), 8, f"{name}: each row shares one z")
    plots.save(figure, out / f"{name}.png")
    return {
        "epochs": epochs,
        "parameters": model.count_params(),
        "reconstruction": logs["reconstruction"],
        "rate": logs["rate"],
        "mutual_information": logs["mutual_information"],
        "nll": -nll.nats,
        "nll_standard_error": nll.standard_error,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir")
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
    results = json.loads(path.read_text()) if path.exists() else {}
    for name in NAMES:
        if results.get(name, {}).get("epochs") != arguments.epochs:
            results[name] = run(name, data, arguments.out, arguments.epochs)
            path.write_text(json.dumps(results, indent=1) + "\n")
    print("| | I_q(x;z), nats | rate | NLL, 100 samples, 1,000 test images | reconstruction |")
    print("|---|---|---|---|---|")
    for name, r in results.items():
        print(
            f"| {name} | {r['mutual_information']:.3f} | {r['rate']:.2f} "
            f"| {r['nll']:.2f} ± {r['nll_standard_error']:.2f} | {r['reconstruction']:.2f} |"
        )


if __name__ == "__main__":
    main()
