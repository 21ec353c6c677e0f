import math
import subprocess
import sys

import numpy as np
import pytest

from keras_infomodels.cli import main
from keras_infomodels.information import (
    Estimate,
    InformationTable,
    MutualInformation,
    format_table,
    information_table,
    measured_joint,
    parse_names,
    print_table,
    read_columns,
)


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


def test_mi_command_prints_a_table_and_draws_a_diagram(table, capsys):
    assert main(["mi", str(table), "--x", "a,b", "--y", "c"]) == 0
    lines = capsys.readouterr().out.splitlines()
    # I = .511, with a standard error of about .05.
    assert float(lines[1].split()[3]) == pytest.approx(0.511, abs=0.15)
    assert [line.split("  ")[0] for line in lines[1:4]] == ["I(a,b ; c)", "I(a ; c)", "I(b ; c)"]
    assert (table.parent / "data_information.png").stat().st_size > 10_000


def test_mi_command_bits_of_labels(table, capsys):
    arguments = ["--x", "a", "--y", "kind", "--bits", "--out", str(table.parent / "d.png")]
    assert main(["mi", str(table), *arguments]) == 0
    # A sign tells one bit of its number.
    assert float(capsys.readouterr().out.splitlines()[1].split()[3]) == pytest.approx(1, abs=0.02)
    assert (table.parent / "d.png").exists()


def test_format_table_shows_bits_of_value_error_and_ceiling(capsys):
    half = 0.5 * math.log(2)
    table = {(("a",), ("b",)): Estimate(2 * half, half, ceiling=6 * half)}
    assert str(InformationTable(table)) == format_table(table)
    assert str(InformationTable()) == "{}"
    text = format_table(table, "bits")
    assert text.splitlines()[1].split()[3:6] == ["1.000", "0.500", "3.000"]
    with pytest.warns(DeprecationWarning, match="format_table"):
        print_table(table, "bits")
    assert capsys.readouterr().out == text + "\n"


def test_measured_joint_has_entropies_beside_the_information(table):
    columns = read_columns(table)
    normal = 0.5 * math.log(2 * math.pi * math.e)
    columns["wide"] = 50 * columns["c"]
    joint = measured_joint(columns, ["a", "b"], ["wide"], Estimate(0.25))
    # A standard error of .05: -log N(a) has a standard deviation of .7, over 400 rows.
    assert joint.entropy("a,b").nats == pytest.approx(2 * normal, abs=0.2)
    assert joint.entropy("wide").nats == pytest.approx(normal + math.log(50), abs=0.15)
    assert joint.mutual_information("a,b", "wide").nats == pytest.approx(0.25)
    kind = columns["kind"]
    joint = measured_joint({"p": kind, "q": kind[::-1]}, ["p"], ["q"], Estimate(0.0))
    up = np.mean(kind == "up")
    expected = -up * math.log(up) - (1 - up) * math.log(1 - up) + 1 / (2 * len(kind))
    assert joint.entropy("p").nats == pytest.approx(expected)


def test_measured_joint_of_a_copied_label_leaves_nothing_open(table):
    kind = read_columns(table)["kind"]
    information = MutualInformation().fit(kind, kind)
    joint = measured_joint({"p": kind, "q": kind}, ["p"], ["q"], information)
    assert joint.entropy("p", given="q").nats == pytest.approx(0, abs=1e-12)
    assert joint.mutual_information("p", "q").nats == pytest.approx(information.nats)


@pytest.mark.parametrize(("cell", "shown"), [("NA", "NA"), ('"1,234"', "1,234"), ("?", "[?]")])
def test_read_columns_refuses_text_among_numbers(tmp_path, cell, shown):
    path = tmp_path / "t.csv"
    path.write_text(f"a,b,word\n1,2,up\n\n3,{cell},down\n5,6,3\n7,8,4\n9,x,down\n")
    with pytest.raises(ValueError, match=f"column 'b', row 4: '{shown}' is no number"):
        read_columns(path)
    # Columns that nobody asks for may hold anything.
    columns = read_columns(path, ["word", "a"])
    np.testing.assert_array_equal(columns["a"], [1, 3, 5, 7, 9])
    assert list(columns["word"]) == ["up", "down", "3", "4", "down"]
    assert set(columns) == {"a", "word"}


