"""What lambda does in the MMD-VAE: the sweeps behind `mmd_vae.DEFAULT_LAMBDA` and "auto".

    python benchmarks/mmd_vae_lambda.py [--data-dir D] [--epochs 8]
    python benchmarks/mmd_vae_lambda.py --scenes 16 32 64 --epochs 15

The first takes MNIST and lambda from 1 to 10,000; the second 2,000 scenes of each size, and parts
and multiples of "auto".

Small lambda leaves q(z) unlike the prior, large lambda pays for it with reconstruction. Beside the
MMD stands KL(N(m, S) || N(0, I)) of the mean and covariance of sampled z: the first two moments.
Figures are of 5,000 validation images, which training does not see.
"""

import argparse

import numpy as np

LAMBDAS = (1.0, 10.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
PARTS = (0.001, 0.03, 0.3, 1.0, 3.0, 30.0)
HEADER = """| lambda | reconstruction (nats) | MMD^2 | moments KL (nats) | mean sigma of q(z|x) |
|---|---|---|---|---|"""


def gaussian_kl(z: np.ndarray) -> float:
    """KL(N(m, S) || N(0, I)) with the sample's own m and S, in nats."""
    mean, covariance = z.mean(0), np.cov(z.T)
    _, logdet = np.linalg.slogdet(covariance)
    return 0.5 * float(np.trace(covariance) + mean @ mean - len(mean) - logdet)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--scenes", type=int, nargs="+", metavar="SIZE")
    arguments = parser.parse_args()
    for size in arguments.scenes or ():
        sweep_scenes(size, arguments.epochs)
    if not arguments.scenes:
        sweep_mnist(arguments.data_dir, arguments.epochs)


def sweep_mnist(data_dir: str | None, epochs: int):
    from keras_infomodels import zoo
    from keras_infomodels.zoo.build import build_model, load_split
    from keras_infomodels.zoo.recipes import Recipe

    path = zoo.PRESETS / "mmd_vae_mnist" / "recipe.toml"
    recipe = Recipe.load(path, epochs=epochs, schedule="constant")
    training = load_split(recipe, recipe.data.train, data_dir)
    validation = load_split(recipe, recipe.data.validation, data_dir)
    print(f"{recipe.data.name}, {epochs} epochs, seed {recipe.training.seed}\n{HEADER}")
    for lambda_ in LAMBDAS:
        changed = Recipe.load(path, epochs=epochs, schedule="constant", lambda_=lambda_)
        model = build_model(changed, (28, 28, 1), epochs * len(training))
        model.fit(training, epochs=epochs, verbose=0)
        print_row(f"{lambda_:g}", model, validation)


def sweep_scenes(size: int, epochs: int):
    from keras_infomodels import MMDVAE, datasets
    from keras_infomodels.zoo.build import build_model
    from keras_infomodels.zoo.recipes import Recipe

    training = datasets.load("scenes", "train[:2000]", 64, image_size=(size, size))
    validation = datasets.load("scenes", "validation[:1000]", 64, image_size=(size, size))
    shape = training.element_spec.shape[1:]
    auto = MMDVAE.from_images(training).lambda_
    print(f"scenes of {size}x{size}, {epochs} epochs, seed 0, auto = {auto:.4g}\n{HEADER}")
    for part in PARTS:
        recipe = Recipe.of("mmd_vae", dataset="scenes", epochs=epochs, lambda_=part * auto)
        model = build_model(recipe, tuple(shape), epochs * len(training))
        model.fit(training, epochs=epochs, verbose=0)
        print_row(f"{part:g} auto", model, validation)


def print_row(lambda_: str, model, validation):
    import tensorflow as tf

    logs = model.evaluate(validation, return_dict=True, verbose=0)
    posterior = model.encode(tf.concat(list(validation), axis=0))
    z = posterior.sample(seed=[0, 0]).numpy()
    print(
        f"| {lambda_} | {logs['reconstruction']:.1f} | {logs['divergence']:.4f} "
        f"| {gaussian_kl(z):.3f} | {posterior.stddev().numpy().mean():.3f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
