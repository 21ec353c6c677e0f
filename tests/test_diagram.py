import io
import math

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.patches import Circle

from keras_infomodels.information import (
    Estimate,
    GaussianJoint,
    JointTable,
    MeasuredJoint,
    information_diagram,
)
from keras_infomodels.information.diagram import circle_geometry, overlap

TABLE = JointTable(np.array([[0.3, 0.1], [0.05, 0.55]]))


def texts(figure):
    return " ".join(text.get_text() for text in figure.axes[0].texts)


def test_information_diagram_areas_are_in_proportion():
    figure = information_diagram(TABLE)
    circles = [p for p in figure.axes[0].patches if isinstance(p, Circle)]
    first, second = circles[0], circles[2]
    # Shared area by counting points of a grid, apart from the formula: good to 1 in 1,000.
    side = np.linspace(-1, 2, 2001)
    x, y = np.meshgrid(side, side)
    inside = [np.hypot(x - c.center[0], y - c.center[1]) < c.radius for c in (first, second)]
    areas = [np.sum(m) * (side[1] - side[0]) ** 2 for m in (*inside, inside[0] & inside[1])]
    expected = [
        TABLE.entropy("x").nats,
        TABLE.entropy("y").nats,
        TABLE.mutual_information("x", "y").nats,
    ]
    np.testing.assert_allclose(areas, expected, rtol=5e-3)
    assert "I(x;y) = 0.250" in texts(figure)
    assert "in proportion" in texts(figure)


def test_information_diagram_shows_bits():
    assert f"{0.25024 / math.log(2):.3f} " in texts(information_diagram(TABLE, unit="bits"))
    with pytest.raises(ValueError, match="bits"):
        information_diagram(TABLE, unit="bans")


def test_circle_geometry_and_overlap_at_their_ends():
    assert circle_geometry(1, 1, 0)[2] == pytest.approx(2 / math.sqrt(math.pi))
    assert circle_geometry(2, 1, 1)[2] == pytest.approx(
        math.sqrt(2 / math.pi) - 1 / math.sqrt(math.pi)
    )
    # Two unit circles whose centers lie on each other: 2 pi/3 - sqrt(3)/2.
    assert overlap(1, 1, 1) == pytest.approx(2 * math.pi / 3 - math.sqrt(3) / 2)


def test_overlap_of_circles_of_radius_1_and_root_3():
    """At the distance 2 their radii meet at right angles: segments of 120 and of 60 degrees."""
    for radii in ((1, math.sqrt(3)), (math.sqrt(3), 1)):
        assert overlap(*radii, 2) == pytest.approx(5 * math.pi / 6 - math.sqrt(3))


def test_information_diagram_of_three_has_numbers_in_regions():
    regions = ["a", "b", "c", "ab", "ac", "bc", "abc"]
    atoms = {frozenset(region): float(value) for value, region in enumerate(regions, start=1)}
    joint = MeasuredJoint(
        {tuple(r): sum(v for atom, v in atoms.items() if atom & set(r)) for r in regions}
    )
    axes = information_diagram(joint).axes[0]
    shown = {text.get_text(): text for text in axes.texts}
    # H(a) = 1 + 4 + 5 + 7; the name and its circle are of one color.
    labels = [shown[text] for text in ("H(a)\n17.000", "H(b)\n19.000", "H(c)\n21.000")]
    outlines = [p for p in axes.patches if not p.get_fill()]
    circles = {
        name: next(c for c in outlines if same_color(c.get_edgecolor(), label.get_color()))
        for name, label in zip("abc", labels, strict=True)
    }
    for atom, value in atoms.items():
        place = np.array(shown[f"{value:.3f}"].get_position())
        inside = {n for n, c in circles.items() if np.hypot(*(place - c.center)) < c.radius}
        assert inside == atom


def test_information_diagram_draws_dollar_signs_in_names():
    pair = MeasuredJoint.of_pair(("price_in_$", "cost_$"), (1.0, 1.0), 0.2)
    three = JointTable(np.full((2, 2, 2), 0.125), ["$_price_$", "cost_$", "z"])
    for joint in (pair, three):
        figure = information_diagram(joint)
        figure.savefig(io.BytesIO())
        assert "cost_$" in texts(figure)


def test_information_diagram_draws_a_constant_without_area():
    figure = information_diagram(JointTable(np.array([[0.3, 0.7]])))
    assert texts(figure).count("is 0, a circle of no area") == 1
    assert "H(x) is 0, a circle" in texts(figure)
    assert "negative" not in texts(figure)
    radii = [p.radius for p in figure.axes[0].patches]
    assert radii[:2] == [0, 0]
    assert math.pi * radii[2] ** 2 == pytest.approx(-0.3 * math.log(0.3) - 0.7 * math.log(0.7))
    nothing = information_diagram(JointTable(np.ones((1, 1))))
    assert "H(x) is 0, a circle of no area; H(y) is 0, a circle of no area" in texts(nothing)
    nothing.savefig(io.BytesIO())


def test_information_diagram_refuses_infinite_and_nan():
    for information in (math.inf, math.nan):
        joint = MeasuredJoint.of_pair(("a", "b"), (1.0, 1.0), information)
        with pytest.raises(ValueError, match="finite"):
            information_diagram(joint)


def test_information_diagram_notes_negative_numbers():
    narrow = information_diagram(GaussianJoint([[1e-4, 0], [0, 1]], ["x", "y"]))
    assert "A number is negative: areas mean nothing." in texts(narrow)
    xor = np.zeros((2, 2, 2))
    for a in range(2):
        for b in range(2):
            xor[a, b, a ^ b] = 0.25
    figure = information_diagram(JointTable(xor), unit="bits")
    assert "-1.000" in texts(figure)
    assert "areas mean nothing" in texts(figure)


@pytest.mark.parametrize(
    ("information", "reason"),
    [
        (Estimate(0.2, 0.1, checks={"shuffled": Estimate(0.1, 0.1)}), "not distinguishable from 0"),
        (Estimate(-0.01, 0.1), "below 0"),
        (-0.01, "below 0"),
        (Estimate(0.2, 0.01, checks={"shuffled": Estimate(0.0, 0.01)}), None),
    ],
)
@pytest.mark.parametrize("entropy", [0.5, -0.5])
def test_information_diagram_separates_circles_without_information(information, reason, entropy):
    figure = information_diagram(MeasuredJoint.of_pair(("a", "b"), (1.0, entropy), information))
    circles = [patch for patch in figure.axes[0].patches if not patch.get_fill()]
    gap = circles[1].center[0] - sum(circle.radius for circle in circles)
    assert (gap > 0) == (reason is not None) == ("circles are apart" in texts(figure))
    assert (reason or "") in texts(figure)
    assert ("in proportion" in texts(figure)) == (entropy > 0)


def test_measured_joint_gives_information_from_entropies():
    joint = MeasuredJoint.of_pair(("a", "b"), (TABLE.entropy("x"), TABLE.entropy("y")), 0.2)
    assert joint.mutual_information("a", "b").nats == pytest.approx(0.2)
    assert joint.mutual_information("a", "b").kind == "estimate"
    assert "I(a;b) = 0.200" in texts(information_diagram(joint))
    with pytest.raises(ValueError, match="3 joint entropies"):
        MeasuredJoint({("a",): 1.0, ("b",): 1.0})
    with pytest.raises(ValueError, match="2 or 3"):
        information_diagram(JointTable(np.array([0.5, 0.5])))
