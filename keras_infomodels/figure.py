"""Figures that a notebook shows by themselves."""

import io

import matplotlib.figure

__all__ = ["Figure"]


class Figure(matplotlib.figure.Figure):
    """Matplotlib figure that a notebook shows without `%matplotlib inline` and without pyplot."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=80, bbox_inches="tight")
        return file.getvalue()
