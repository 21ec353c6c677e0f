"""Messages of the library."""

import logging
import subprocess
import sys

import pytest

from keras_infomodels import log
from keras_infomodels.log import LOGGER, printing
from keras_infomodels.training.execution import ProgressBar


def test_printing_shows_messages_on_stdout_and_restores_the_logger(capsys, caplog):
    before = LOGGER.level, LOGGER.propagate, list(LOGGER.handlers)
    with printing():
        LOGGER.info("%d of %d", 1, 2)
    assert capsys.readouterr() == ("1 of 2\n", "")
    assert (LOGGER.level, LOGGER.propagate, LOGGER.handlers) == before
    LOGGER.info("not shown")
    with caplog.at_level(logging.INFO, "keras_infomodels"):
        LOGGER.info("kept")
    assert capsys.readouterr().out == ""
    assert caplog.messages == ["kept"]


@pytest.mark.slow
def test_quiet_tensorflow_keeps_its_import_silent():
    code = """
from keras_infomodels.log import quiet_tensorflow
with quiet_tensorflow():
    import tensorflow
    from absl import logging
    logging.warning("of absl")
import sys
print("still there", file=sys.stderr)
print(tensorflow.constant(1).numpy(), len([f for f in sys.meta_path if "Quiet" in repr(f)]))
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.stdout == "1 0\n"
    assert process.stderr == "still there\n"


def test_quiet_tensorflow_shows_what_a_failed_import_wrote(tmp_path):
    package = tmp_path / "tensorflow"
    package.mkdir()
    (package / "__init__.py").write_text("import os; os.write(2, b'why\\n'); 1 / 0")
    code = (
        "from keras_infomodels.log import quiet_tensorflow\n"
        "with quiet_tensorflow():\n    import tensorflow"
    )
    process = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{code}"],
        capture_output=True,
        text=True,
    )
    assert process.stderr.startswith("why\n")
    assert "ZeroDivisionError" in process.stderr


def test_line_is_open_begins_a_message_on_a_new_line(capsys):
    with printing():
        log.line_is_open(True)
        print("43/43 - loss: 1.0", end="")
        LOGGER.info("at most")
        LOGGER.info("once")
    assert capsys.readouterr().out == "43/43 - loss: 1.0\nat most\nonce\n"


def test_progress_bar_of_fit_is_ended_before_a_message(capsys):
    callback = ProgressBar()
    callback.set_params({"verbose": 1, "epochs": 1, "steps": 2})
    callback.on_train_begin()
    callback.on_epoch_begin(0)
    callback.progbar._dynamic_display = True  # as in a terminal
    with printing():
        callback.on_train_batch_end(0, {"loss": 1.0})
        LOGGER.info("at most")
        callback.on_epoch_end(0, {"loss": 1.0})
        LOGGER.info("after")
    out = capsys.readouterr().out
    assert "\nat most\n" in out
    assert out.endswith("\nafter\n")
    assert "\n\nafter" not in out
