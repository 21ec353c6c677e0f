"""Memory of evaluations and estimates over many images in shards.

    python benchmarks/memory.py FOLDER

Markdown: peak of the memory that a process has of its own, without pages of files, and seconds.
A process each for 10,000 and for 1,000,000 random images of 16x16, which are written to FOLDER as
shards of 259 MB and stay there. `mutual_information` has as many posteriors, and 1,000 samples.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

COUNTS = (10_000, 1_000_000)
WORK = ("reading alone", "VAE.evaluate", "VAE.mutual_information", "InfoGAN.evaluate")
SIZE, SAMPLES = 16, 1000


def write(folder: Path):
    """Writes the shards, a million images that differ."""
    import numpy as np

    from keras_infomodels.datasets.loading import find
    from keras_infomodels.datasets.shard_source import write_shards
    from keras_infomodels.datasets.source import Options

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (max(COUNTS), SIZE, SIZE, 1), np.uint8)
    np.savez(folder / "images.npz", train_images=images)
    del images
    write_shards(find(folder / "images.npz", Options()), folder / "shards")


def own_memory() -> float:
    """Megabytes that this process has of its own."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1000


def work(what: str, shards: Path, count: int):
    """Prints the peak of memory and the seconds of one task."""
    import threading

    import keras_infomodels as ki
    from keras_infomodels.distributions import Categorical, Code

    data = ki.datasets.load(shards, f"train[:{count}]", 1000, shuffle=False)
    first = next(iter(data))
    if what.startswith("InfoGAN"):
        model = ki.InfoGAN.from_images(first, codes=[Code("digit", Categorical(10))])
    else:
        model = ki.VAE.from_images(first, network="mlp", widths=[64], latent_dim=10)
    model.compile()
    peak, done = own_memory(), threading.Event()

    def watch():
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, own_memory())

    thread = threading.Thread(target=watch)
    thread.start()
    start, found = time.perf_counter(), None
    if what == "VAE.mutual_information":
        estimate = model.mutual_information(data, limit=count, samples=SAMPLES)
        found = f"{estimate.nats:.3f} of at most {estimate.ceiling:.3f} nats"
    elif what == "reading alone":
        for _ in data:
            pass
    else:
        model.evaluate(data, verbose=0)
    seconds = time.perf_counter() - start
    done.set()
    thread.join()
    print(json.dumps([peak, seconds, found]))


def main(folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "shards").exists():
        write(folder)
    heads = " | ".join(f"{count:,} images" for count in COUNTS)
    print(f"| | {heads} |\n|---|---|---|")
    for what in WORK:
        cells = []
        for count in COUNTS:
            command = [sys.executable, __file__, what, str(folder / "shards"), str(count)]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            peak, seconds, found = json.loads(output.splitlines()[-1])
            cells.append(f"{peak:.0f} MB, {seconds:.1f} s" + (f"; {found}" if found else ""))
        print(f"| {what} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        work(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main(Path(sys.argv[1]))
