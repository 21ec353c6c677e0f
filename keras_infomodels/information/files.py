"""Mutual information of the columns of a CSV file: a table and a diagram."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from keras_infomodels.information.discrete import plug_in
from keras_infomodels.information.estimate import Estimate
from keras_infomodels.information.joint import MeasuredJoint
from keras_infomodels.information.mutual_information import MutualInformation, prepare_columns
from keras_infomodels.information.neighbors import nearest_neighbor_entropy

__all__ = ["information_table", "measured_joint", "print_table", "read_columns"]


def read_columns(path: str | Path) -> dict[str, np.ndarray]:
    """The columns of a CSV file with a header: numbers where every field is one, else labels.

    Raises:
        ValueError: no rows, a ragged row, or an empty field.
    """
    with open(path, newline="", encoding="utf-8-sig") as file:
        header, *rows = csv.reader(file) or [[]]
    rows = [row for row in rows if row]
    if not rows:
        raise ValueError(f"{path} has no rows below its header.")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise ValueError(f"{path}, row {number}: {len(row)} fields, but {len(header)} names.")
        if "" in (field.strip() for field in row):
            raise ValueError(f"{path}, row {number}: an empty field; leave such rows out.")
    names = [name.strip() for name in header]
    return {name: _numbers([row[i] for row in rows]) for i, name in enumerate(names)}


def information_table(
    columns: Mapping[str, np.ndarray],
    x: Sequence[str],
    y: Sequence[str],
    information: MutualInformation,
) -> dict[tuple[tuple[str, ...], tuple[str, ...]], Estimate]:
    """I of all of x with all of y, then of each column of x with each of y where there are more.

    Raises:
        ValueError: a name that is no column, or in both x and y.
    """
    for name in (*x, *y):
        if name not in columns:
            raise ValueError(f"There is no column {name!r}; there are {', '.join(columns)}.")
    if both := set(x) & set(y):
        raise ValueError(f"{', '.join(sorted(both))} is in both --x and --y.")
    pairs = [(tuple(x), tuple(y))]
    if len(x) > 1 or len(y) > 1:
        pairs += [((a,), (b,)) for a in x for b in y]
    return {
        (a, b): information.fit({n: columns[n] for n in a}, {n: columns[n] for n in b})
        for a, b in pairs
    }


def measured_joint(
    columns: Mapping[str, np.ndarray], x: Sequence[str], y: Sequence[str], information: Estimate
) -> MeasuredJoint | None:
    """Entropies beside the information, for the diagram; None where there are none to be had.

    Labels have the plug-in entropy, numbers a differential one by nearest neighbors, which may be
    negative; a group of both, or of numbers that repeat, has neither.
    """
    entropies = [_entropy([columns[name] for name in names]) for names in (x, y)]
    if None in entropies or not math.isfinite(information.nats):
        return None
    return MeasuredJoint.of_pair((",".join(x), ",".join(y)), tuple(entropies), information)


def print_table(table: Mapping[tuple, Estimate], unit: str = "nats"):
    """Prints one line an estimate."""
    scale = 1 / math.log(2) if unit == "bits" else 1.0
    width = max(len(f"{','.join(a)} ; {','.join(b)}") for a, b in table)
    print(f"{'':{width + 3}} {unit:>8} {'±':>7}  {'ceiling':>8}  kind, estimator")
    for (a, b), e in table.items():
        name = f"I({','.join(a)} ; {','.join(b)})"
        ceiling = "-" if math.isinf(e.ceiling) else f"{e.ceiling * scale:.3f}"
        print(
            f"{name:{width + 3}} {e.nats * scale:8.3f} {e.standard_error * scale:7.3f}  "
            f"{ceiling:>8}  {e.kind}, {e.method}"
        )


def _numbers(column: Sequence[str]) -> np.ndarray:
    try:
        return np.array([float(field) for field in column])
    except ValueError:
        return np.array([field.strip() for field in column])


def _entropy(columns: list[np.ndarray]) -> Estimate | None:
    prepared = prepare_columns(columns)
    if prepared.labels.shape[1] and not prepared.values.shape[1]:
        return plug_in(prepared.labels, prepared.labels)
    if prepared.tied or prepared.labels.shape[1] or not prepared.width:
        return None
    return nearest_neighbor_entropy(prepared.values, min(3, len(prepared.values) - 1))
