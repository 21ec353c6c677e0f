"""A newer estimator tried: information from a flow to the conditional, beside "auto" at equal time.

    python benchmarks/flow_matching.py

    I(X;Y) = - integral from 0 to 1 of E div v(x_t, t, y) dt,    x_t = (1 - t) x_0 + t x_1

v is the mean of x_1 - x_0 given (x_t, t, y), where x_1 was drawn with y and x_0 was not: its flow
turns p(x) into p(x|y), and the entropy changes by the mean divergence. A network learns v by least
squares on four fifths of the pairs, for as long as "auto" took; the divergence is read from the
rest. Source: Butakov et al., "FMMI: Flow matching mutual information estimation", 2025.
"""

import contextlib
import io
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from denoising import TASKS

from keras_infomodels.information import MutualInformation, NormalScores

DRAWS = 2
TRIED = 100
"""Steps by which the time of a step is measured, after as many that are not."""


def flow_information(x: np.ndarray, y: np.ndarray, seconds: float, seed: int):
    """Trains for so many CPU seconds; returns the information and the number of steps."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng([seed, 98])
    test, train = np.split(rng.permutation(len(x)), [len(x) // 5])
    maps = NormalScores(x[train]), NormalScores(y[train])
    x, y = (m(a) for m, a in zip(maps, (x, y), strict=True))
    d = x.shape[1]
    net = keras.Sequential([*(keras.layers.Dense(128, "gelu") for _ in range(2)),
                            keras.layers.Dense(d)])  # fmt: skip

    def batch(rows, partners):
        t = rng.uniform(size=(len(rows), 1)).astype(np.float32)
        return [tf.constant(a) for a in (x[partners], x[rows], t, y[rows])]

    def velocity(x_t, t, y):
        return net(tf.concat([x_t, t, y], axis=1))

    optimizer = keras.optimizers.AdamW(2e-3, weight_decay=1e-3)
    velocity(*batch(train[:2], train[:2])[1:])
    optimizer.build(net.trainable_variables)

    @tf.function(autograph=False)
    def step(x_0, x_1, t, y):
        with tf.GradientTape() as tape:
            error = velocity((1 - t) * x_0 + t * x_1, t, y) - (x_1 - x_0)
            loss = tf.reduce_mean(tf.reduce_sum(error**2, axis=1))
        optimizer.apply(tape.gradient(loss, net.trainable_variables), net.trainable_variables)

    def run(steps):
        start = time.process_time()
        for _ in range(steps):
            rows = rng.choice(train, 256)
            step(*batch(rows, rng.permutation(rows)))
        return time.process_time() - start

    start = time.process_time()
    run(TRIED)
    cost = run(TRIED) / TRIED
    steps = int((seconds - (time.process_time() - start)) / cost)
    for part in range(20):  # the learning rate falls by a cosine
        optimizer.learning_rate = 1e-3 * (1 + np.cos(np.pi * part / 20))
        run(max(steps // 20, 1))

    @tf.function(autograph=False)
    def divergence(x_0, x_1, t, y):
        x_t = (1 - t) * x_0 + t * x_1
        with tf.GradientTape() as tape:
            tape.watch(x_t)
            v = velocity(x_t, t, y)
        return tf.linalg.trace(tape.batch_jacobian(v, x_t))

    found = [
        tf.reduce_mean(divergence(*batch(test, rng.permutation(test)))).numpy() for _ in range(50)
    ]
    return -float(np.mean(found)), steps


def main():
    print("| task | truth | auto | flow matching | seconds | steps |")
    print("|---" * 6 + "|")
    for task in TASKS:
        rows = []
        for draw in range(DRAWS):
            x, y = task.draw(4000, np.random.default_rng(1000 + draw))
            start = time.process_time()
            with contextlib.redirect_stdout(io.StringIO()):
                auto = MutualInformation(seed=draw).fit(x, y).nats
            seconds = time.process_time() - start
            rows.append((auto, *flow_information(x, y, seconds, draw), seconds))
        auto, flow, steps, seconds = np.array(rows).T
        print(
            f"| {task.name} | {task.truth:.3f} | {auto.mean():.3f} ± {auto.std(ddof=1):.3f} | "
            f"{flow.mean():.3f} ± {flow.std(ddof=1):.3f} | {seconds.mean():.0f} | "
            f"{steps.mean():.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
