"""MMD forward and backward against the (n, n, d) formulation, one process each, as ratios.

    python benchmarks/mmd.py [--n 1024] [--d 64]

Both take the mean over the seven scales of the inverse multiquadric kernel, float32, unbiased, and
the gradient with respect to one of the two samples. Memory is what a process's peak grows by from
before the first call, so that it holds compilation as well.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def direct(x, y):
    """The textbook formulation: differences as a tensor (n, n, d)."""
    import tensorflow as tf

    def gram(a, b):
        squared = tf.reduce_sum((a[:, None] - b[None]) ** 2, axis=-1)
        constants = [2 * a.shape[-1] * scale for scale in SCALES]
        return tf.add_n([c / (c + squared) for c in constants]) / len(constants)

    def within(a):
        n = a.shape[0]
        matrix = gram(a, a)
        return (tf.reduce_sum(matrix) - tf.linalg.trace(matrix)) / (n * (n - 1))

    return within(x) + within(y) - 2 * tf.reduce_mean(gram(x, y))


def measure(which: str, jit_compile: bool, n: int, d: int) -> dict:
    """Median seconds of a call and the growth of the peak memory in bytes, of this process."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    from keras_infomodels.divergences import MMD

    mmd = MMD().between if which == "ours" else direct

    @tf.function(jit_compile=jit_compile)
    def step(x, y):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = mmd(x, y)
        return loss, tape.gradient(loss, x)

    x, y = tf.unstack(tf.random.stateless_normal((2, n, d), [1, 2]))
    before = _peak()
    loss = float(step(x, y)[0])
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        step(x, y)[1].numpy()
        seconds.append(time.perf_counter() - start)
    grown = _peak() - before
    return {"seconds": statistics.median(seconds), "bytes": grown, "loss": loss}


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1024)
    parser.add_argument("--d", type=int, default=64)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        which, mode = arguments.measure
        print(json.dumps(measure(which, mode == "xla", arguments.n, arguments.d)))
        return
    print(f"n = {arguments.n}, d = {arguments.d}, seven scales, forward and backward")
    print("| mode | (n, n, d): ms, MB | ours: ms, MB | faster | smaller | same value to |")
    print("|---|---|---|---|---|---|")
    for mode in ("graph", "xla"):
        theirs, ours = (_in_own_process(which, mode, arguments) for which in ("direct", "ours"))
        print(
            f"| {mode} | {_row(theirs)} | {_row(ours)} "
            f"| {theirs['seconds'] / ours['seconds']:.1f} x "
            f"| {theirs['bytes'] / ours['bytes']:.1f} x "
            f"| {abs(theirs['loss'] - ours['loss']):.0e} |"
        )


def _in_own_process(which: str, mode: str, arguments: argparse.Namespace) -> dict:
    sizes = ["--n", str(arguments.n), "--d", str(arguments.d)]
    command = [sys.executable, __file__, *sizes, "--measure", which, mode]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def _row(result: dict) -> str:
    return f"{1e3 * result['seconds']:.1f}, {result['bytes'] / 2**20:.0f}"


if __name__ == "__main__":
    main()
