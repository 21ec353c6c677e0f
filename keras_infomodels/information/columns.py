"""Preparation of a user's columns: numbers, labels, counts, codes, one-hot vectors or images."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.stats import rankdata

from keras_infomodels.information.copula import normal_scores
from keras_infomodels.information.discrete import row_codes, without_missing
from keras_infomodels.names import guess

__all__ = [
    "ATOM",
    "Columns",
    "Side",
    "declare",
    "prepare_columns",
    "read_side",
    "without_copies",
]

ATOM = 0.1
"""Share of the rows above which a repeated number is treated as an atom, such as 0 for "none"."""

ROWS_A_VALUE = 5
"""Smallest average number of rows per value for which numbers may be used as categories."""

ORDERS = 8
"""Number of random orders of equal numbers over which nearest neighbors are averaged."""


@dataclass(frozen=True)
class Side:
    """One side of the pairs (x, y), as the user gave it.

    Attributes:
        columns: list of arrays (n,), float64 or text.
        labels: list of bool or None. `True` for a discrete column, `False` for a continuous one, by
            its type or as the caller declared it. `None` if the values decide.
        names: list of str. Names of the columns of a dict or data frame; empty for an array.
        images: float32 array (n, height, width, channels) or (n, length, channels); None for a
            table.
    """

    columns: list[np.ndarray]
    labels: list[bool | None]
    names: tuple[str, ...] = ()
    images: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> "Side":
        """Returns some rows."""
        images = None if self.images is None else self.images[rows]
        return replace(self, columns=[c[rows] for c in self.columns], images=images)

    def __len__(self) -> int:
        return len(self.columns[0]) if self.images is None else len(self.images)


@dataclass(frozen=True)
class Columns:
    """One side of the pairs (x, y), prepared for an estimator.

    Attributes:
        values: array (n, d). Columns that are used as numbers.
        labels: int array (n, k). The other columns, as integers from 0.
        repeated: bool array (d,). `True` for a column of `values` that could be used as labels as
            well, because each value has at least `ROWS_A_VALUE` rows on average.
        images: array (n, height, width, channels). Images of the side; see `Side`.
    """

    values: np.ndarray
    labels: np.ndarray
    repeated: tuple[bool, ...] = ()
    images: np.ndarray | None = field(default=None, compare=False)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def atoms(self) -> bool:
        """Returns `True` if some number in `values` occurs in a tenth of the rows or more."""
        least = max(2, ATOM * len(self))
        return any(np.unique(c, return_counts=True)[1].max() >= least for c in self.values.T)

    @property
    def tied(self) -> bool:
        """Returns `True` if some number in `values` repeats within its column."""
        return any(len(np.unique(column)) < len(column) for column in self.values.T)

    @property
    def width(self) -> int:
        """Number of columns."""
        if self.images is not None:
            return int(np.prod(self.images.shape[1:])) * bool(self.images.any())
        return self.values.shape[1] + self.labels.shape[1]

    def take(self, rows: np.ndarray) -> "Columns":
        """Returns some rows."""
        images = None if self.images is None else self.images[rows]
        return Columns(self.values[rows], self.labels[rows], self.repeated, images)

    def as_labels(self, most: float = math.inf) -> "Columns":
        """Returns a copy with repeated numbers as labels, for columns of at most `most` values."""
        if self.images is not None:
            return self
        few = [len(np.unique(column)) <= most for column in self.values.T]
        chosen = np.array(self.repeated, bool) & np.array(few, bool)
        codes = [np.unique(c, return_inverse=True)[1] for c in self.values.T[chosen]]
        labels = np.column_stack([self.labels, *codes]) if codes else self.labels
        return Columns(self.values[:, ~chosen], labels.astype(int), (False,) * int((~chosen).sum()))

    def joint_label(self) -> np.ndarray:
        """Returns an integer from 0 for each distinct row of `labels`, (n,)."""
        return row_codes(self.labels) if self.labels.shape[1] else np.zeros(len(self), int)

    def scores(self, rng: np.random.Generator) -> np.ndarray:
        """Computes normal scores of `values`, with ties broken at random.

        Nearest neighbors would mistake the ties of rounded numbers for dependence. A random order
        of tied values does not change the information.
        """
        columns = [_untied(column, rng) for column in self.values.T]
        return normal_scores(np.stack(columns, 1) if columns else self.values)

    def numbers(self, scaled: np.ndarray) -> np.ndarray:
        """Returns continuous columns as given, and one-hot categories."""
        kinds = [np.eye(c.max() + 1)[c] for c in self.labels.T]
        return np.hstack([scaled, *kinds])


def read_side(side, name: str) -> Side:
    """Reads the columns (float64 or text), or the images of an array of rank 3 or 4.

    Raises:
        ValueError: If there are no columns or no rows, or numbers are complex, missing or infinite.
    """
    if isinstance(side, Mapping):
        names, columns = tuple(map(str, side)), list(side.values())
    elif hasattr(side, "columns") and hasattr(side, "iloc"):  # a data frame, with its types
        names = tuple(map(str, side.columns))
        columns = [side.iloc[:, i] for i in range(len(names))]
    elif isinstance(getattr(side, "name", None), str) and hasattr(side, "iloc"):  # a series
        names, columns = (side.name,), [side]
    else:
        table = np.asarray(side)
        if table.dtype.kind in "US":  # which may have made text of numbers beside it
            table = np.asarray(side, object)
        if not table.size:
            raise ValueError(f"{name} is empty.")
        if table.ndim in (3, 4) and table.dtype.kind in "fiub":
            return Side([], [], (), _images(table, name))
        names = ()
        columns = list(table.reshape(len(table), -1).T) if table.ndim else [table.reshape(1)]
    if not columns:
        raise ValueError(f"{name} has no column.")
    read = [_column(column, name) for column in columns]
    return Side([column for column, _ in read], [label for _, label in read], names)


def _images(table: np.ndarray, name: str) -> np.ndarray:
    """Standardizes pixels to mean 0 and deviation 1 over the whole set, and adds a channel axis."""
    images = table.astype(np.float32)
    if not np.isfinite(images).all():
        raise ValueError(f"{name} holds NaN or infinite numbers; leave such rows out.")
    images = images[..., None] if images.ndim == 3 else images
    return (images - images.mean()) / max(float(images.std()), 1e-12)


def _column(values, name: str) -> tuple[np.ndarray, bool | None]:
    column = np.asarray(values)
    if column.dtype.kind == "c":
        raise ValueError(f"{name} holds complex numbers; give real and imaginary parts as columns.")
    if column.dtype.kind in "USO":
        column = np.asarray(values, object)
    category = str(getattr(values, "dtype", "")) == "category"
    label = True if category or column.dtype.kind == "b" else None
    column = without_missing(column, name).reshape(-1)
    if column.dtype.kind == "O" and any(isinstance(v, str) and "_" in v for v in column):
        return column.astype(str), True  # Python reads 1_12 as 112; it is a label
    try:
        numbers = column.astype(np.float64)
    except (TypeError, ValueError):
        return column.astype(str), True
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} holds NaN or infinite numbers; leave such rows out.")
    return numbers, label


def declare(x: Side, y: Side, discrete) -> tuple[Side, Side]:
    """Marks the columns that the caller declares discrete or continuous.

    Args:
        x: `Side`. One side of the pairs.
        y: `Side`. The other side.
        discrete: str or list. Discrete columns; see `MutualInformation.fit`.

    Raises:
        ValueError: If a mask has another length, a name is unknown, or text is declared continuous.
    """
    if isinstance(discrete, str) and discrete == "auto":
        return x, y
    known = [*(x.names or x.columns), *(y.names or y.columns)]
    if isinstance(discrete, bool | np.bool_):
        mask = [bool(discrete)] * len(known)
    else:
        entries = [discrete] if isinstance(discrete, str) else list(np.ravel(discrete))
        if entries and isinstance(entries[0], str):
            mask = _named(entries, [*x.names, *y.names], known)
        else:
            mask = [bool(entry) for entry in entries]
    if len(mask) != len(known):
        raise ValueError(
            f"discrete is a mask of one entry a column, {len(x.columns)} of x and then "
            f"{len(y.columns)} of y, got {len(mask)} entries."
        )
    cut = len(x.columns)
    return _marked(x, mask[:cut]), _marked(y, mask[cut:])


def _named(entries: Sequence[str], names: Sequence[str], known: Sequence) -> list[bool | None]:
    if unknown := [entry for entry in entries if entry not in names]:
        raise ValueError(
            f"discrete names unknown columns: {', '.join(map(str, unknown))}; the names are "
            f"{', '.join(names) or 'none, as x and y are arrays: give a mask'}."
            f"{guess(unknown[0], names)}"
        )
    return [True if isinstance(name, str) and name in entries else None for name in known]


def _marked(side: Side, mask: Sequence[bool | None]) -> Side:
    for column, label in zip(side.columns, mask, strict=True):
        if label is False and column.dtype.kind != "f":
            raise ValueError("A column of text is discrete; leave it out of the continuous ones.")
    labels = [old if new is None else new for new, old in zip(mask, side.labels, strict=True)]
    return replace(side, labels=labels)


def prepare_columns(side: Side) -> Columns:
    """Separates numbers from labels, and leaves constant columns out.

    Text, booleans, categories of a data frame, columns of two values and columns that the caller
    declares discrete are labels. All other columns are numbers, which may repeat.

    Raises:
        ValueError: If the labels of a column hardly repeat.
    """
    n = len(side)
    if side.images is not None:
        return Columns(np.zeros((n, 0)), np.zeros((n, 0), int), (), side.images)
    values, labels, repeated = [], [], []
    for column, label in zip(side.columns, side.labels, strict=True):
        kinds, codes = np.unique(column, return_inverse=True)
        if len(kinds) == 1:
            continue  # it carries nothing
        if label or (label is None and len(kinds) == 2):
            labels.append(codes)
        else:
            values.append(column)
            repeated.append(label is None and n >= ROWS_A_VALUE * len(kinds))
    if (most := max((codes.max() + 1 for codes in labels), default=0)) > max(2, n / 2):
        raise ValueError(
            f"A column holds {most} different labels in {n} rows, so each label would identify "
            "its row. Leave out identifiers, and pass numbers as numbers."
        )
    return Columns(
        np.stack(values, 1) if values else np.zeros((n, 0)),
        np.stack(labels, 1) if labels else np.zeros((n, 0), int),
        tuple(repeated),
    )


def without_copies(x: Side, y: Side) -> tuple[Side, Side, str]:
    """Drops copies of rows, if numbers with fractions repeat only in copied rows.

    If every row has the same number of copies, the whole table was copied. A few copies among many
    rows are dropped too. Rows that repeat in another way are kept as a discrete variable, such as
    products with a price.
    """
    columns = [*x.columns, *y.columns]
    fractions = [c for c in columns if c.dtype.kind == "f" and np.any(c % 1)]
    if not fractions or x.images is not None or y.images is not None:
        return x, y, ""  # counts and labels repeat as they are
    n = len(x)
    many = math.sqrt(n)
    numeric = fractions + [c for c in columns if c.dtype.kind == "f" and len(np.unique(c)) > many]
    codes = np.stack([np.unique(c, return_inverse=True)[1] for c in columns], axis=1)
    _, first, copies = np.unique(codes, axis=0, return_index=True, return_counts=True)
    first.sort()
    copied = copies.min() == copies.max() or len(first) > n / 2
    often = copies.max() > many and copies.min() == 1  # a value such as 0 for "nothing"
    if len(first) < 4 or len(first) == n or often or not copied:
        return x, y, ""
    if any(len(np.unique(c[first])) < len(first) for c in numeric):
        return x, y, ""
    note = f"{n - len(first)} rows are copies of others; each counts once"
    return x.take(first), y.take(first), note


def count_orders(x: Columns, y: Columns) -> int:
    """Number of random orders of equal numbers to average over: 1 if no number repeats."""
    return ORDERS if x.tied or y.tied else 1


def _untied(column: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ranks in which equal values have a random order, or one rank if they are an atom."""
    _, kinds, counts = np.unique(column, return_inverse=True, return_counts=True)
    ranks = np.empty(len(column))
    ranks[np.lexsort((rng.uniform(size=len(column)), column))] = np.arange(len(column))
    return np.where(counts[kinds] >= ATOM * len(column), rankdata(column) - 1, ranks)
