"""Mutual information of the columns of a CSV file, as a table and a diagram."""

import codecs
import contextlib
import csv
import difflib
import io
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from keras_infomodels import html
from keras_infomodels.information.columns import prepare_columns, read_side
from keras_infomodels.information.discrete import miller_madow
from keras_infomodels.information.estimate import Estimate
from keras_infomodels.information.joint import MeasuredJoint
from keras_infomodels.information.mutual_information import MutualInformation
from keras_infomodels.information.neighbors import nearest_neighbor_entropy
from keras_infomodels.log import LOGGER
from keras_infomodels.names import guess

__all__ = [
    "InformationTable",
    "format_table",
    "information_table",
    "measured_joint",
    "parse_names",
    "print_table",
    "read_columns",
]

_FIELD = 10_000_000
"""Largest number of characters of a field."""

_SHOWN, _LONG = 20, 60
"""Largest number of columns, and of characters of a text, in an error message."""


class InformationTable(dict):
    """Dict of mutual informations, which prints as a table, and which a notebook shows as one.

    A key is a pair of tuples of column names, (names of x, names of y). A value is an `Estimate`.

    Example:
        estimate = ki.information.Estimate(0.4, 0.01)
        table = ki.information.InformationTable({(("age",), ("size",)): estimate})
        print(table)
    """

    def __str__(self) -> str:
        return format_table(self) if self else super().__str__()

    def _repr_html_(self) -> str:
        rows = [
            (
                f"I({','.join(a)} ; {','.join(b)})",
                f"{e.nats:.3f}",
                f"{e.standard_error:.3f}",
                "-" if math.isinf(e.ceiling) else f"{e.ceiling:.3f}",
                ", ".join(filter(None, (e.kind, e.method, e.doubt()))),
            )
            for (a, b), e in self.items()
        ]
        return html.table(("", "nats", "±", "ceiling", "kind, estimator"), rows)


