"""One interface to the estimators of I(X;Y) from samples."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from keras_infomodels.information.automatic import automatic
from keras_infomodels.information.checks import joined
from keras_infomodels.information.columns import (
    Columns,
    declare,
    prepare_columns,
    read_side,
    without_copies,
)
from keras_infomodels.information.copula import copula_information, gaussian_information
from keras_infomodels.information.discrete import miller_madow
from keras_infomodels.information.estimate import Estimate
from keras_infomodels.information.exact import known_relation
from keras_infomodels.information.neighbors import ksg, mixed_ksg
from keras_infomodels.information.read_out import READ_OUTS
from keras_infomodels.information.settings import NeuralSettings
from keras_infomodels.information.streams import generator
from keras_infomodels.spec import check_int

__all__ = ["ESTIMATORS", "MutualInformation"]

NEURAL = tuple(READ_OUTS)
ESTIMATORS = ("auto", "ksg", "mixed", "gaussian", "copula", *NEURAL)

AUTO = {"batch_size": 256, "learning_rate": 3e-3, "epochs": 100, "patience": 15}
"""Settings that differ where several critics are trained at once."""


class MutualInformation:
    """I(X;Y) of paired samples, in nats.

        "ksg"        nearest neighbors; continuous, few dimensions (it warns above five)
        "mixed"      nearest neighbors for discrete, continuous and mixed columns; between discrete
                     variables alone the plug-in with Miller and Madow's correction
        "gaussian"   canonical correlations: right for jointly Gaussian data
        "copula"     the same of ranks: right for Gaussian data up to monotone maps of columns
        "info_nce", "nwj", "tuba", "donsker_varadhan", "mine", "interpolated"
                     lower bounds with a trained critic, read from held-out pairs
        "jensen_shannon"  a critic trained by its bound, read out as `nwj`: a lower bound
        "smile"      the same critic, read out as `smile`: an estimate
        "auto"       see below

    Text, booleans and columns of two values are labels. Other columns are numbers; those that
    repeat, such as counts, codes and rounded measurements, may be taken for labels as well. Which
    of the two suits is for "auto" to find out; the others take columns of at most as many values as
    the square root of the rows for labels. `discrete` of `fit` says it. Columns of labels that
    repeat together, such as one-hot columns, count as one label.

    "auto" goes by the data:

        "miller_madow"  all columns can be labels, and their table has ten rows a cell on average
        "ksg", "mixed"  at most three columns of numbers in all, and labels with three rows on
                        average; columns that repeat are numbers or labels, whichever predicts
                        rows better that were held out
        "table"         labels whose table has more cells: half-way from a bound by the table of
                        the other rows to Grassberger's estimate
        "classifier"    a label of at most 64 values on one side, and anything on the other: its
                        entropy less the held-out cross-entropy of logistic regression, a random
                        forest or a table
        "info_nce"      anything else, images and sequences too: critics that are trained at once,
                        with and without a start at the Gaussian copula, and on the columns that
                        show some dependence; the best on validation pairs, half-way between its
                        bounds on test and on training pairs
        "copula"        the same where no critic says more and held-out pairs agree with it
        "best pair"     the held-out bound of one pair of columns, where critics found less

    Each answer is checked: `Estimate.checks` holds a held-out lower bound, below which the answer
    never is, and what the same estimator says of shuffled pairs (it is not subtracted: the bias
    under dependence is another). `Estimate.interval` reaches from the held-out bound less two
    errors up to an end whose assumption `Estimate.assumption` names.

    All estimators see the ranks of continuous columns as normal scores, except "gaussian": monotone
    maps of single columns change nothing. Constant columns carry nothing and are left out. Where a
    continuous column, or a linear function of columns, of x repeats one of y the information is
    infinite, and so is the answer, with a note; where what repeats is discrete, such as a sum of
    counts, it is its entropy.

    Args:
        estimator: a name above.
        neighbors: of "ksg" and "mixed".
        seed: of splits, weights and orders.
        **settings: of `NeuralSettings`.

    Example:
        `MutualInformation("ksg").fit(x, y)` prints as 0.418 ± 0.010 nats (estimate).
    """

    def __init__(self, estimator: str = "auto", neighbors: int = 3, seed: int = 0, **settings):
        if estimator not in ESTIMATORS:
            raise ValueError(f"The estimators are {', '.join(ESTIMATORS)}; got {estimator!r}.")
        self.estimator = estimator
        self.neighbors = check_int("neighbors", neighbors, 1)
        self.seed = seed
        defaults = AUTO if estimator == "auto" else {}
        self.settings = NeuralSettings(**{"seed": seed, **defaults, **settings})

    def fit(self, x, y=None, discrete="auto") -> Estimate:
        """Estimates I(X;Y).

        Args:
            x: (n,) or (n, d_x), numbers or labels of any kind; (n, height, width) or (n, height,
                width, channels), images, or (n, length, channels), sequences; {name: column (n,)}
                or a data frame; or, for a neural estimator, a function from (n, NumPy generator)
                to n new pairs (x, y), for training on fresh draws.
            y: as x; None beside a function.
            discrete: which columns are categories. "auto" goes by type and values; True or False
                is all or none; a mask has an entry for each column of x and then of y; a sequence
                of names is for mappings and data frames, whose other columns are as for "auto".

        Returns:
            The estimate, unclamped, with the method's name, a note where there is one (which is
            printed too), what it was compared with, and the history of a training.

        Raises:
            ValueError: rows that do not match, fewer than four, missing values (NaN, NaT, None),
                infinite numbers, labels that hardly ever repeat, columns that the estimator is
                not for, or `discrete` that fits no columns.
            FloatingPointError: a training diverged.
        """
        if callable(x):
            return self._announce(self._fit_fresh(x))
        if y is None:
            raise ValueError("Give x and y; x alone is for a function that draws pairs.")
        x, y = read_side(x, "x"), read_side(y, "y")
        lengths = {len(column) for side in (x, y) for column in (side.columns or [side.images])}
        if len(lengths) != 1:
            raise ValueError(f"x and y have one row an example, got {sorted(lengths)} rows.")
        if min(lengths) < 4:
            raise ValueError(f"{min(lengths)} rows are too few for any estimate; four are needed.")
        x, y, copies = without_copies(*declare(x, y, discrete))
        x, y = prepare_columns(x), prepare_columns(y)
        if not (x.width and y.width):
            note = "every column of x or of y is constant, and carries nothing"
            return self._announce(Estimate(0.0, 0.0, "exact", 0.0, self.estimator, note))
        estimate = known_relation(x, y)
        if estimate is None:
            estimate = self._fit(self.estimator, x, y)
            name = estimate.method or self.estimator
            limit = "" if name in NEURAL else _near_limit(estimate.nats, len(x), name)
            estimate = replace(estimate, method=name, note=joined(estimate.note, limit))
        return self._announce(replace(estimate, note=joined(copies, estimate.note)))

    def _fit(self, name: str, x: Columns, y: Columns) -> Estimate:
        if name == "auto":
            return automatic(x, y, self.neighbors, self.seed, self.settings)
        if (x.images is not None or y.images is not None) and name not in NEURAL:
            raise ValueError(
                f"{name!r} takes tables; images and sequences take 'auto' or {', '.join(NEURAL)}."
            )
        if name in ("ksg", "gaussian", "copula") and (
            x.labels.shape[1] or y.labels.shape[1] or (name == "ksg" and (x.atoms or y.atoms))
        ):
            raise ValueError(
                f"{name!r} is for continuous columns, and some of these repeat their values; "
                'take "mixed" or "auto".'
            )
        if name == "gaussian":
            return gaussian_information(x.values, y.values)
        if name == "copula":
            return copula_information(x.values, y.values)
        if name == "ksg":
            rng = generator(self.seed, 6)
            return ksg(x.scores(rng), y.scores(rng), self.neighbors)
        # Numbers of few values are labels here, as order at random among many rows is noise.
        x, y = (side.as_labels(math.sqrt(len(side))) for side in (x, y))
        if name == "mixed":
            return self._mixed(x, y)
        from keras_infomodels.information.neural import fit_pairs

        return fit_pairs(*(_inputs(side) for side in (x, y)), name, self.settings)

    def _mixed(self, x: Columns, y: Columns) -> Estimate:
        if not (x.values.shape[1] or y.values.shape[1]):
            return replace(miller_madow(x.labels, y.labels), method="miller_madow")
        rng = generator(self.seed, 6)
        labels = [side.joint_label() if side.labels.shape[1] else None for side in (x, y)]
        return mixed_ksg(x.scores(rng), y.scores(rng), self.neighbors, *labels)

    def _fit_fresh(self, draw: Callable) -> Estimate:
        if self.estimator not in NEURAL:
            raise ValueError(
                f"Fresh draws are for a neural estimator ({', '.join(NEURAL)}), got "
                f"{self.estimator!r}; draw a sample and give x and y."
            )
        from keras_infomodels.information.neural import fit_fresh

        return fit_fresh(draw, self.estimator, self.settings)

    @staticmethod
    def _announce(estimate: Estimate) -> Estimate:
        if estimate.note:
            print(f"Mutual information: {estimate.note}")
        return estimate


def _near_limit(nats: float, n: int, method: str) -> str:
    """What to say of an estimate that n pairs alone cannot certify."""
    if not nats > 0.75 * math.log(n):
        return ""
    note = f"{nats:.2f} nats is near or above ln {n} = {math.log(n):.2f}, what as many pairs "
    if method in ("gaussian", "copula"):
        return note + "can certify: it rests on the columns' being jointly Gaussian"
    return note + "can certify: the truth may lie well above"


def _inputs(side: Columns) -> np.ndarray:
    """What a critic takes: numbers and one of K, or images."""
    return side.numbers(side.values) if side.images is None else side.images
