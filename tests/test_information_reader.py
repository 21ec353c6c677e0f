import numpy as np
import pytest
import tensorflow as tf

from keras_infomodels import models
from keras_infomodels.models.autoencoder import encodings
from keras_infomodels.training.information_reader import Table


@pytest.mark.parametrize("jit_compile", [False, True])
def test_table_keeps_the_first_rows(jit_compile):
    table, rows = Table(5), np.arange(14, dtype=np.float32).reshape(7, 2)
    add = tf.function(table.add, jit_compile=jit_compile)
    for part in (rows[:3], rows[3:6], rows[6:]):
        add(part)
    np.testing.assert_array_equal(table.rows(), rows[:5])
    table.reset()
    assert len(table.rows()) == 0
    add(rows[4:6])
    np.testing.assert_array_equal(table.rows(), rows[4:6])


def test_table_information_at_some_samples_is_that_of_all(make_model):
    """An estimate from 400 of 4,000 samples against all posteriors, sorted by their means."""
    random = np.random.default_rng(0)
    loc = np.sort(random.normal(size=(4000, 1)), axis=0)
    scale = np.full_like(loc, 0.3)
    z = loc + scale * random.normal(size=loc.shape)
    model = make_model()
    every = encodings.table_information(model, z, loc, scale)
    some = encodings.table_information(model, z, loc, scale, pairs=400 * 4000)
    exact = 0.5 * np.log(1 + 1 / 0.3**2)
    assert every.nats == pytest.approx(exact, abs=0.05)
    assert some.nats == pytest.approx(exact, abs=0.1)
    assert some.nats != every.nats
    assert some.standard_error == pytest.approx(every.standard_error * 10**0.5, rel=0.2)
    assert some.ceiling == every.ceiling


@pytest.mark.parametrize(
    ("freq", "epochs_read"),
    [
        pytest.param(1, [0, 1, 2, 3], marks=pytest.mark.slow),
        pytest.param(2, [1, 3], marks=pytest.mark.slow),
        (3, [2, 3]),
        (0, []),
    ],
)
def test_information_freq_reads_every_so_many_epochs_and_the_last(
    make_model, images, monkeypatch, freq, epochs_read
):
    """Before the last epoch without a second pass over the data; the last value is evaluate's."""
    model, passes = make_model(likelihood="bernoulli_threshold"), []
    full = encodings._encodings

    def counted(*arguments):
        passes.append(len(read))
        return full(*arguments)

    read = []
    monkeypatch.setattr(encodings, "_encodings", counted)
    glance = models.InfoVAE.validation_information
    monkeypatch.setattr(
        models.InfoVAE, "validation_information", lambda *a: read.append(glance(*a)) or read[-1]
    )
    data = {"validation_data": images, "batch_size": 8, "epochs": 4, "verbose": 0}
    history = model.fit(images, **data, information_freq=freq).history
    values = history.get("val_mutual_information", [])
    assert len(values) == len(epochs_read)
    if not freq:
        assert not passes
        return
    assert len(passes) == 1
    assert [each["mutual_information"] for each in read] == values[:-1]
    assert 0 < values[0] < np.log(len(images)) + 0.5
    again = model.evaluate(images, batch_size=8, verbose=0, return_dict=True)
    # The two graphs may round otherwise.
    assert values[-1] == pytest.approx(again["mutual_information"], rel=1e-5)


def test_information_freq_is_refused_below_zero(make_model, images):
    with pytest.raises(ValueError, match="information_freq"):
        make_model().fit(images, information_freq=-1, verbose=0)
