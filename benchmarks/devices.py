"""Throughput of two workers with a core each beside one process with one core.

    python benchmarks/devices.py [STEPS OF AN EPOCH]

Markdown: images a second of a convolutional VAE of 64x64x3 at a global batch of 128 and 256 in the
fastest of some epochs, 80 steps together, and the CPU seconds of each process. Two workers are two
processes on this machine. The last line fits t = a N + b to one process, and says how far two
workers are from a N / 2 + b: messages, and what several replicas compute more. If CPU seconds are
below seconds, a process waited for the other, or for a core that others use.
"""

import json
import os
import socket
import subprocess
import sys
import time

BATCHES = (128, 256)
STEPS = 80


def work(core: int, batch: int, steps: int):
    """Prints seconds and CPU seconds of a step in each epoch but the first, pinned to a core."""
    os.sched_setaffinity(0, {core})
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    import keras
    import numpy as np
    import tensorflow as tf

    import keras_infomodels as ki
    from keras_infomodels.training.strategies import choose_strategy

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    strategy = choose_strategy()
    images = np.random.default_rng(0).integers(0, 256, (batch * steps, 64, 64, 3), np.uint8)
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = ki.VAE.from_images(images[:1], latent_dim=32)
        model.compile(keras.optimizers.Adam(1e-3))
    ends = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            ends.append((time.perf_counter(), time.process_time()))

    data = ki.datasets.from_arrays(images, None, batch)
    model.fit(data, epochs=1 + STEPS // steps, callbacks=[Clock()], verbose=0)
    print(json.dumps((np.diff(ends, axis=0) / steps).tolist()))


def measure(workers: int, batch: int, steps: int) -> tuple[float, float]:
    """Seconds and CPU seconds of a step of so many processes, in the fastest epoch."""
    servers = [socket.create_server(("localhost", 0)) for _ in range(workers)]
    hosts = [f"localhost:{server.getsockname()[1]}" for server in servers]
    for server in servers:
        server.close()
    processes = []
    for index in range(workers):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": {"worker": hosts}, "task": task}) if workers > 1 else ""
        command = [sys.executable, __file__, "worker", str(index), str(batch), str(steps)]
        environment = os.environ | {"TF_CONFIG": config}
        processes.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        )
    found = [json.loads(each.communicate()[0].splitlines()[-1]) for each in processes]
    # Of the slowest process in each epoch.
    return min(tuple(map(max, zip(*epoch, strict=True))) for epoch in zip(*found, strict=True))


def main(steps: int):
    print("| images a step | one process | two workers | ratio | CPU s of a step, each process |")
    print("|---|---|---|---|---|")
    seconds = {}
    for batch in BATCHES:
        (one, used), (two, used_by_each) = [measure(workers, batch, steps) for workers in (1, 2)]
        seconds[batch] = one, two
        print(
            f"| {batch} | {batch / one:.1f}/s | {batch / two:.1f}/s | {one / two:.2f} | "
            f"{used:.3f} and {used_by_each:.3f} |"
        )
    small, large = BATCHES
    slope = (seconds[large][0] - seconds[small][0]) / (large - small)
    rest = seconds[small][0] - slope * small
    predicted = slope * large / 2 + rest
    print(
        f"\nOne process: {1000 * slope:.2f} ms an image and {1000 * rest:.1f} ms a step. Two "
        f"workers at {large} take {seconds[large][1] / predicted - 1:+.0%} of the predicted "
        f"{1000 * predicted:.0f} ms."
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        work(*map(int, sys.argv[2:]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 8)
