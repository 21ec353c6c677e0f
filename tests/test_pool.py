import keras
import numpy as np
from pool import Pool


def make():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def test_pool_take_gives_a_model_that_ran_eagerly_as_it_was_made():
    pool, x = Pool(), np.ones((4, 2), np.float32)
    model = pool.take("model", make)
    start = model.get_weights()
    model.run_eagerly = True
    model.fit(x, x[:, :1], verbose=0)
    assert not np.array_equal(model.get_weights()[0], start[0])
    pool.release()
    again = pool.take("model", make)
    assert again is model
    assert not again.run_eagerly
    assert again.train_function is None
    np.testing.assert_array_equal(again.get_weights()[0], start[0])
    again.compile("sgd", "mae")
    pool.release()
    assert pool.take("model", make) is not model
