"""Several random variables of known entropies: all that an information diagram holds."""

import itertools
import math
from collections.abc import Mapping, Sequence

from keras_infomodels.information.estimate import Estimate

__all__ = ["Joint", "MeasuredJoint"]

Variables = str | Sequence[str]


class Joint:
    """Named random variables; every quantity is a signed sum of joint entropies.

    A subclass gives `joint_entropy`. Groups of variables are a name or a sequence of names.

    Attributes:
        names: of the variables.
        kind: of the answers.
    """

    kind = "exact"

    def __init__(self, names: Sequence[str]):
        self.names = tuple(names)
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"Each variable has a name of its own, got {self.names}.")

    def joint_entropy(self, names: frozenset[str]) -> float:
        """H of these variables together, in nats; 0 for none."""
        raise NotImplementedError

    def log_size(self, names: frozenset[str]) -> float:
        """The largest H that these variables could have, in nats."""
        return math.inf

    def entropy(self, variables: Variables, given: Variables = ()) -> Estimate:
        """H(X|Z) = H(X,Z) - H(Z); H(X) where nothing is given. H(X|X) = 0.

        Of densities (`GaussianJoint`) it is the differential entropy, which may be negative.
        """
        x, z = self._group(variables), self._group(given)
        return self._answer(self.joint_entropy(x | z) - self.joint_entropy(z), self.log_size(x - z))

    def mutual_information(self, x: Variables, y: Variables, given: Variables = ()) -> Estimate:
        """I(X;Y|Z) = H(X,Z) + H(Y,Z) - H(X,Y,Z) - H(Z), at least 0.

        Its ceiling is the smaller of the two largest entropies.
        """
        x, y, z = self._group(x), self._group(y), self._group(given)
        h = self.joint_entropy
        return self._answer(
            h(x | z) + h(y | z) - h(x | y | z) - h(z), min(self.log_size(x), self.log_size(y))
        )

    def co_information(self, *variables: Variables, given: Variables = ()) -> Estimate:
        """I(X;Y;...|Z), the atom that all variables share: mutual information for two.

            I(X;Y;W) = I(X;Y) - I(X;Y|W) = -sum over nonempty subsets S of (-1)^|S| H(S)

        Of three variables or more it may be negative: -ln 2 for two fair bits and their XOR.
        Source: McGill, "Multivariate information transmission", 1954.
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
        """The 2^n - 1 regions of the information diagram, in nats; they sum to the joint entropy.

        The atom of {X, Y} is I(X;Y|all others), that of {X} is H(X|all others).
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
            )
        return group

    def _answer(self, nats: float, ceiling: float) -> Estimate:
        return Estimate(float(nats), 0.0, self.kind, ceiling)


class MeasuredJoint(Joint):
    """Variables whose joint entropies were measured.

    Args:
        entropies: H in nats, or an `Estimate`, by the names of the variables together, such as
            {("x",): 1.2, ("y",): 0.7, ("x", "y"): 1.6}.
    """

    kind = "estimate"

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
        """Two variables by their entropies and their mutual information."""
        x, y, both = (float(getattr(v, "nats", v)) for v in (*entropies, information))
        return cls({names[:1]: x, names[1:]: y, names: x + y - both})

    def joint_entropy(self, names: frozenset[str]) -> float:
        return self._entropies[names] if names else 0.0
