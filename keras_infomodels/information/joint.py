"""Random variables with known joint entropies, from which other quantities are computed."""

import itertools
import math
from collections.abc import Mapping, Sequence

from keras_infomodels.information.estimate import Estimate
from keras_infomodels.names import guess

__all__ = ["Joint", "MeasuredJoint"]

Variables = str | Sequence[str]


class Joint:
    """Base class of named random variables with known joint entropies.

    The methods compute other quantities as signed sums of joint entropies, in nats. Their arguments
    are a name or a sequence of names of variables. A subclass implements `joint_entropy`, and
    `log_size` if the entropies have an upper limit.

    Args:
        names: sequence of str. Names of the variables.

    Attributes:
        names: tuple of str. Names of the variables.
        kind: str. Kind of the results, such as "exact" or "estimate".

    Example:
        class Coins(ki.information.Joint):  # independent fair coins
            def joint_entropy(self, names):
                return len(names) * np.log(2)

        Coins(["a", "b"]).mutual_information("a", "b")  # 0 nats
    """

    kind = "exact"

    def __init__(self, names: Sequence[str]):
        self.names = tuple(names)
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"Each variable has a name of its own, got {self.names}.")

    def joint_entropy(self, names: frozenset[str]) -> float:
        """Returns the joint entropy of the named variables, in nats; 0 for no variables.

        Args:
            names: frozenset of str. Names of the variables.
        """
        raise NotImplementedError

    def log_size(self, names: frozenset[str]) -> float:
        """Returns the largest possible joint entropy of the named variables, in nats.

        Args:
            names: frozenset of str. Names of the variables.
        """
        return math.inf

    def entropy(self, variables: Variables, given: Variables = ()) -> Estimate:
        """Computes the entropy H(X), or the conditional entropy H(X|Z) = H(X,Z) - H(Z).

        For continuous variables (`GaussianJoint`) the result is the differential entropy, which may
        be negative. H(X|X) is 0.

        Args:
            variables: str or sequence of str. Names of the variables X.
            given: str or sequence of str. Names of the variables Z. Empty means no condition.
        """
        x, z = self._group(variables), self._group(given)
        return self._answer(self.joint_entropy(x | z) - self.joint_entropy(z), self.log_size(x - z))

    def mutual_information(self, x: Variables, y: Variables, given: Variables = ()) -> Estimate:
        """Computes the mutual information I(X;Y), or the conditional one, I(X;Y|Z).

            I(X;Y|Z) = H(X,Z) + H(Y,Z) - H(X,Y,Z) - H(Z)

        H is the joint entropy of the named variables. The ceiling of the result is the smaller of
        the largest possible entropies of X and Y.

        Args:
            x: str or sequence of str. Names of the variables X.
            y: str or sequence of str. Names of the variables Y.
            given: str or sequence of str. Names of the variables Z. Empty means no condition.
        """
        x, y, z = self._group(x), self._group(y), self._group(given)
        h = self.joint_entropy
        return self._answer(
            h(x | z) + h(y | z) - h(x | y | z) - h(z), min(self.log_size(x), self.log_size(y))
        )

    def co_information(self, *variables: Variables, given: Variables = ()) -> Estimate:
        """Computes the co-information I(X;Y;...|Z), the mutual information if there are two groups.

            I(X;Y;W) = I(X;Y) - I(X;Y|W) = -sum over nonempty subsets S of (-1)^|S| H(S)

        For three or more groups the value may be negative. For example it is -ln 2 for two fair
        bits and their XOR.
        Source: McGill, "Multivariate information transmission", 1954.

        Args:
            *variables: str or sequence of str. Names of the variables of each group X, Y, ...
            given: str or sequence of str. Names of the variables Z. Empty means no condition.
        """
        groups, z = [self._group(v) for v in variables], self._group(given)
        total = 0.0
        for size in range(1, len(groups) + 1):
            for subset in itertools.combinations(groups, size):
                union = frozenset().union(*subset)
                h = self.joint_entropy(union | z) - self.joint_entropy(z)
                total -= (-1) ** size * h
        return self._answer(total, min(map(self.log_size, groups)))

    def atoms(self) -> dict[frozenset[str], float]:
        """Computes the 2^n - 1 regions of the information diagram, in nats.

        The region of {X} is H(X|all others), and that of {X, Y} is I(X;Y|all others). All regions
        sum to the joint entropy. The keys of the result are frozensets of names.
        """
        everything = frozenset(self.names)
        return {
            frozenset(inside): self.co_information(
                *inside, given=tuple(everything - {*inside})
            ).nats
            for size in range(1, len(self.names) + 1)
            for inside in itertools.combinations(self.names, size)
        }

    def _group(self, variables: Variables) -> frozenset[str]:
        group = frozenset([variables] if isinstance(variables, str) else variables)
        if unknown := group - set(self.names):
            raise ValueError(
                f"The variables are {', '.join(self.names)}; got {', '.join(sorted(unknown))}."
                f"{guess(min(unknown), self.names)}"
            )
        return group

    def _answer(self, nats: float, ceiling: float) -> Estimate:
        return Estimate(float(nats), 0.0, self.kind, ceiling)


class MeasuredJoint(Joint):
    """Random variables with estimated joint entropies.

    Args:
        entropies: dict from tuple of str to float or `Estimate`. Joint entropy in nats of each
            non-empty subset of the variables.

    Attributes:
        is_nothing: bool. `True` if the mutual information of a pair cannot be distinguished from 0;
            its diagram then has separate circles.
        doubt: str. `Estimate.doubt()` of that mutual information.

    Raises:
        ValueError: If a subset is missing.

    Example:
        entropies = {("x",): 1.2, ("y",): 0.7, ("x", "y"): 1.6}
        joint = ki.information.MeasuredJoint(entropies)
        joint.mutual_information("x", "y")  # 0.3 nats
    """

    kind = "estimate"
    is_nothing = False
    doubt = ""

    def __init__(self, entropies: Mapping[Sequence[str], float | Estimate]):
        super().__init__([names[0] for names in entropies if len(names) == 1])
        self._entropies = {
            frozenset(names): float(getattr(value, "nats", value))
            for names, value in entropies.items()
        }
        expected = 2 ** len(self.names) - 1
        if len(self._entropies) != expected:
            raise ValueError(
                f"{len(self.names)} variables have {expected} joint entropies, got "
                f"{len(self._entropies)}."
            )

    @classmethod
    def of_pair(
        cls,
        names: tuple[str, str],
        entropies: tuple[float | Estimate, float | Estimate],
        information: float | Estimate,
    ) -> "MeasuredJoint":
        """Creates a pair of variables from their entropies and their mutual information.

        Args:
            names: (str, str). Names of the variables.
            entropies: pair of float or `Estimate`. H(X) and H(Y) in nats.
            information: float or `Estimate`. I(X;Y) in nats.
        """
        x, y, both = (float(getattr(v, "nats", v)) for v in (*entropies, information))
        joint = cls({names[:1]: x, names[1:]: y, names: x + y - both})
        joint.doubt = information.doubt() if isinstance(information, Estimate) else ""
        joint.is_nothing = bool(joint.doubt)
        return joint

    def joint_entropy(self, names: frozenset[str]) -> float:
        """Returns the estimated joint entropy of the named variables, in nats.

        Args:
            names: frozenset of str. Names of the variables.
        """
        return self._entropies[names] if names else 0.0
