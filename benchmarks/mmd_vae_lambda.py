"""What lambda does in the MMD-VAE on MNIST: the sweep behind `mmd_vae.DEFAULT_LAMBDA`.

    python benchmarks/mmd_vae_lambda.py [--data-dir D] [--epochs 8]

Small lambda leaves q(z) unlike the prior, large lambda pays for it with reconstruction. Beside the
MMD stands KL(N(m, S) || N(0, I)) of the mean and covariance of sampled z: the first two moments.
Figures are of 5,000 validation images, which training does not see.
"""

import argparse

import numpy as np

LAMBDAS = (1.0, 10.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)


def gaussian_kl(z: np.ndarray) -> float:
    """KL(N(m, S) || N(0, I)) with the sample's own m and S, in nats."""
    mean, covariance = z.mean(0), np.cov(z.T)
    _, logdet = np.linalg.slogdet(covariance)
    return 0.5 * float(np.trace(covariance) + mean @ mean - len(mean) - logdet)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir")
    parser.add_argument("--epochs", type=int, default=8)
    arguments = parser.parse_args()

    import tensorflow as tf

    from keras_infomodels import zoo
    from keras_infomodels.zoo.build import build_model, load_split
    from keras_infomodels.zoo.recipes import Recipe

    path = zoo.PRESETS / "mmd_vae_mnist" / "recipe.toml"
    recipe = Recipe.load(path, epochs=arguments.epochs, schedule="constant")
    training = load_split(recipe, recipe.data.train, arguments.data_dir)
    validation = load_split(recipe, recipe.data.validation, arguments.data_dir)
    epochs = recipe.training.epochs
    print(f"{recipe.data.name}, {epochs} epochs, seed {recipe.training.seed}")
    print("| lambda | reconstruction (nats) | MMD^2 | moments KL (nats) | mean sigma of q(z|x) |")
    print("|---|---|---|---|---|")
    for lambda_ in LAMBDAS:
        changed = Recipe.load(path, epochs=epochs, schedule="constant", lambda_=lambda_)
        model = build_model(changed, (28, 28, 1), epochs * len(training))
        model.fit(training, epochs=epochs, verbose=0)
        logs = model.evaluate(validation, return_dict=True, verbose=0)
        posterior = model.encode(tf.concat(list(validation), axis=0))
        z = posterior.sample(seed=[0, 0]).numpy()
        print(
            f"| {lambda_:g} | {logs['reconstruction']:.1f} | {logs['divergence']:.4f} "
            f"| {gaussian_kl(z):.3f} | {posterior.stddev().numpy().mean():.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
