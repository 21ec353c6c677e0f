"""Estimators of mutual information where the answer is known.

    python benchmarks/mutual_information.py tasks --out tasks.csv
    python benchmarks/mutual_information.py gaussians --out gaussians.csv
    python benchmarks/mutual_information.py cold --out cold.csv
    python benchmarks/mutual_information.py fresh --out fresh.csv
    python benchmarks/mutual_information.py table --out tasks.csv
    python benchmarks/mutual_information.py spread --out fresh.csv

"tasks" are those of `information_tasks.py`, 10,000 pairs, 3 draws; "gaussians" 20-dimensional
Gaussians of 2 to 10 nats and their cubes, 10,000 pairs, 5 seeds; "cold" the same without the
Gaussian start that critics have by default; "fresh" the same as "cold" with new draws in each of
20,000 steps of 64 pairs. Each finished row is kept in the file: a run that was broken off goes on
where it was. "table" prints a file's means and largest errors, "spread" how far its seeds lie from
each other and from the truth.
"""

import argparse
import csv
import itertools
import json
import os
import time
import warnings
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from information_tasks import TASKS, Task, mapped, normal_information, normal_pairs

from keras_infomodels.information import MutualInformation
from keras_infomodels.information.mutual_information import ESTIMATORS

FIELDS = (
    "protocol",
    "task",
    "truth",
    "seed",
    "estimator",
    "method",
    "nats",
    "standard_error",
    "kind",
    "warned",
    "seconds",
)
ORDER = ("auto", "ksg", "copula", "info_nce", "donsker_varadhan", "smile", "gaussian", "mixed")
"""The others come last."""
PROTOCOLS = ("tasks", "gaussians", "cold", "fresh")


def gaussian_tasks() -> list[Task]:
    tasks = []
    for nats in (2, 4, 6, 8, 10):
        r = np.sqrt(1 - np.exp(-nats / 10))
        draw = normal_pairs([r] * 20)
        truth = normal_information(*[r] * 20)
        tasks.append(Task(f"normal 20x20, {nats} nats", truth, draw))
        cubes = mapped(draw, lambda x: x * x * x, lambda y: y * y * y)
        tasks.append(Task(f"cubes 20x20, {nats} nats", truth, cubes))
    return tasks


def measure(
    protocol: str, task: Task, seed: int, estimator: str, n: int, steps: int, settings: dict
) -> dict:
    start = time.perf_counter()
    try:
        if protocol == "fresh":
            settings = {"warm_start": False, "steps": steps, "batch_size": 64} | settings
            information = MutualInformation(estimator, seed=seed, **settings)
            estimate = information.fit(task.draw)
        else:
            x, y = task.draw(n, np.random.default_rng(seed))
            settings = ({"warm_start": False} if protocol == "cold" else {}) | settings
            estimate = MutualInformation(estimator, seed=seed, **settings).fit(x, y)
    except ValueError:
        return {"nats": "", "method": "refused"}
    except FloatingPointError:
        return {"nats": "", "method": "diverged"}
    return {
        "method": estimate.method,
        "nats": f"{estimate.nats:.4f}",
        "standard_error": f"{estimate.standard_error:.4f}",
        "kind": estimate.kind,
        "warned": bool(estimate.note),
        "seconds": f"{time.perf_counter() - start:.1f}",
    }


def run(protocol: str, path: Path, estimators, seeds: int, part: str, *how):
    tasks = list(TASKS.values()) if protocol == "tasks" else gaussian_tasks()
    tasks = [task for task in tasks if part in task.name]
    done = set()
    if path.exists():
        with path.open() as file:
            done = {(r["task"], int(r["seed"]), r["estimator"]) for r in csv.DictReader(file)}
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if not done:
            writer.writeheader()
        for estimator, seed, task in itertools.product(estimators, range(seeds), tasks):
            if (task.name, seed, estimator) in done:
                continue
            row = {
                "protocol": protocol,
                "task": task.name,
                "truth": f"{task.truth:.4f}",
                "seed": seed,
                "estimator": estimator,
            }
            row |= measure(protocol, task, seed, estimator, *how)
            writer.writerow(row)
            file.flush()
            print(*row.values(), flush=True)


