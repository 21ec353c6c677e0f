"""Defaults that several parts of the library share."""

__all__ = ["COLORS", "EXAMPLES", "MOST_CORRELATED"]

EXAMPLES = 10_000
"""Number of examples that estimates of information and their ceilings are of."""

MOST_CORRELATED = 256
"""Largest number of correlated latent variables: presets and exported files hold no more."""

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colors that color-blind people tell apart. Source: Okabe and Ito, "Color universal design"."""
