"""What notebooks show: tables as HTML without a stranger's markup, figures as PNG."""

import re
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import keras_infomodels as ki
from keras_infomodels import html
from keras_infomodels.figure import Figure
from keras_infomodels.progress import progress

EVIL = "<script>alert(1)</script>"


def cells(value):
    """The texts of an object's HTML, row by row, parsed strictly."""
    root = ElementTree.fromstring(f"<body>{value._repr_html_()}</body>")
    return [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]


def test_table_escapes_every_text_and_aligns_numbers():
    text = html.table([EVIL], [[EVIL, "1,234.5", "-", "nan", "1a"]], EVIL, f"{EVIL}\nb & c")
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 4
    root = ElementTree.fromstring(f"<body>{text}</body>")
    assert [cell.get("style").split()[1].strip(";") for cell in root.iter("td")] == [
        *("left", "right", "right", "right", "left")
    ]
    assert [div.text for div in root.iter("div")] == [EVIL, "b & c"]


def test_estimate_shows_value_error_ceiling_and_kind():
    estimate = ki.information.Estimate(0.4204, 0.0101, "lower bound", 6.215, note=EVIL)
    assert cells(estimate) == [
        ["nats", "±", "ceiling", "kind"],
        ["0.420", "0.010", "6.215", "lower bound"],
    ]
    assert EVIL not in estimate._repr_html_()
    assert cells(ki.information.Estimate(1.0, method="ksg"))[1][2:] == ["-", "estimate", "ksg"]


def test_information_table_shows_a_row_a_pair():
    estimate = ki.information.Estimate(0.4204, 0.0101, method="ksg")
    table = ki.information.InformationTable({(("a", EVIL), ("b",)): estimate})
    assert cells(table)[1] == [f"I(a,{EVIL} ; b)", "0.420", "0.010", "-", "estimate, ksg"]


def test_audit_shows_what_it_prints():
    rows = {
        "I_q lower": ki.information.Estimate(2.5, 0.1, "lower bound", 6.0),
        "rate": ki.information.Estimate(7.0, 0.2),
    }
    calibration = {"I_q lower": ki.information.Estimate(-0.25)}
    audit = ki.evaluation.Audit(EVIL, 400, rows, calibration, (), 3, 4, "a note")
    shown = cells(audit)
    assert shown[1][:5] == ["I_q lower", "2.500", "0.100", "6.000", "-0.250"]
    assert shown[2][:5] == ["rate", "7.000", "0.200", "-", "-"]
    text = audit._repr_html_()
    assert "active units: 3 of 4" in text
    assert "a note" in text
    assert "<script" not in text
    assert "active units: 3 of 4\ncalibration: " in str(audit)


def test_disentanglement_report_shows_scores_and_best_codes():
    factors = np.stack(np.unravel_index(np.arange(600) % 6, (2, 3)), axis=1)
    codes = factors + 0.01 * np.random.default_rng(0).normal(size=(600, 2))
    report = ki.evaluation.disentanglement.report(
        codes, factors, ["a", EVIL], metrics=["mig"], groups=0
    )
    shown = cells(report)
    assert [row[0] for row in shown[1:]] == ["MIG", "factor", "a", EVIL]
    assert float(shown[1][1]) == pytest.approx(report.scores["MIG"].value, abs=5e-4)
    assert shown[-1][3] == f"{np.log(3):.3f}"


def test_names_show_their_descriptions():
    names = ki.list_presets()
    assert cells(names)[1:] == [[name, text] for name, text in names.items()]


def test_report_shows_signatures():
    report = ki.export.Report({"encode": ki.export.Parity(1e-6, 2e-7, 0.5)}, 2_000_000, EVIL, None)
    assert cells(report)[1] == ["encode", "1.0e-06", "2.0e-07", "0.500"]
    assert "<script" not in report._repr_html_()


def test_model_shows_its_networks_and_terms(make_model):
    model = make_model()
    shown = cells(model)
    by_name = {row[0]: row for row in shown[1:]}
    assert by_name[model.encoder.name][2] == f"{model.encoder.count_params():,}"
    assert "loss terms: loss, " in model._repr_html_()
    size = f"{model.encoder.count_params():,} parameters"
    assert f"{type(model.encoder).__name__} ({size})" in repr(model)


def test_figure_is_a_png_without_pyplot():
    figure = ki.plots.image_grid(np.zeros((4, 8, 8, 1)), 2)
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG\r\n")


def test_progress_is_silent_where_output_is_no_terminal(capsys):
    assert list(progress(range(3), "reading")) == [0, 1, 2]
    assert capsys.readouterr().err == ""
    with progress(total=4, disable=False, file=sys.stderr) as bar:
        bar.update(4)
    assert re.search(r"100%.*4/4", capsys.readouterr().err)