def test_read_columns_refuses_labels_that_are_half_numbers(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a\n1\nb\n")
    with pytest.raises(ValueError, match="row 3: 'b' is no number"):
        read_columns(path)
    path.write_text('a\n"1,234"\n"2,345"\n7\n')
    with pytest.raises(ValueError, match="row 2: '1,234' is no number"):
        read_columns(path)


def test_read_columns_refuses_files_that_are_no_table(tmp_path):
    path = tmp_path / "t.csv"

    def refused(text, match, names=("a",)):
        path.write_text(text)
        with pytest.raises(ValueError, match=match):
            read_columns(path, names)

    refused("", "is empty")
    refused("\n\n", "is empty", None)
    refused("a,b\n", "no rows below")
    refused("a,b,a\n1,2,3\n", "2 columns are named 'a'")
    refused("a,b,a\n1,2,3\n", "2 columns are named 'a'", None)
    refused("a;b\n1,5;2\n", "there are a;b.*another separator")
    refused("a\tb\n1\t2\n", "another separator")
    refused("0.3,0.5\n0.1,0.2\n", "there are 0.3, 0.5.*write a row of names")
    refused("b,c\n1,2\n", "there are b, c.$")
    refused("a,b\n1,2\n3\n", "row 3: 1 fields, but 2 names")
    path.write_text("a,b,a\n1,2,3\n")
    assert list(read_columns(path, ["b"])["b"]) == [2.0]
    path.write_text("shirt size,income\n1,2\n")
    for name, meant in {"shirt_size": "shirt size", "incom": "income"}.items():
        with pytest.raises(ValueError, match=f"Did you mean '{meant}'"):
            read_columns(path, [name])


def test_mi_command_says_what_is_wrong(table, capsys):
    assert main(["mi", str(table), "--x", "a", "--y", "nothing"]) == 1
    assert "no column 'nothing'" in capsys.readouterr().err
    assert main(["mi", str(table), "--x", "a", "--y", "Kinds"]) == 1
    assert "Did you mean 'kind'?" in capsys.readouterr().err
    assert main(["mi", str(table), "--x", "a", "--y", "a"]) == 1
    assert main(["mi", str(table), "--x", "a", "--y", "c", "--estimator", "guess"]) == 1
    assert "info_nce" in capsys.readouterr().err
    table.write_text("a,b\n1,2\n3,\n")
    assert main(["mi", str(table), "--x", "a", "--y", "b"]) == 1
    assert "column 'b', row 3: an empty field" in capsys.readouterr().err
    table.write_text("a,b\n1,2\n3,NaN\n")
    assert main(["mi", str(table), "--x", "a", "--y", "b"]) == 1
    assert "column 'b', row 3: 'NaN'" in capsys.readouterr().err
    table.write_text("a,b\n")
    assert main(["mi", str(table), "--x", "a", "--y", "b"]) == 1


def test_information_table_of_shared_columns_has_each_pair_once(table, capsys):
    columns, estimator = read_columns(table, ["a", "b", "c"]), MutualInformation("copula")
    found = information_table(columns, list(columns), list(columns), estimator)
    assert list(found) == [(("a",), ("b",)), (("a",), ("c",)), (("b",), ("c",))]
    (alone,) = information_table(columns, ["a"], ["c"], estimator).values()
    assert found[("a",), ("c",)].nats == alone.nats
    some = information_table(columns, ["a", "c"], ["c", "b"], estimator, discrete="auto")
    assert list(some) == [(("a",), ("c",)), (("a",), ("b",)), (("c",), ("b",))]
    with pytest.raises(ValueError, match="x and y are the same column, 'a'"):
        information_table(columns, ["a"], ["a"], estimator)
    with pytest.raises(ValueError, match="at least one column each"):
        information_table(columns, ["a"], [], estimator)
    arguments = ["--x", "a,b,c", "--y", "a,b,c", "--estimator", "copula"]
    assert main(["mi", str(table), *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:4]] == ["I(a ; b)", "I(a ; c)", "I(b ; c)"]


def test_mi_command_leaves_out_rows_with_missing_values(table, capsys):
    header, *rows = table.read_text().splitlines()
    rows[3], rows[7] = "0.1,,0.2,up", "0.1,0.5, ,up"  # b is not used
    rows[11], rows[40] = "NaN,1,2,up", "0.1,0.5,,"
    table.write_text("\n".join([header, *rows]) + "\n")
    arguments = ["mi", str(table), "--x", "a", "--y", "c", "--estimator", "ksg"]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert "column 'a', row 13: 'NaN'; 3 of 400 rows" in error
    assert "--skip-missing" in error
    assert main([*arguments, "--skip-missing"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert sum("left out 3 of 400 rows" in line for line in out) == 1
    assert any(line.startswith("I(a ; c)") for line in out)
    kept = read_columns(table, ["a", "c"], skip_missing=True)
    assert len(kept["a"]) == len(kept["c"]) == 397
    expected = [row.split(",") for i, row in enumerate(rows) if i not in (7, 11, 40)]
    np.testing.assert_array_equal(kept["c"], [float(row[2]) for row in expected])
    table.write_text("a,b\n1,\n,2\n")
    with pytest.raises(ValueError, match="all rows have an empty field"):
        read_columns(table, skip_missing=True)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_read_columns_takes_files_as_spreadsheets_write_them(tmp_path, encoding):
    path = tmp_path / "t.csv"
    path.write_bytes('Größe,"Maß, in €"\r\n1,rot\r\n2,grün\r\n\r\n'.encode(encoding))
    columns = read_columns(path, ["Größe", "Maß, in €"])
    assert columns["Größe"].tolist() == [1, 2]
    assert columns["Maß, in €"].tolist() == ["rot", "grün"]


def test_read_columns_takes_long_fields_and_says_few_names(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"a,b\n1,{'x' * 200_000}\n2,y\n")
    assert len(read_columns(path)["b"][0]) == 200_000
    path.write_text(f"a,b\n1,{'x' * 10_000_001}\n")
    with pytest.raises(ValueError, match=r"field larger than field limit.*quote"):
        read_columns(path)
    path.write_text(",".join(f"column_{i}" for i in range(10_000)) + ",a, b\n")
    with pytest.raises(ValueError, match=r"no column 'column_x'; there are 10002: column_0") as e:
        read_columns(path, ["column_x"])
    assert len(str(e.value)) < 500
    path.write_text(f"{'n' * 100_000}\n1\n")
    with pytest.raises(ValueError, match="no column 'a'") as e:
        read_columns(path, ["a"])
    assert len(str(e.value)) < 500
    path.write_bytes("a,b\n1,2\n".encode("utf-16-le"))
    with pytest.raises(ValueError, match="save it as a CSV file"):
        read_columns(path)


def test_parse_names_of_names_with_commas(tmp_path):
    assert parse_names(' age , "height, cm"') == ["age", "height, cm"]
    path = tmp_path / "t.csv"
    path.write_text('"height, cm",b\n1,2\n')
    assert list(read_columns(path, parse_names('"height, cm"'))) == ["height, cm"]
    with pytest.raises(ValueError, match="quotes"):
        read_columns(path, parse_names("height, cm"))
    with pytest.raises(ValueError, match="no column ''"):
        read_columns(path, parse_names(""))


def test_read_columns_takes_underscores_for_labels(tmp_path):
    """Python's float() reads 1_12 and 11_2 as 112."""
    path = tmp_path / "t.csv"
    path.write_text("well,drug\n" + 100 * "1_12,A\n11_2,B\n")
    columns = read_columns(path)
    assert set(columns["well"]) == {"1_12", "11_2"}
    (estimate,) = information_table(columns, ["well"], ["drug"], MutualInformation()).values()
    assert estimate.nats == pytest.approx(math.log(2), abs=0.02)


def test_mi_command_loads_no_tensorflow(table):
    code = (
        "import sys; from keras_infomodels.cli import main; "
        f"main(['mi', {str(table)!r}, '--x', 'a', '--y', 'c']); "
        "print({'tensorflow', 'keras'} & set(sys.modules))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.stdout.splitlines()[-1] == "set()", process.stderr