def read_columns(
    path: str | Path, names: Sequence[str] | None = None, skip_missing: bool = False
) -> dict[str, np.ndarray]:
    r"""Reads columns of a CSV file with a header.

    A column becomes numbers if every field is a number, and text labels otherwise.

    Args:
        path: str or Path. CSV file with fields separated by commas, in UTF-8, UTF-16 with a byte
            order mark, or Windows-1252. A field has at most 10 MB.
        names: sequence of str. Names of the columns to read. Other columns are not checked. `None`
            reads all columns.
        skip_missing: bool. `True` leaves out the rows with an empty field or NaN in one of these
            columns, and logs their number. `False` raises an error.

    Returns:
        dict from column name to array (n,) of float64 or str.

    Raises:
        ValueError: If there are no rows, or none without missing values; if a row has another
            number of fields than the header; if a name is unknown or occurs twice in the header; or
            if a column has an empty field, NaN, an infinite number, or some fields that are not
            numbers while at least half of them are.

    Example:
        pathlib.Path("measurements.csv").write_text("age,size\n30,1.7\n41,1.8\n")
        ki.information.read_columns("measurements.csv")  # {"age": [30., 41.], "size": [1.7, 1.8]}
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
    used = {name: i for i, name in enumerate(header) if name in names}
    rows = _without_missing(rows, used, path, skip_missing)
    return {
        name: _column(f"{path}, column {name!r}", [(number, row[i]) for number, row in rows])
        for name, i in used.items()
    }


def _without_missing(
    rows: list[tuple[int, list[str]]], used: Mapping[str, int], path: str | Path, skip: bool
) -> list[tuple[int, list[str]]]:
    """Leaves out the rows with a missing value in a used column, or raises an error for them."""
    complete = [
        (number, row) for number, row in rows if not any(_is_missing(row[i]) for i in used.values())
    ]
    count = len(rows) - len(complete)
    if not count:
        return rows
    share = f"{count} of {len(rows)} rows"
    if not skip:
        name, number, field = next(
            (name, number, row[i].strip())
            for name, i in used.items()
            for number, row in rows
            if _is_missing(row[i])
        )
        raise ValueError(
            f"{path}, column {name!r}, row {number}: {repr(field) if field else 'an empty field'}; "
            f"{share} have an empty field or NaN in a column that is used. Leave such rows out: "
            "--skip-missing, or read_columns(..., skip_missing=True)."
        )
    if not complete:
        raise ValueError(f"{path}: all rows have an empty field or NaN in a column that is used.")
    LOGGER.warning("%s: left out %s, with an empty field or NaN in a used column.", path, share)
    return complete


def _is_missing(field: str) -> bool:
    return not field.strip() or (_is_number(field) and math.isnan(float(field)))


def parse_names(text: str) -> list[str]:
    """Splits a text into column names at commas.

    Args:
        text: str. Names such as 'age,height'. A name with a comma is in double quotes, as in CSV
            files.

    Example:
        ki.information.parse_names('age,"height, cm"')  # ["age", "height, cm"]
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
    """Estimates the mutual information of columns x and y, together and in pairs.

    The first entry of the result is the information of all columns of x with all columns of y. The
    others are those of each column of x with each column of y. If x and y share columns, there is
    only an entry for each pair of different columns, in one order. So x = y = all columns gives the
    table of all pairs.

    Args:
        columns: dict from name to array (n,). Columns of a table, such as the result of
            `read_columns`.
        x: sequence of str. Names of the columns of x.
        y: sequence of str. Names of the columns of y.
        information: `MutualInformation`. Estimator to use.
        discrete: str or sequence of str. Names of the columns that hold categories. "auto" decides
            by type and values.

    Returns:
        `InformationTable`, a dict from (names of x, names of y) to `Estimate` in nats.

    Raises:
        ValueError: If a name is not a column, or x and y have no pair of different columns.

    Example:
        rng = np.random.default_rng(1)
        columns = {"a": rng.normal(size=500), "b": rng.normal(size=500)}
        columns["sum"] = columns["a"] + columns["b"] + rng.normal(size=500)
        estimator = ki.information.MutualInformation("copula")
        table = ki.information.information_table(columns, ["a", "b"], ["sum"], estimator)
        print(ki.information.format_table(table))
    """
    _check_names((*x, *y), list(columns))
    if not isinstance(discrete, str):
        _check_names(discrete, list(dict.fromkeys((*x, *y))))
    pairs = _pairs(x, y)
    if not pairs:
        raise ValueError(
            f"x and y are the same column, {x[0]!r}; give a pair of different columns."
            if x and y
            else "x and y need at least one column each."
        )
    return InformationTable(
        {
            (a, b): information.fit(
                {n: columns[n] for n in a}, {n: columns[n] for n in b}, _among(discrete, (*a, *b))
            )
            for a, b in pairs
        }
    )


