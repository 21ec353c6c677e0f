"""Changes of the codes of a trained model that need no labels, for `disentanglement.py`.

All functions take `means`, the posterior means of training images, and `codes`, those of the images
that are measured, both (examples, latents).
"""

from itertools import combinations

import keras
import numpy as np
import tensorflow as tf

import keras_infomodels as ki
from keras_infomodels.divergences import MinibatchTotalCorrelation
from keras_infomodels.models.code_tables import code_table

SECOND = {"steps": 4000, "batch": 256, "rate": 3e-3, "width": 128}
CIRCLE = -0.4
"""Settings of the model of codes and of angles, chosen with seed 100 of both sets, as its beta."""


def independent_components(means: np.ndarray, codes: np.ndarray, fun: str) -> tuple:
    """Independent components of both tables, by those of the means in the active latents."""
    from sklearn.decomposition import FastICA

    spread = means.std(axis=0)
    active = spread >= 0.2 * spread.max()
    ica = FastICA(whiten="unit-variance", fun=fun, max_iter=3000, random_state=0)
    return ica.fit_transform(means[:, active]), ica.transform(codes[:, active])


def circles(codes: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of columns that lie on a circle, by the correlation of their squares."""
    correlations = np.corrcoef(codes.T**2)
    left, pairs = list(range(len(correlations))), []
    while len(left) > 1:
        pair = min(combinations(left, 2), key=lambda pair: correlations[pair])
        if correlations[pair] > CIRCLE:
            break
        pairs.append(pair)
        left = [each for each in left if each not in pair]
    return pairs


def with_angles(codes: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
    """Codes in which the angle and the radius of each pair take its place."""
    taken = [each for pair in pairs for each in pair]
    columns = [codes[:, each] for each in range(codes.shape[1]) if each not in taken]
    for i, j in pairs:
        columns += [np.arctan2(codes[:, i], codes[:, j]), np.hypot(codes[:, i], codes[:, j])]
    return np.stack(columns, axis=1)


def second_stage(
    means: np.ndarray, codes: np.ndarray, unit: np.ndarray, seed: int, beta: float
) -> np.ndarray:
    """Codes of a beta-TCVAE that is trained on the means, in this unit for each latent."""
    training, codes = (
        ((each - means.mean(axis=0)) / unit)[:, None, None].astype(np.float32)
        for each in (means, codes)
    )
    scale = float(training.std())  # of what networks see
    shape, width, steps = training.shape[1:], SECOND["width"], SECOND["steps"]
    keras.utils.set_random_seed(seed)
    z = x = keras.Input(shape[-1:])
    for _ in range(2):
        x = keras.layers.Dense(width, "gelu")(x)
    loc = keras.layers.Reshape(shape)(keras.layers.Dense(shape[-1])(x))
    second = ki.InfoVAE(
        ki.networks.MLPEncoder(shape, shape[-1], (width, width)),
        keras.Model(z, {"loc": loc}),
        likelihood=ki.distributions.Gaussian(1 / scale),
        lambda_=beta,
        divergence=MinibatchTotalCorrelation(),
        seed=seed,
    )
    rate = keras.optimizers.schedules.CosineDecay(SECOND["rate"], steps)
    second.compile(keras.optimizers.Adam(rate))
    data = tf.data.Dataset.from_tensor_slices(training / scale)
    data = data.shuffle(len(training), seed=seed).repeat().batch(SECOND["batch"])
    second.fit(data, epochs=1, steps_per_epoch=steps, verbose=0)
    return code_table(second, codes / scale)[0]
