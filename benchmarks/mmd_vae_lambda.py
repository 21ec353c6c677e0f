"""What lambda does in the MMD-VAE: the sweeps behind `mmd_vae.DEFAULT_LAMBDA` and "auto".

    python benchmarks/mmd_vae_lambda.py [--data-dir D] [--epochs 8]
    python benchmarks/mmd_vae_lambda.py --scenes 16 32 64 --epochs 12
    python benchmarks/mmd_vae_lambda.py --scenes 32 --epochs 12 --model aae

The first takes MNIST and lambda from 1 to 10,000. The others take 2,000 scenes of each size, and
parts and multiples of 4 x the weight at 28x28x1 (MMD-VAE 1000, adversarial autoencoder 1) x the
number of pixel values / 784.

Small lambda leaves q(z) unlike the prior, large lambda pays for it with reconstruction. Beside the
MMD stands KL(N(m, S) || N(0, I)) of the mean and covariance of sampled z: the first two moments.
Of scenes there are also the root mean squared error of reconstructions and the kernel distances of
1,000 samples from validation images, by 50 principal components of training images: with z of
N(0, I), and with z of the prior that `fit_prior` has fitted. Figures are of 5,000 validation images
(1,000 scenes), which training does not see.
"""

import argparse

import numpy as np

LAMBDAS = (1.0, 10.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
USUAL = {"mmd_vae": 1000.0, "aae": 1.0}
PARTS = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
HEADER = """| lambda | reconstruction (nats) | MMD^2 | moments KL (nats) | mean sigma of q(z|x) |
|---|---|---|---|---|"""
OF_SCENES = HEADER.replace("|\n", "| rmse | samples | fitted prior |\n") + "---|" * 3


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
    parser.add_argument("--model", choices=("mmd_vae", "aae"), default="mmd_vae", help="of scenes")
    arguments = parser.parse_args()
    for size in arguments.scenes or ():
        sweep_scenes(arguments.model, size, arguments.epochs)
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


def sweep_scenes(name: str, size: int, epochs: int):
    from keras_infomodels import datasets
    from keras_infomodels.zoo.build import build_model
    from keras_infomodels.zoo.recipes import Recipe

    training = datasets.load("scenes", "train[:2000]", 64, image_size=(size, size))
    validation = datasets.load("scenes", "validation[:1000]", 64, image_size=(size, size))
    shape = tuple(training.element_spec.shape[1:])
    print(f"{name}, scenes of {size}x{size}, {epochs} epochs, seed 0\n{OF_SCENES}")
    for part in PARTS:
        lambda_ = part * 4 * USUAL[name] * np.prod(shape) / 784
        recipe = Recipe.of(name, dataset="scenes", epochs=epochs, lambda_=lambda_)
        model = build_model(recipe, shape, epochs * len(training))
        model.fit(training, epochs=epochs, verbose=0)
        print_row(f"{lambda_:.4g}", model, validation, training)


def of_samples(model, training, validation) -> tuple[float, float, float]:
    """Error of reconstructions, and kernel distances of samples without and with a fitted prior."""
    from keras_infomodels.evaluation import fit_features, kernel_distance

    images, real = (np.concatenate(list(data)) for data in (training, validation))
    features, standard = fit_features(images), model.prior
    error = np.sqrt(np.mean((model.predict(real, batch_size=100, verbose=0) - real) ** 2))
    found = []
    for prior in (standard, model.fit_prior(images)):
        z = prior.distribution().sample(len(real), seed=[0, 0])
        samples = [np.asarray(model.decode(part).mean()) for part in np.array_split(z, 10)]
        samples = np.clip(np.concatenate(samples), 0, 1)
        found.append(kernel_distance(features(samples), features(real)))
    return error, *found


def print_row(lambda_: str, model, validation, training=None):
    import tensorflow as tf

    logs = model.evaluate(validation, return_dict=True, verbose=0)
    posterior = model.encode(tf.concat(list(validation), axis=0))
    z = posterior.sample(seed=[0, 0]).numpy()
    more = () if training is None else of_samples(model, training, validation)
    print(
        f"| {lambda_} | {logs['reconstruction']:.1f} | {logs['divergence']:.4f} "
        f"| {gaussian_kl(z):.3f} | {posterior.stddev().numpy().mean():.3f} |",
        *(f"{value:.4g} |" for value in more),
        flush=True,
    )


if __name__ == "__main__":
    main()