def _pairs(x: Sequence[str], y: Sequence[str]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Groups of columns to measure: all of x with all of y, then single columns."""
    single = [((a,), (b,)) for a in x for b in y]
    if set(x) & set(y):
        # I(a ; a) is an entropy, and I(b ; a) equals I(a ; b).
        each = {}
        for a, b in single:
            if a != b:
                each.setdefault(frozenset((*a, *b)), (a, b))
        return list(each.values())
    if len(single) < 2:
        return single
    return [(tuple(x), tuple(y)), *single]


def _among(discrete, names: Sequence[str]):
    """Returns the discrete columns among the columns of one estimate."""
    if isinstance(discrete, str):
        return discrete
    return [name for name in discrete if name in names] or "auto"


def measured_joint(
    columns: Mapping[str, np.ndarray], x: Sequence[str], y: Sequence[str], information: Estimate
) -> MeasuredJoint | None:
    """Estimates the entropies of x and y, for an `information_diagram` with their information.

    The entropy of labels is estimated with Miller and Madow's correction. For numbers the
    differential entropy is estimated by nearest neighbors; it may be negative.

    Args:
        columns: dict from name to array (n,). Columns of a table.
        x: sequence of str. Names of the columns of x.
        y: sequence of str. Names of the columns of y.
        information: `Estimate`. Mutual information of x and y.

    Returns:
        `MeasuredJoint`, or `None` if x or y mixes labels and numbers, or has numbers that repeat.

    Example:
        rng = np.random.default_rng(1)
        columns = {"a": rng.integers(2, size=500)}
        columns["b"] = columns["a"] ^ (rng.random(500) < 0.1)
        estimate = ki.information.plug_in(columns["a"], columns["b"])
        joint = ki.information.measured_joint(columns, ["a"], ["b"], estimate)
        ki.information.information_diagram(joint)
    """
    entropies = [_entropy([columns[name] for name in names]) for names in (x, y)]
    if None in entropies or not math.isfinite(information.nats):
        return None
    return MeasuredJoint.of_pair((",".join(x), ",".join(y)), tuple(entropies), information)


def format_table(table: Mapping[tuple, Estimate], unit: str = "nats") -> str:
    """Formats the estimates of `information_table` as text: a header, then one line each.

    Args:
        table: dict from (names of x, names of y) to `Estimate`.
        unit: str. "nats" or "bits".

    Example:
        table = {(("age",), ("size",)): ki.information.Estimate(0.4, 0.01)}
        print(ki.information.format_table(table, "bits"))
    """
    scale = 1 / math.log(2) if unit == "bits" else 1.0
    width = max(len(f"{','.join(a)} ; {','.join(b)}") for a, b in table)
    lines = [f"{'':{width + 3}} {unit:>8} {'±':>7}  {'ceiling':>8}  kind, estimator"]
    for (a, b), e in table.items():
        name = f"I({','.join(a)} ; {','.join(b)})"
        ceiling = "-" if math.isinf(e.ceiling) else f"{e.ceiling * scale:.3f}"
        doubt = f", {words}" if (words := e.doubt()) else ""
        lines.append(
            f"{name:{width + 3}} {e.nats * scale:8.3f} {e.standard_error * scale:7.3f}  "
            f"{ceiling:>8}  {e.kind}, {e.method}{doubt}"
        )
    return "\n".join(lines)


def print_table(table: Mapping[tuple, Estimate], unit: str = "nats"):
    """Prints `format_table(table, unit)`; deprecated, to be removed in version 0.3.

    Args:
        table: dict from (names of x, names of y) to `Estimate`.
        unit: str. "nats" or "bits".
    """
    warnings.warn(
        "information.print_table will be removed in version 0.3; write "
        "print(information.format_table(...)).",
        DeprecationWarning,
        stacklevel=2,
    )
    print(format_table(table, unit))  # noqa: T201


def _rows(path: str | Path) -> list[tuple[int, list[str]]]:
    """Reads the rows of a CSV file that are not blank, with their line numbers."""
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
    """Decodes the text of a file as spreadsheets write it."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ("utf-16",)
    elif b"\0" in content:
        encodings = ()
    else:
        # All bytes but five are valid in Windows-1252.
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
        if len(header) <= _SHOWN:
            message += guess(name, map(_short, header))
        if name in header:
            message = (
                f"{header.count(name)} columns are named {_short(name)!r}; give each its own name."
            )
        if any("," in each for each in header):
            message += (
                " In the command, put a name that holds a comma in quotes: "
                "--x '\"height, cm\",age'."
            )
        if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
            message += " Fields are apart by commas; this file seems to have another separator."
        elif any(map(_is_number, header)):
            message += " The header holds numbers; if it is data, write a row of names above it."
        raise ValueError(message)


def _listed(name: str, header: Sequence[str]) -> str:
    """Lists the columns in at most one line."""
    if len(header) <= _SHOWN:
        return f"there are {', '.join(map(_short, header))}"
    close = difflib.get_close_matches(name[:_LONG], [each[:_LONG] for each in header], 3)
    words = f", such as {', '.join(map(_short, close))}" if close else ""
    return f"there are {len(header)}: {', '.join(map(_short, header[:5]))}, ...{words}"


def _short(name: str) -> str:
    return name if len(name) <= _LONG else f"{name[:_LONG]}..."


def _column(place: str, fields: Sequence[tuple[int, str]]) -> np.ndarray:
    """Converts fields to numbers or labels; error messages name their row in the file."""
    fields = [(number, field.strip()) for number, field in fields]
    for number, field in fields:
        if _is_number(field) and math.isinf(float(field)):
            raise ValueError(f"{place}, row {number}: {field!r}; leave such rows out.")
    texts = [(number, field) for number, field in fields if not _is_number(field)]
    if not texts:
        return np.array([float(field) for _, field in fields])
    # "1,234" is text because of its comma, but is meant as a number.
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
