"""The examples, each run as its docstring says, with the pictures that it names."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def run(name, folder):
    """What an example prints, once its pictures are seen to be there."""
    command = [sys.executable, EXAMPLES / f"{name}.py"]
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    pictures = re.findall(r"runs/examples/\S+\.png", process.stdout)
    assert pictures
    for picture in pictures:
        assert (folder / picture).stat().st_size > 5000
    return process.stdout


def terms(title, printed):
    line = re.search(rf"^{title}: (.*)$", printed, re.MULTILINE)[1]
    return {name: float(value) for name, value in re.findall(r"(\w+) (-?[\d.]+)", line)}


def test_examples_say_their_command_and_are_in_the_guide():
    guide = (ROOT / "docs" / "guide.md").read_text()
    for path in EXAMPLES.glob("*.py"):
        assert f"\n    python examples/{path.name}\n" in path.read_text()
        assert f"(../examples/{path.name})" in guide


@pytest.mark.slow
def test_train_example_prints_information_below_its_ceiling(tmp_path):
    printed = run("train", tmp_path)
    information = re.search(r"I_q\(x;z\) = (\S+) .*ceiling (\S+)\)", printed)
    assert 5 < float(information[1]) <= float(information[2])


@pytest.mark.slow
def test_fine_tune_example_lowers_the_reconstruction(tmp_path):
    printed = run("fine_tune", tmp_path)
    before, after = terms("before", printed), terms("after", printed)
    # 195.1 and 133.1 nats on one machine; without digits it cannot know what a digit looks like.
    assert after["reconstruction"] < before["reconstruction"] - 40
    assert terms("saved and loaded again", printed) == pytest.approx(after, abs=2e-3)


@pytest.mark.slow
def test_measure_example_is_near_the_known_information(tmp_path):
    printed = run("measure", tmp_path)
    estimate = re.search(r"I\(x;y\) = (\S+) ± (\S+) nats", printed)
    known = float(re.search(r"known: +(\S+) nats", printed)[1])
    assert abs(float(estimate[1]) - known) < 4 * float(estimate[2])
    low, high = (float(re.search(rf"I_q {side} +(\S+)", printed)[1]) for side in ("lower", "upper"))
    assert 0 < low < high < 3.3  # the rate of this encoder
    assert 2 < float(re.search(r"I\(x;digit\) = (\S+)", printed)[1]) < 2.31


@pytest.mark.slow
def test_pretrained_example_finds_five_categories(tmp_path):
    printed = run("pretrained", tmp_path)
    assert re.findall(r"label (\d)", printed) == list("72104")
    found = re.findall(r"category (\d)", printed)
    assert len(set(found)) == 5  # five different digits


@pytest.mark.slow
def test_export_example_runs_a_file_without_tensorflow(tmp_path):
    printed = run("export", tmp_path)
    right = re.search(r"(\d+) of 64 images have the category", printed)
    assert int(right[1]) > 60
    assert "TensorFlow is loaded: False" in printed