def table(path: Path):
    """Markdown: for each task the mean over seeds of each estimator, then the errors."""
    values, truths, seconds, above = defaultdict(list), {}, defaultdict(list), defaultdict(list)
    with path.open() as file:
        for row in csv.DictReader(file):
            if row["nats"]:
                values[row["task"], row["estimator"]].append(float(row["nats"]))
                truths[row["task"]] = float(row["truth"])
                seconds[row["estimator"]].append(float(row["seconds"]))
                if row["kind"] == "lower bound":
                    excess = float(row["nats"]) - float(row["truth"])
                    above[row["estimator"]].append(excess / float(row["standard_error"]))
    names = [e for e in ESTIMATORS if e in seconds]
    print("| task | truth |", " | ".join(names), "|")
    print("|---" * (len(names) + 2) + "|")
    for task, truth in truths.items():
        cells = [_short(np.mean(values[task, e])) if (task, e) in values else "-" for e in names]
        print(f"| {task} | {truth:.3f} |", " | ".join(cells), "|")
    errors = {
        e: [abs(v - truths[t]) for (t, f), vs in values.items() if f == e for v in vs]
        for e in names
    }
    for label, figure in (
        ("mean absolute error", lambda e: np.mean(errors[e])),
        ("largest error", lambda e: np.max(errors[e])),
        ("most seconds", lambda e: np.max(seconds[e])),
    ):
        print(f"| {label} | |", " | ".join(_short(figure(e)) for e in names), "|")
    cells = [f"{max(above[e]):.1f}" if e in above else "-" for e in names]
    print("| a lower bound's most above, in standard errors | |", " | ".join(cells), "|")


def _short(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1e4 else f"{value:.0e}"


def spread(path: Path):
    """Markdown: a row for each estimator and task."""
    rows = defaultdict(list)
    with path.open() as file:
        for row in csv.DictReader(file):
            if row["nats"]:
                rows[row["estimator"], row["task"]].append(row)
    print("| estimator | task | seeds | nats | furthest, % | furthest above, standard errors |")
    print("|---" * 6 + "|")
    for (estimator, task), found in rows.items():
        nats, errors, truths = (
            np.array([float(row[name]) for row in found])
            for name in ("nats", "standard_error", "truth")
        )
        deviation = f" ± {_short(np.std(nats, ddof=1))}" if len(found) > 1 else ""
        furthest = 100 * np.max(np.abs(nats / truths - 1))
        above = np.max((nats - truths) / errors)
        print(
            f"| {estimator} | {task} | {len(found)} | {_short(np.mean(nats))}{deviation} | "
            f"{furthest:.1f} | {above:.1f} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("protocol", choices=[*PROTOCOLS, "table", "spread"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default="", metavar="PART", help="of a task's name")
    parser.add_argument("--estimators", nargs="+", choices=ESTIMATORS)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--settings", type=json.loads, default={}, help="of NeuralSettings, JSON")
    a = parser.parse_args()
    if a.protocol in ("table", "spread"):
        {"table": table, "spread": spread}[a.protocol](a.out)
        return
    warnings.filterwarnings("ignore", "Nearest neighbors in")
    everyone = [*ORDER, *(e for e in ESTIMATORS if e not in ORDER)]
    if a.protocol in ("cold", "fresh"):
        everyone = [e for e in everyone if e in ESTIMATORS[5:]]
    run(
        a.protocol,
        a.out,
        a.estimators or everyone,
        a.seeds or (3 if a.protocol == "tasks" else 5),
        a.only,
        a.n,
        a.steps,
        a.settings,
    )


if __name__ == "__main__":
    main()
