"""One way to train, in a process of its own: a line of input is a round, a line of output its cost.

python benchmarks/peers/worker.py KIND WAY STEPS EPOCHS
"""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main():
    sys.stdout = sys.stderr  # what libraries print
    kind, way, *numbers = sys.argv[1:]
    steps, epochs = map(int, numbers)
    try:
        if way.startswith(("pytorch", "pythae")):
            from torch_ways import trainer
        else:
            from tensorflow_ways import trainer
    except ImportError as error:
        answer({"missing": error.name})
        return
    train = None
    for _ in sys.stdin:
        cpu, wall = time.process_time(), time.perf_counter()
        if train is None:
            train = trainer(
                kind, way, steps, epochs
            )  # the first round holds construction and tracing
        train()
        answer({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall})


def answer(row: dict):
    print(json.dumps(row), file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    main()
