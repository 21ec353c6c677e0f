"""The table of label-free scores, and its command."""

import json
import subprocess
import sys

import numpy as np
import pytest

from keras_infomodels.cli import main
from keras_infomodels.evaluation import LatentInformation, RunScores, RunSelection, select_runs
from keras_infomodels.information import Estimate


def information(independence):
    bound = Estimate(2.0, 0.1, "lower bound", 5.0), Estimate(3.0, 0.1, "upper bound")
    return LatentInformation(*bound, 4.0, (1.0, 2.0), independence)


def test_run_selection_names_the_best_run_of_each_score():
    table = RunSelection(
        100,
        {
            "a": RunScores(0.4, 0.9, 5, information((0.5, 0.7))),
            "b": RunScores(float("nan"), 0.2, 4, information((0.6, 0.7))),
            "gan": RunScores(0.6, 0.5, 3),
        },
    )
    assert table.best() == {"UDR": "gan", "centrality": "a", "independence": "b"}
    lines = str(table).splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["gan", "a", "b"]
    assert "2.00 to 3.00" in lines[3]
    numbers = json.loads(json.dumps(table.as_dict(), allow_nan=False))
    assert numbers["runs"]["b"]["udr"] is None
    assert numbers["runs"]["gan"]["information"] is None


def test_select_runs_scores_equal_runs_highest(make_model, make_gan):
    images = np.random.default_rng(0).uniform(size=(80, 8, 8, 1)).astype(np.float32)
    model, gan = make_model(), make_gan()
    found = select_runs({"one": model, "same": model, "gan": gan}, images, votes=10)
    assert found.examples == 80
    one, same, other = (found.runs[name] for name in ("one", "same", "gan"))
    assert one.active == 3
    assert other.information is None
    assert (one.udr, one.centrality) == pytest.approx((same.udr, same.centrality))
    assert one.information.lower.nats <= one.information.upper.nats + 0.1


@pytest.fixture
def runs(make_model, tmp_path):
    for seed in (0, 1):
        make_model().save_to_preset(tmp_path / f"seed_{seed}")
    return [str(tmp_path / f"seed_{seed}") for seed in (0, 1)]


def test_select_command_prints_a_table(runs, tmp_path, capsys):
    images = np.random.default_rng(0).integers(256, size=(60, 8, 8, 1), dtype=np.uint8)
    np.savez(tmp_path / "set.npz", x_test=images)
    out = tmp_path / "selection.json"
    words = ["--dataset", str(tmp_path / "set.npz"), "--limit", "40", "--votes", "5"]
    assert main(["select", *runs, *words, "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "2 runs, 40 images" in text
    assert set(json.loads(out.read_text())["runs"]) == {"seed_0", "seed_1"}


def test_select_command_says_what_is_wrong(runs, capsys):
    assert main(["select", "one"]) == 1
    assert "at least two runs" in capsys.readouterr().err
    assert main(["select", *runs]) == 1
    assert "Name the images with --dataset" in capsys.readouterr().err


def test_select_help_loads_no_tensorflow():
    code = (
        "import sys\nfrom keras_infomodels.cli import main\n"
        "try: main(['select', '--help'])\n"
        "except SystemExit: pass\n"
        "assert 'tensorflow' not in sys.modules and 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
