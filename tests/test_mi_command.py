import subprocess
import sys

import numpy as np
import pytest

from keras_infomodels.cli import main


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 400))
    c = 0.8 * a + 0.6 * rng.normal(size=400)
    kind = np.where(a > 0, "up", "down")
    path = tmp_path / "data.csv"
    rows = "\n".join(
        f"{a:.6f},{b:.6f},{c:.6f},{k}" for a, b, c, k in zip(a, b, c, kind, strict=True)
    )
    path.write_text(f"a, b,c,kind\n{rows}\n")
    return path


def test_table_and_diagram(table, capsys):
    assert main(["mi", str(table), "--x", "a,b", "--y", "c"]) == 0
    lines = capsys.readouterr().out.splitlines()
    # I = .511, with a standard error of about .05.
    assert float(lines[1].split()[3]) == pytest.approx(0.511, abs=0.15)
    assert [line.split("  ")[0] for line in lines[1:4]] == ["I(a,b ; c)", "I(a ; c)", "I(b ; c)"]
    assert (table.parent / "data_information.png").stat().st_size > 10_000


def test_bits_of_labels(table, capsys):
    arguments = ["--x", "a", "--y", "kind", "--bits", "--out", str(table.parent / "d.png")]
    assert main(["mi", str(table), *arguments]) == 0
    # A sign tells one bit of its number.
    assert float(capsys.readouterr().out.splitlines()[1].split()[3]) == pytest.approx(1, abs=0.02)
    assert (table.parent / "d.png").exists()


def test_what_is_wrong_is_said(table, capsys):
    assert main(["mi", str(table), "--x", "a", "--y", "nothing"]) == 1
    assert "no column 'nothing'" in capsys.readouterr().err
    assert main(["mi", str(table), "--x", "a", "--y", "a"]) == 1
    assert main(["mi", str(table), "--x", "a", "--y", "c", "--estimator", "guess"]) == 1
    assert "info_nce" in capsys.readouterr().err
    table.write_text("a,b\n1,2\n3,\n")
    assert main(["mi", str(table), "--x", "a", "--y", "b"]) == 1
    assert "row 3: an empty field" in capsys.readouterr().err
    table.write_text("a,b\n")
    assert main(["mi", str(table), "--x", "a", "--y", "b"]) == 1


def test_it_loads_no_tensorflow(table):
    code = (
        "import sys; from keras_infomodels.cli import main; "
        f"main(['mi', {str(table)!r}, '--x', 'a', '--y', 'c']); "
        "print({'tensorflow', 'keras'} & set(sys.modules))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.stdout.splitlines()[-1] == "set()", process.stderr
