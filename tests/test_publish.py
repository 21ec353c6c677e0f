"""Publishing by the Hub's real client, against a server on this machine."""

import io
import sys

import pytest
from stub_hub import PUBLISHED, running_hub

from keras_infomodels import cli
from keras_infomodels.zoo import publish
from keras_infomodels.zoo.download import DownloadError

# The client calls its HTTP library in an outdated way where it does not use Xet.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    from keras_infomodels import models, networks

    shared = {"image_shape": (4, 4, 1), "latent_dim": 3, "widths": (5,)}
    model = models.VAE(networks.MLPEncoder(**shared), networks.MLPDecoder(**shared))
    folder = model.save_to_preset(tmp_path_factory.mktemp("runs") / "tiny")
    card = "---\nlicense: mit\n---\n# tiny\n![curves](run/curves.png) ![none](run/none.png)\n"
    (folder / "README.md").write_text(card)
    (folder / "samples.png").write_bytes(b"png")
    (folder / "run").mkdir()
    (folder / "run" / "history.csv").write_text("private")
    (folder / "run" / "curves.png").write_bytes(b"curves")
    (folder / "run" / "other.png").write_bytes(b"private")
    (folder / ".notes").write_text("private")
    return folder


@pytest.fixture
def hub(preset, monkeypatch):
    with running_hub(preset, monkeypatch) as hub:
        yield hub


class Terminal(io.StringIO):
    def isatty(self):
        return True


SENT = [
    *("README.md", "config.json", "metadata.json", "model.weights.h5"),
    *("run/curves.png", "samples.png"),
]


def test_publish_shows_asks_and_sends_every_file_once(hub, preset, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert cli.main(["publish", str(preset), "hf://owner/new"]) == 0
    out = capsys.readouterr().out
    assert "To https://huggingface.co/owner/new, as one commit:\n  README.md " in out
    assert "6 files, " in out
    assert f'ki.from_preset("hf://owner/new@{PUBLISHED}")' in out
    assert sorted(hub.committed) == SENT
    for name, content in hub.committed.items():
        assert content == (preset / name).read_bytes()
    assert [(each["name"], each["organization"]) for each in hub.created] == [("new", "owner")]
    assert hub.tokens == {"Bearer key"}


@pytest.mark.parametrize("answer", ["n\n", "\n", "yep\n"])
def test_publish_sends_nothing_without_a_yes(answer, hub, preset, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert cli.main(["publish", str(preset), "hf://owner/new"]) == 0
    assert capsys.readouterr().out.endswith("Nothing was uploaded.\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))  # no terminal
    assert cli.main(["publish", str(preset), "hf://owner/new"]) == 1
    assert "pass --yes" in capsys.readouterr().err
    assert hub.requests == []


def test_publish_private_with_yes(hub, preset, capsys):
    assert cli.main(["publish", str(preset), "hf://owner/new", "--yes", "--private"]) == 0
    assert hub.created[0]["visibility"] == "private"
    assert sorted(hub.committed) == SENT


def test_publish_says_what_the_hub_refused(hub, preset):
    hub.refusal = 403
    with pytest.raises(DownloadError, match=r"did not take owner/new: .*403.*hf auth login"):
        publish.send(publish.check(preset, "hf://owner/new"))


def test_check_warns_of_a_missing_license(preset, tmp_path):
    assert publish.check(preset, "hf://owner/new").warnings == []
    text = (preset / "README.md").read_text()
    try:
        (preset / "README.md").write_text("# tiny\nlicense: mit\n")
        (warning,) = publish.check(preset, "hf://owner/new").warnings
        assert "license: apache-2.0" in warning
        (preset / "README.md").unlink()
        (warning,) = publish.check(preset, "hf://owner/new").warnings
        assert "no README.md" in warning
    finally:
        (preset / "README.md").write_text(text)


def test_check_warns_of_a_path_in_the_metadata(tmp_path, make_model):
    folder = make_model().save_to_preset(tmp_path / "a", training={"dataset": "/home/me/photos"})
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    (warning,) = publish.check(folder, "hf://owner/new").warnings
    assert "/home/me/photos" in warning


def test_check_does_not_warn_of_a_relative_path(tmp_path, make_model):
    folder = make_model().save_to_preset(tmp_path / "a", training={"dataset": "./photos"})
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    assert publish.check(folder, "hf://owner/new").warnings == []


def test_check_refuses_what_is_no_preset(preset, tmp_path):
    with pytest.raises(FileNotFoundError, match="no preset folder"):
        publish.check(tmp_path, "hf://owner/new")
    for address in ("owner/new", "hf://new", "hf://owner/new@main", "https://huggingface.co/o/n"):
        with pytest.raises(ValueError, match="is hf://OWNER/NAME, got"):
            publish.check(preset, address)
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("config.json", "metadata.json"):
        (broken / name).write_bytes((preset / name).read_bytes())
    (broken / "model.weights.h5").write_bytes(b"other")
    with pytest.raises(ValueError, match=r"is damaged: model\.weights\.h5 has 5 bytes"):
        publish.check(broken, "hf://owner/new")
