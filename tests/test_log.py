"""Messages of the library."""

import logging

from keras_infomodels.log import LOGGER, printing


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
