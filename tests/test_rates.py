"""Callbacks that set a learning rate, on models with two optimizers."""

import keras
import pytest

from keras_infomodels.callbacks import AtomicBackup
from keras_infomodels.training.rates import FollowLearningRate


def rates(callback, optimizer):
    return float(getattr(callback, optimizer).learning_rate)


@pytest.fixture
def pair():
    """Optimizers of rates 1e-3 and 4e-3, and the callback between them."""
    return FollowLearningRate(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(4e-3))


def test_follow_learning_rate_keeps_the_ratio_also_from_zero(pair):
    pair.on_train_begin()
    for rate in (5e-4, 0.0, 2e-3):
        pair.first.learning_rate = rate
        pair.on_epoch_begin(0)
        assert rates(pair, "second") == pytest.approx(4 * rate)
    pair.on_train_batch_begin(0)
    assert rates(pair, "first") == pytest.approx(2e-3)


def test_follow_learning_rate_leaves_alone_what_others_set(pair):
    pair.second.learning_rate = 1e-2  # by hand, after compile
    pair.on_train_begin()
    pair.on_epoch_begin(0)
    assert rates(pair, "second") == pytest.approx(1e-2)
    pair.first.learning_rate = 2e-3
    pair.on_epoch_end(0)
    assert rates(pair, "second") == pytest.approx(2e-2)
    pair.first.learning_rate, pair.second.learning_rate = 1e-3, 3e-3  # a callback that knows both
    pair.on_epoch_end(1)
    assert rates(pair, "second") == pytest.approx(3e-3)
    pair.first.learning_rate = 5e-4
    pair.on_epoch_end(2)
    assert rates(pair, "second") == pytest.approx(1.5e-3)


def test_follow_learning_rate_leaves_schedules_and_warns():
    decay = keras.optimizers.schedules.CosineDecay(1e-3, 10)
    free = FollowLearningRate(keras.optimizers.Adam(decay), keras.optimizers.Adam(1e-3))
    free.on_train_begin()
    free.first.iterations.assign(5)
    free.on_epoch_begin(0)
    assert rates(free, "second") == pytest.approx(1e-3)
    bound = FollowLearningRate(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(decay))
    bound.on_train_begin()
    bound.first.learning_rate = 5e-4
    with pytest.warns(UserWarning, match="is a schedule"):
        bound.on_epoch_end(0)
    bound.on_epoch_end(1)


def test_follow_learning_rate_stands_before_what_saves_the_rates(pair, tmp_path):
    plateau = keras.callbacks.ReduceLROnPlateau()
    backup = AtomicBackup(tmp_path)
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "m.keras")
    callbacks = [plateau, checkpoint, backup]
    assert pair.among(callbacks) == [plateau, pair, checkpoint, pair, backup, pair]


def test_fit_of_a_gan_moves_both_learning_rates(make_gan, images):
    model = make_gan()
    callbacks = [keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)]
    model.fit(images, epochs=2, batch_size=40, verbose=0, callbacks=callbacks)
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-3 / 4)
    assert float(model.discriminator_optimizer.learning_rate) == pytest.approx(1e-3 / 4)
