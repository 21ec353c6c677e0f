import shutil
import subprocess
import sys

import pytest

from keras_infomodels import cli


def completed(script, *words):
    """What bash completes after these words."""
    code = f"""source {script}
COMP_WORDS=(infomodels {" ".join(words)}); COMP_CWORD={len(words)}
_shtab_infomodels; printf '%s\\n' "${{COMPREPLY[@]}}\""""
    return subprocess.run(
        ["bash", "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_completion_completes_commands_flags_models_and_presets(tmp_path, capsys):
    assert cli.main(["completion", "bash"]) == 0
    script = tmp_path / "infomodels"
    script.write_text(capsys.readouterr().out)
    assert completed(script, "tr") == ["train"]
    assert completed(script, "train", "mmd") == ["mmd_vae"]
    assert completed(script, "train", "--learning") == ["--learning-rate"]
    assert completed(script, "train", "--dataset", "sc") == ["scenes"]
    assert completed(script, "show", "mmd_vae_2") == ["mmd_vae_2d_mnist"]
    assert completed(script, "export", "infogan_mnist", "--to", "tf") == ["tflite"]


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_completion_knows_other_shells(shell, capsys):
    assert cli.main(["completion", shell]) == 0
    assert "mmd_vae_2d_mnist" in capsys.readouterr().out


def test_completion_says_what_it_needs(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert cli.main(["completion", "bash"]) == 1
    assert "pip install 'keras-infomodels[completion]'" in capsys.readouterr().err
