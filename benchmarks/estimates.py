"""`MutualInformation` as people call it, on tasks of known answer: errors, intervals, notes, times.

    python benchmarks/estimates.py run --out estimates.csv
    python benchmarks/estimates.py report estimates.csv

25 tasks of BMI at 4,000 rows and 61 tasks of our own in four groups (discrete, mixed, continuous,
images), three fresh draws of each. Finished rows are kept: a run that was broken off goes on. The
report gives, for each group, what `MARKS` asks for.
"""

import argparse
import contextlib
import csv
import io
import math
import os
import time
import warnings
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from known import TASKS
from known.tasks import Task

from keras_infomodels.information import MutualInformation

FIELDS = (
    "group", "task", "n", "truth", "draw", "nats", "standard_error", "kind", "method",
    "lower", "upper", "note", "seconds",
)  # fmt: skip

MARKS = """To reach: of BMI a mean absolute error (of means of three draws) of .028, none above .15;
of our own tasks at least 80 % within .1 nats or 10 %, notes on at most 20 %; intervals that cover
at least 85 % in each group, with a median width of at most .3. Truths above ln n need a note alone.
"""


def measure(task: Task, draw: int, estimator: str) -> dict:
    x, y = task.draw(task.n, np.random.default_rng(1000 + draw))
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        estimate = MutualInformation(estimator, seed=draw).fit(x, y)
    lower, upper = getattr(estimate, "interval", None) or (-math.inf, None)
    return {
        "nats": f"{estimate.nats:.4f}",
        "standard_error": f"{estimate.standard_error:.4f}",
        "kind": estimate.kind,
        "method": estimate.method,
        "lower": f"{lower:.4f}",
        "upper": "" if upper is None else f"{upper:.4f}",
        "note": estimate.note,
        "seconds": f"{time.perf_counter() - start:.2f}",
    }


def run(path: Path, groups, only: str, draws: int, estimator: str):
    tasks = [t for group in groups or TASKS for t in TASKS[group]() if only in t.name]
    done = set()
    if path.exists():
        with path.open() as file:
            done = {(r["group"], r["task"], int(r["draw"])) for r in csv.DictReader(file)}
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if not done:
            writer.writeheader()
        for draw in range(draws):
            for task in tasks:
                if (task.group, task.name, draw) in done:
                    continue
                row = {"group": task.group, "task": task.name, "n": task.n, "draw": draw}
                row |= {"truth": f"{task.truth:.4f}"} | measure(task, draw, estimator)
                writer.writerow(row)
                file.flush()
                print(
                    f"{task.group:10} {task.name:36} {task.truth:7.3f} {float(row['nats']):8.3f} "
                    f"[{row['lower']}, {row['upper']}] {row['method']} {row['seconds']} s "
                    f"{row['note'][:60]}",
                    flush=True,
                )


def report(path: Path):
    """Markdown: a row for each task, then a row for each group."""
    rows = defaultdict(list)
    with path.open() as file:
        for row in csv.DictReader(file):
            rows[row["group"], row["task"]].append(row)
    print("| group | task | truth | mean | error | interval | note | method | seconds |")
    print("|---" * 9 + "|")
    groups = defaultdict(list)
    for (group, task), found in rows.items():
        nats = np.array([float(r["nats"]) for r in found])
        truth, n = float(found[0]["truth"]), int(found[0]["n"])
        bounds = [(float(r["lower"]), float(r["upper"] or math.inf)) for r in found]
        notes = [r["note"] for r in found if r["note"]]
        seconds = np.mean([float(r["seconds"]) for r in found])
        error = nats.mean() - truth
        groups[group].append(
            {
                "error": abs(error),
                "each": np.abs(nats - truth),
                "within": np.abs(nats - truth) <= max(0.1, 0.1 * truth),
                "covers": [low <= truth <= high for low, high in bounds],
                "widths": [high - low for low, high in bounds],
                "notes": [bool(r["note"]) for r in found],
                "seconds": seconds,
                "certified": truth <= math.log(n),
            }
        )
        low, high = np.mean(bounds, axis=0)
        print(
            f"| {group} | {task} | {truth:.3f} | {nats.mean():.3f} | {error:+.3f} | "
            f"{low:.2f} to {high:.2f} | {len(notes)} | "
            f"{', '.join(sorted({r['method'] for r in found}))} | {seconds:.1f} |"
        )
    print()
    print("| group | tasks | mean error | largest | within | covers | width | notes | seconds |")
    print("|---" * 9 + "|")
    for group, tasks in groups.items():
        kept = [t for t in tasks if t["certified"]]

        def share(name, kept=kept):
            return f"{100 * np.mean(np.concatenate([t[name] for t in kept])):.0f} %"

        print(
            f"| {group} | {len(tasks)} | {np.mean([t['error'] for t in kept]):.3f} | "
            f"{max(t['error'] for t in kept):.3f} | {share('within')} | {share('covers')} | "
            f"{np.median(np.concatenate([t['widths'] for t in kept])):.2f} | {share('notes')} | "
            f"{np.sum([t['seconds'] for t in tasks]):.0f} |"
        )
    print(f"\n{MARKS}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run")
    runner.add_argument("--out", type=Path, required=True)
    runner.add_argument("--groups", nargs="+", choices=TASKS, default=[])
    runner.add_argument("--only", default="", metavar="PART", help="of a task's name")
    runner.add_argument("--draws", type=int, default=3)
    runner.add_argument("--estimator", default="auto")
    commands.add_parser("report").add_argument("file", type=Path)
    a = parser.parse_args()
    if a.command == "report":
        report(a.file)
        return
    warnings.filterwarnings("ignore", "Nearest neighbors in")
    run(a.out, a.groups, a.only, a.draws, a.estimator)


if __name__ == "__main__":
    main()
