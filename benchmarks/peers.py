"""A training step as a user gets it: this library, plain Keras, PyTorch and pythae.

    python benchmarks/peers.py [--kinds vae mmd_vae aae] [--rounds 7] [--steps 100] [--epochs 5]
        [--python-of-torch venv/bin/python]

Each way trains in a process of its own on the same binary images; rounds take turns, so that a busy
machine slows all alike. A round is one call of `fit` with so many epochs of so many steps; the
processor time is that of all threads, the wall time depends on what else runs. "keras" is a
`train_step` as keras.io/examples/generative writes it, with Keras' own layers; "ours" is
`compile("adam")` and `fit(array)`; "_xla" adds `jit_compile=True`, "_bfloat16" the networks in
mixed_bfloat16. PyTorch and pythae need an environment of their own (pip install torch pythae);
without it their rows say so. "1,000 steps" is construction, tracing and compilation, from the first
round, and then 1,000 steps of the median round.

Rows are added to benchmarks/results/peers.json with the processor's name; docs/speed.md shows them.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "peers.json"
KINDS = ("vae", "mmd_vae", "aae", "vae_conv", "infogan")
WAYS = ("keras", "ours", "keras_xla", "ours_xla", "pytorch", "pythae")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--ways", nargs="+", default=WAYS, help="beside those named, ours_bfloat16")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=100, help="of each way in each epoch")
    parser.add_argument("--epochs", type=int, default=5, help="of each way in each round")
    parser.add_argument("--python-of-torch", default=sys.executable)
    arguments = parser.parse_args()
    rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    for kind in arguments.kinds:
        found = compare(kind, arguments)
        new = {(row["kind"], row["way"], row["processor"]) for row in found}
        rows = [r for r in rows if (r["kind"], r["way"], r["processor"]) not in new] + found
        RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
        print(table(found))


def compare(kind: str, arguments: argparse.Namespace) -> list[dict]:
    """A row for each way, of interleaved rounds."""
    workers = {way: start(kind, way, arguments) for way in arguments.ways}
    rounds = {way: [] for way in workers}
    for _ in range(arguments.rounds + 1):  # the first holds tracing
        for way, worker in workers.items():
            try:
                print(file=worker.stdin, flush=True)
                rounds[way].append(json.loads(worker.stdout.readline()))
            except (BrokenPipeError, json.JSONDecodeError):
                rounds[way].append({"missing": "an answer"})
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    base = {"kind": kind, "processor": processor(), "steps": arguments.steps}
    base |= {"epochs": arguments.epochs}
    steps = arguments.steps * arguments.epochs
    return [base | {"way": way} | summary(each, steps) for way, each in rounds.items()]


def start(kind: str, way: str, arguments: argparse.Namespace) -> subprocess.Popen:
    torch = way in ("pytorch", "pythae")
    python = arguments.python_of_torch if torch else sys.executable
    numbers = [str(arguments.steps), str(arguments.epochs)]
    command = [python, str(HERE / "peers" / "worker.py"), kind, way, *numbers]
    quiet = subprocess.DEVNULL
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=quiet, text=True)


def summary(rounds: list[dict], steps: int) -> dict:
    """Medians in milliseconds a step, the spread, and seconds to 1,000 steps."""
    if missing := [each["missing"] for each in rounds if "missing" in each]:
        return {"note": f"not installed: {missing[0]}"}
    first, *others = rounds
    row = {"rounds": len(others)}
    for clock in ("cpu", "wall"):
        each = sorted(1000 * r[clock] / steps for r in others)
        median = statistics.median(each)
        row[f"{clock}_ms"] = round(median, 2)
        row[f"{clock}_ms_range"] = [round(each[0], 2), round(each[-1], 2)]
        row[f"{clock}_seconds_to_1000"] = round(first[clock] + median * (1000 - steps) / 1000, 2)
    return row


def processor() -> str:
    """The processor's name and how many of its threads this process may use."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    name = (names or [platform.processor()])[0]
    return f"{name}, {threads} thread{'' if threads == 1 else 's'}"


def table(rows: list[dict]) -> str:
    """Rows of one kind in Markdown."""
    base = next((row.get("cpu_ms") for row in rows if row["way"] == "keras"), None)
    lines = [
        f"| {rows[0]['kind']} | CPU ms a step | range | times keras | wall ms | 1,000 steps, s |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        if "note" in row:
            lines.append(f"| {row['way']} | {row['note']} | | | | |")
            continue
        low, high = row["cpu_ms_range"]
        times = f"{base / row['cpu_ms']:.2f}" if base else ""
        lines.append(
            f"| {row['way']} | {row['cpu_ms']} | {low} to {high} | {times} | {row['wall_ms']} "
            f"| {row['cpu_seconds_to_1000']} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
