"""One interface to the estimators of I(X;Y) from samples."""

import math
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from keras_infomodels.information.automatic import automatic
from keras_infomodels.information.checks import joined
from keras_infomodels.information.columns import (
    Columns,
    count_orders,
    declare,
    prepare_columns,
    read_side,
    without_copies,
)
from keras_infomodels.information.copula import copula_information, gaussian_information
from keras_infomodels.information.discrete import miller_madow
from keras_infomodels.information.estimate import Estimate, mean_of_orders
from keras_infomodels.information.exact import known_relation
from keras_infomodels.information.neighbors import ksg, mixed_ksg
from keras_infomodels.information.read_out import READ_OUTS
from keras_infomodels.information.settings import NeuralSettings
from keras_infomodels.information.streams import generator
from keras_infomodels.log import LOGGER
from keras_infomodels.names import guess
from keras_infomodels.spec import check_int

__all__ = ["ESTIMATORS", "MutualInformation"]

NEURAL = tuple(READ_OUTS)
ESTIMATORS = ("auto", "ksg", "mixed", "gaussian", "copula", *NEURAL)

AUTO = {"batch_size": 256, "learning_rate": 3e-3, "epochs": 100, "patience": 15}
"""Settings of "auto" that differ, since several critics are trained at once."""


class MutualInformation:
    """Estimator of the mutual information I(X;Y) from paired samples (x, y), in nats.

    The argument `estimator` selects the method:

        "ksg"        nearest neighbors; continuous columns in few dimensions (it warns above five)
        "mixed"      nearest neighbors for discrete, continuous and mixed columns; the plug-in
                     estimate with Miller and Madow's correction if all columns are discrete
        "gaussian"   canonical correlations; right for jointly Gaussian data
        "copula"     "gaussian" applied to ranks; right if a monotone function of each column makes
                     the data jointly Gaussian
        "info_nce", "nwj", "tuba", "donsker_varadhan", "mine", "interpolated"
                     lower bounds by a trained critic, computed from held-out pairs
        "jensen_shannon"  trains a critic on the Jensen-Shannon objective; returns its `nwj` bound
        "smile"           trains the same critic; returns its `smile` estimate, which is not a bound
        "auto"       see below

    Columns of text, booleans and columns with two values are labels. Other columns are numbers.
    Numbers that repeat, such as counts, codes and rounded measurements, can be used as numbers or
    as labels. "auto" tests which is better. The other estimators use a column as labels if it has
    at most sqrt(rows) values. The argument `discrete` of `fit` overrides both rules. Several label
    columns of one side, such as one-hot columns, count as one label.

    "auto" chooses a method by the data. `Estimate.method` names the choice:

        "miller_madow"  if all columns can be labels, and their table has ten rows per cell
        "ksg", "mixed"  if there are at most three columns of numbers in all, and labels have three
                        rows on average; columns that repeat are numbers or labels, whichever
                        predicts held-out rows better
        "table"         for labels whose table has more cells: the mean of a bound by the table of
                        the other rows and of Grassberger's estimate
        "classifier"    for a label of at most 64 values on one side: its entropy minus the held-out
                        cross-entropy of logistic regression, a random forest or a table
        "info_nce"      for anything else, also images and sequences: critics trained at once, with
                        and without the Gaussian copula as a start, and on the columns that show
                        some dependence; the answer lies between the bounds of the best one on
                        test pairs (a quarter) and on training pairs (three quarters)
        "copula"        the same if no critic finds more and held-out pairs agree with the copula
        "best pair"     the held-out bound of one pair of columns, if critics found less

    Every result of "auto" is checked. `Estimate.checks` holds a lower bound from held-out rows. A
    result that is below it by more than two of the bound's standard errors is replaced by it, if
    the bound is above 0 by as much. `Estimate.checks` also holds the result of the same estimator
    on shuffled pairs. It is not subtracted, because the bias differs for dependent data.
    `Estimate.interval` reaches from the held-out bound minus two standard errors, or the result if
    that is smaller, to an upper end that depends on `Estimate.assumption`.

    All estimators except "gaussian" replace the values of a continuous column by quantiles of N(0,
    1) with the same ranks. So monotone functions of single columns do not change the result.
    Constant columns are left out. If a continuous column of x, or a linear function of columns of
    x, equals one of y, the result is infinite, with a note. If the equal values are discrete, such
    as a sum of counts, the result is their entropy.

    Args:
        estimator: str. One of the names above.
        neighbors: int. Number k of nearest neighbors, for "ksg" and "mixed".
        seed: int. Seed of splits, weights and orders.
        **settings: fields of `NeuralSettings`, for the estimators that train a critic.

    Raises:
        ValueError: If the estimator is unknown, or a setting is out of range.

    Example:
        rng = np.random.default_rng(1)
        x = rng.normal(size=2000)
        y = x + rng.normal(size=2000)
        estimator = ki.information.MutualInformation("ksg")
        print(estimator.fit(x, y))  # the truth is ln 2 / 2 = 0.347 nats
    """

    def __init__(self, estimator: str = "auto", neighbors: int = 3, seed: int = 0, **settings):
        if estimator not in ESTIMATORS:
            raise ValueError(
                f"The estimators are {', '.join(ESTIMATORS)}; got {estimator!r}."
                f"{guess(estimator, ESTIMATORS)}"
            )
        self.estimator = estimator
        self.neighbors = check_int("neighbors", neighbors, 1)
        self.seed = seed
        defaults = AUTO if estimator == "auto" else {}
        self.settings = NeuralSettings(**{"seed": seed, **defaults, **settings})

    def fit(self, x, y=None, discrete="auto") -> Estimate:
        """Estimates I(X;Y) from paired samples.

        Args:
            x: array, dict, data frame or function. n samples of X: numbers or labels (n,) or (n,
                d_x), images (n, height, width) or (n, height, width, channels), sequences (n,
                length, channels), a dict from name to column (n,), or a data frame. For an
                estimator with a critic, x may also be a function that draws n new pairs (x, y),
                given n and a NumPy generator; the critic is then trained on new pairs in each step.
            y: array, dict or data frame. Samples of Y in the same forms, paired with those of X.
                `None` if x is a function.
            discrete: str, bool or sequence. Columns that hold categories. "auto" decides by type
                and values. A bool applies to all columns. A sequence of bool has one entry for each
                column of x, then of y. A sequence of str names columns of dicts or data frames;
                "auto" decides on the others.

        Returns:
            `Estimate` in nats, which may be negative. It contains the method, a note (which is also
            logged), the checks and the history of the training.

        Raises:
            ValueError: If x and y have different numbers of rows, or fewer than four; if values are
                missing (NaN, NaT, None) or infinite; if labels hardly repeat; if the estimator does
                not support the columns; or if `discrete` does not match them.
            FloatingPointError: If the training of a critic diverges.
        """
        if "tensorflow" not in sys.modules:  # and so no strategy, whose scope is to be left
            return self._estimate(x, y, discrete)
        from keras_infomodels.replicas import outside_scope

        return outside_scope(self._estimate, x, y, discrete)

    def _estimate(self, x, y, discrete) -> Estimate:
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
                f"{name!r} is for continuous columns, and some of these have repeated values; "
                'use "mixed" or "auto".'
            )
        if name == "gaussian":
            return gaussian_information(x.values, y.values)
        if name == "copula":
            return copula_information(x.values, y.values)
        if name == "ksg":
            return self._over_orders(x, y, ksg)
        # Numbers with few values are labels here: breaking so many ties at random adds noise.
        x, y = (side.as_labels(math.sqrt(len(side))) for side in (x, y))
        if name == "mixed":
            return self._mixed(x, y)
        from keras_infomodels.information.neural import fit_pairs

        return fit_pairs(*(_inputs(side) for side in (x, y)), name, self.settings)

    def _mixed(self, x: Columns, y: Columns) -> Estimate:
        if not (x.values.shape[1] or y.values.shape[1]):
            return replace(miller_madow(x.labels, y.labels), method="miller_madow")
        labels = [side.joint_label() if side.labels.shape[1] else None for side in (x, y)]
        return self._over_orders(x, y, mixed_ksg, *labels)

    def _over_orders(self, x: Columns, y: Columns, estimator: Callable, *labels) -> Estimate:
        rng = generator(self.seed, 6)
        return mean_of_orders(
            [
                estimator(x.scores(rng), y.scores(rng), self.neighbors, *labels)
                for _ in range(count_orders(x, y))
            ]
        )

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
            LOGGER.warning("Mutual information: %s", estimate.note)
        return estimate


def _near_limit(nats: float, n: int, method: str) -> str:
    """Returns the note for an estimate that n pairs alone cannot certify."""
    if not nats > 0.75 * math.log(n):
        return ""
    note = f"{nats:.2f} nats is near or above ln {n} = {math.log(n):.2f}, what as many pairs "
    if method in ("gaussian", "copula"):
        return note + "can certify: it rests on the columns' being jointly Gaussian"
    return note + "can certify: the truth may lie well above"


def _inputs(side: Columns) -> np.ndarray:
    """Returns the input of a critic: numbers and one-hot labels, or images."""
    return side.numbers(side.values) if side.images is None else side.images
