"""Information diagram: entropies as circles, mutual information as their intersection."""

import math

import numpy as np
from matplotlib.patches import Circle
from scipy.optimize import brentq

from keras_infomodels.defaults import COLORS
from keras_infomodels.figure import Figure
from keras_infomodels.information.joint import Joint

__all__ = ["information_diagram"]


def information_diagram(joint: Joint, unit: str = "nats", title: str = "") -> Figure:
    """Draws a Venn diagram of the entropies and mutual informations of two or three variables.

    For two variables the areas are proportional to the quantities, unless one is negative. Their
    circles are apart if the mutual information is negative or not distinguishable from 0. For
    three variables the areas are not proportional, and the picture says so. Quantities may be
    negative: a co-information of three variables, or a differential entropy.

    Args:
        joint: `Joint`. Variables with known entropies: a `JointTable`, `GaussianJoint`,
            `MeasuredJoint` or another subclass.
        unit: str. "nats" or "bits".
        title: str. Title of the picture.

    Returns:
        Matplotlib figure. Dollar signs in names are drawn as they are.

    Raises:
        ValueError: If there are fewer than 2 or more than 3 variables, or a quantity is not finite.

    Example:
        table = ki.information.JointTable([[0.4, 0.1], [0.1, 0.4]])
        figure = ki.information.information_diagram(table, unit="bits")
        ki.plots.save(figure, "diagram.png")
    """
    if unit not in ("nats", "bits"):
        raise ValueError(f'unit is "nats" or "bits", got {unit!r}.')
    if len(joint.names) not in (2, 3):
        raise ValueError(f"The diagram holds 2 or 3 variables, got {len(joint.names)}.")
    scale = 1.0 if unit == "nats" else 1 / math.log(2)
    atoms = {names: value * scale for names, value in joint.atoms().items()}
    if not all(map(math.isfinite, atoms.values())):
        raise ValueError(
            "A diagram holds finite numbers, got "
            f"{', '.join(f'{value:.3g}' for value in atoms.values())}; infinite information, as of "
            "a variable with its own copy, has no picture."
        )
    figure = Figure((7, 5.5), layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_aspect("equal")
    if len(joint.names) == 2:
        _draw_two(axes, joint.names, atoms, unit, getattr(joint, "doubt", ""))
    else:
        _draw_three(axes, joint.names, atoms, unit)
    axes.set_title(title or f"Information diagram, in {unit}")
    axes.autoscale_view()
    return figure


def circle_geometry(area_x: float, area_y: float, shared: float) -> tuple[float, float, float]:
    """Computes the radii of two circles of given areas, and their distance for a shared area."""
    rx, ry = math.sqrt(area_x / math.pi), math.sqrt(area_y / math.pi)
    inside, apart = abs(rx - ry), rx + ry
    if shared >= min(area_x, area_y) * (1 - 1e-9):
        return rx, ry, inside
    if shared <= 1e-9 * min(area_x, area_y):
        return rx, ry, apart
    return rx, ry, brentq(lambda d: overlap(rx, ry, d) - shared, inside, apart)


def overlap(rx: float, ry: float, distance: float) -> float:
    """Computes the area that two circles share."""
    if distance >= rx + ry:
        return 0.0
    if distance <= abs(rx - ry):
        return math.pi * min(rx, ry) ** 2
    to_chord = (distance**2 + rx**2 - ry**2) / (2 * distance)

    def segment(r, h):
        return r**2 * math.acos(np.clip(h / r, -1, 1)) - h * math.sqrt(max(r**2 - h**2, 0))

    return segment(rx, to_chord) + segment(ry, distance - to_chord)


def _draw_two(axes, names, atoms, unit, doubt):
    x, y = names
    only_x, only_y = atoms[frozenset([x])], atoms[frozenset([y])]
    shared = atoms[frozenset(names)]
    areas = only_x + shared, only_y + shared, shared
    apart = bool(doubt) or shared < -1e-9
    to_scale = min(areas[:2] if apart else (only_x, only_y, shared)) > -1e-9
    areas = areas if to_scale else (1.0, 1.0, 0.3)
    rx, ry, distance = circle_geometry(*(max(a, 0) for a in areas))
    distance = 1.1 * (rx + ry) if apart else distance
    size = max(rx, ry) or 1.0
    if not max(rx, ry):  # two constants, with nothing to fit the axes to
        axes.update_datalim([(-size, -size), (size, size)])
    note = "Areas are in proportion" if to_scale else "A number is negative: areas mean nothing"
    if apart:
        reason = doubt or "below 0 by the estimator's error"
        note += f".\nThe circles are apart: I({x};{y}) is {reason}"
    for name, area in zip(names, areas[:2], strict=True):
        if area < 1e-9:
            note += f"; H({name}) is 0, a circle of no area"
    for center, radius, color in ((0, rx, COLORS[0]), (distance, ry, COLORS[1])):
        axes.add_patch(Circle((center, 0), radius, color=color, alpha=0.35, linewidth=0))
        axes.add_patch(Circle((center, 0), radius, fill=False, edgecolor=color, linewidth=2))
    # Numbers are below the picture, since a region may be too narrow for its number.
    lines = [
        f"H({x}) = {only_x + shared:.3f}    H({y}) = {only_y + shared:.3f}    "
        f"H({x},{y}) = {only_x + only_y + shared:.3f} {unit}",
        f"H({x}|{y}) = {only_x:.3f}    I({x};{y}) = {shared:.3f}    H({y}|{x}) = {only_y:.3f}",
        f"{note}.",
    ]
    plain = {"parse_math": False}
    axes.text(-rx, 1.05 * size, x, color=COLORS[0], fontsize=16, **plain)
    axes.text(distance + ry, 1.05 * size, y, color=COLORS[1], fontsize=16, ha="right", **plain)
    middle = (distance + ry - rx) / 2
    axes.text(middle, -1.15 * size, "\n".join(lines), ha="center", va="top", fontsize=11, **plain)
    if to_scale and not apart and shared > 0.05 * max(areas):
        axes.text((distance - ry + rx) / 2, 0, f"{shared:.3f}", ha="center", va="center")


def _draw_three(axes, names, atoms, unit):
    angles = np.deg2rad([150, 30, 270])
    centers = 0.62 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    totals = [sum(v for atom, v in atoms.items() if name in atom) for name in names]
    corners = np.array([[-1.6, 1.2], [1.6, 1.2], [0, -1.9]])
    for name, center, color, total, corner in zip(
        names, centers, COLORS[:3], totals, corners, strict=True
    ):
        axes.add_patch(Circle(center, 1, color=color, alpha=0.25, linewidth=0))
        axes.add_patch(Circle(center, 1, fill=False, edgecolor=color, linewidth=2))
        text = f"H({name})\n{total:.3f}"
        style = {"color": color, "fontsize": 13, "ha": "center", "va": "center"}
        axes.text(*corner, text, parse_math=False, **style)
    for atom, value in atoms.items():
        inside = np.array([name in atom for name in names])
        # Mean of the region's circle centers, moved away from the other circles.
        place = centers[inside].mean(axis=0) * {1: 1.55, 2: 1.85, 3: 1.0}[int(inside.sum())]
        weight = "bold" if value < -5e-4 else "normal"
        axes.text(*place, f"{value:.3f}", ha="center", va="center", weight=weight)
    negative = min(atoms.values()) < -5e-4
    note = f"Numbers in {unit}; areas mean nothing"
    axes.text(
        0, -2.35, note + (", and a negative number is bold." if negative else "."), ha="center"
    )
