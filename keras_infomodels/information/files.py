"""Mutual information of the columns of a CSV file: a table and a diagram."""

import codecs
import contextlib
import csv
import difflib
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from keras_infomodels.information.columns import prepare_columns, read_side
from keras_infomodels.information.discrete import miller_madow
from keras_infomodels.information.estimate import Estimate
from keras_infomodels.information.joint import MeasuredJoint
from keras_infomodels.information.mutual_information import MutualInformation
from keras_infomodels.information.neighbors import nearest_neighbor_entropy

__all__ = ["information_table", "measured_joint", "parse_names", "print_table", "read_columns"]

_FIELD = 10_000_000
"""The most characters of a field."""

_SHOWN, _LONG = 20, 60
"""Columns, and characters of a text, that an error shows."""


def read_columns(path: str | Path, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Columns of a CSV file with a header: numbers where every field is one, else labels.

    Args:
        path: file in UTF-8, UTF-16 with its mark, or Windows-1252; fields apart by commas, each of
            up to 10 MB.
        names: of the columns to read; None is all. What the others hold does not matter.

    Returns:
        {name: (n,)}, float64 or strings.

    Raises:
        ValueError: no rows, a ragged row, a name that is no column or that several have; in a
            column that is read, an empty field, NaN or an infinite number, or a field that is no
            number where at least half are numbers.
    """
    rows = _rows(path)
    if not rows:
        raise ValueError(f"{path} is empty; it needs a header of column names, and rows below it.")
    header, rows = [name.strip() for name in rows[0][1]], rows[1:]
    names = header if names is None else names
    _check_names(names, header)
    if not rows:
        raise ValueError(f"{path} has no rows below its header.")
    for number, row in rows:
        if len(row) != len(header):
            raise ValueError(f"{path}, row {number}: {len(row)} fields, but {len(header)} names.")
    return {
        name: _column(f"{path}, column {name!r}", [(number, row[i]) for number, row in rows])
        for i, name in enumerate(header)
        if name in names
    }


def parse_names(text: str) -> list[str]:
    """Column names apart by commas; a name that holds a comma is quoted, as in a CSV file.

    Example:
        parse_names('age,"height, cm"')  # ["age", "height, cm"]
    """
    (names,) = csv.reader([text.strip()], skipinitialspace=True)
    return [name.strip() for name in names or [""]]


def information_table(
    columns: Mapping[str, np.ndarray],
    x: Sequence[str],
    y: Sequence[str],
    information: MutualInformation,
    discrete="auto",
) -> dict[tuple[tuple[str, ...], tuple[str, ...]], Estimate]:
    """I of all of x with all of y, then of each column of x with each of y where there are more.

    Args:
        columns: by name.
        x, y: names.
        information: the estimator.
        discrete: "auto", or the names of columns that hold categories.

    Raises:
        ValueError: a name that is no column, or in both x and y.
    """
    _check_names((*x, *y), list(columns))
    if both := set(x) & set(y):
        raise ValueError(f"{', '.join(sorted(both))} is in both --x and --y.")
    if not isinstance(discrete, str):
        _check_names(discrete, [*x, *y])
    pairs = [(tuple(x), tuple(y))]
    if len(x) > 1 or len(y) > 1:
        pairs += [((a,), (b,)) for a in x for b in y]
    return {
        (a, b): information.fit(
            {n: columns[n] for n in a}, {n: columns[n] for n in b}, _among(discrete, (*a, *b))
        )
        for a, b in pairs
    }


def _among(discrete, names: Sequence[str]):
    """The discrete columns among those of one estimate."""
    if isinstance(discrete, str):
        return discrete
    return [name for name in discrete if name in names] or "auto"


def measured_joint(
    columns: Mapping[str, np.ndarray], x: Sequence[str], y: Sequence[str], information: Estimate
) -> MeasuredJoint | None:
    """Entropies beside the information, for the diagram; None where there are none to be had.

    Labels have the Miller-Madow entropy, as their information has, numbers a differential one by
    nearest neighbors, which may be negative; a group of both, or of numbers that repeat, has
    neither.
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
        nothing = ", not distinguishable from 0" if e.is_nothing() else ""
        print(
            f"{name:{width + 3}} {e.nats * scale:8.3f} {e.standard_error * scale:7.3f}  "
            f"{ceiling:>8}  {e.kind}, {e.method}{nothing}"
        )


def _rows(path: str | Path) -> list[tuple[int, list[str]]]:
    """The rows of a CSV file that are not blank, with their numbers in the file."""
    text = _decode(Path(path).read_bytes(), path)
    limit = csv.field_size_limit(_FIELD)
    try:
        reader = csv.reader(io.StringIO(text, newline=""))
        return [(number, row) for number, row in enumerate(reader, start=1) if row]
    except csv.Error as error:
        raise ValueError(
            f"{path} is no CSV file that can be read: {error}. A quote may be left open."
        ) from error
    finally:
        csv.field_size_limit(limit)


def _decode(content: bytes, path: str | Path) -> str:
    """The text of a file as spreadsheets write it."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ("utf-16",)
    elif b"\0" in content:
        encodings = ()
    else:
        # Every byte has a meaning in Windows-1252 but for five.
        encodings = ("utf-8-sig", "cp1252")
    for encoding in encodings:
        with contextlib.suppress(UnicodeDecodeError):
            return content.decode(encoding)
    raise ValueError(f"{path} is no text in UTF-8; save it as a CSV file in that encoding.")


def _check_names(names: Sequence[str], header: Sequence[str]):
    for name in names:
        if header.count(name) == 1:
            continue
        message = f"There is no column {_short(name)!r}; {_listed(name, header)}."
        if name in header:
            message = (
                f"{header.count(name)} columns are named {_short(name)!r}; give each its own name."
            )
        if any("," in each for each in header):
            message += " Put a name that holds a comma in quotes: --x '\"height, cm\",age'."
        if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
            message += " Fields are apart by commas; this file seems to have another separator."
        elif any(map(_is_number, header)):
            message += " The header holds numbers; if it is data, write a row of names above it."
        raise ValueError(message)


def _listed(name: str, header: Sequence[str]) -> str:
    """What columns there are, in as many words as a line has."""
    if len(header) <= _SHOWN:
        return f"there are {', '.join(map(_short, header))}"
    close = difflib.get_close_matches(name[:_LONG], [each[:_LONG] for each in header], 3)
    words = f", such as {', '.join(map(_short, close))}" if close else ""
    return f"there are {len(header)}: {', '.join(map(_short, header[:5]))}, ...{words}"


def _short(name: str) -> str:
    return name if len(name) <= _LONG else f"{name[:_LONG]}..."


def _column(place: str, fields: Sequence[tuple[int, str]]) -> np.ndarray:
    """Numbers or labels of fields with their row in the file, which messages name."""
    fields = [(number, field.strip()) for number, field in fields]
    for number, field in fields:
        if not field or (_is_number(field) and not math.isfinite(float(field))):
            found = repr(_short(field)) if field else "an empty field"
            raise ValueError(f"{place}, row {number}: {found}; leave such rows out.")
    texts = [(number, field) for number, field in fields if not _is_number(field)]
    if not texts:
        return np.array([float(field) for _, field in fields])
    # With its commas "1,234" is text, yet whoever wrote it means a number.
    numbers = sum(_is_number(field.replace(",", "")) for _, field in fields)
    if 2 * numbers >= len(fields):
        number, field = texts[0]
        raise ValueError(
            f"{place}, row {number}: {_short(field)!r} is no number, but most of the column are. "
            "Leave such rows out, or write a number, as 1234.5; labels need a letter each, as c1."
        )
    return np.array([field for _, field in fields])


def _is_number(field: str) -> bool:
    if "_" in field:  # Python reads 1_12 as 112; it is a label
        return False
    try:
        float(field)
    except ValueError:
        return False
    return True


def _entropy(columns: list[np.ndarray]) -> Estimate | None:
    side = read_side(dict(enumerate(columns)), "a group of columns")
    prepared = prepare_columns(side).as_labels()
    if prepared.labels.shape[1] and not prepared.values.shape[1]:
        return miller_madow(prepared.labels, prepared.labels)
    if prepared.tied or prepared.labels.shape[1] or not prepared.width:
        return None
    return nearest_neighbor_entropy(prepared.values, min(3, len(prepared.values) - 1))
