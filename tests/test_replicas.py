"""One device, two replicas and two workers end on the same numbers."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import strategies
import tensorflow as tf

from keras_infomodels import replicas
from keras_infomodels.training.strategies import _own_sigterm, choose_strategy

CURVES = 1e-4
"""Largest distance of curves of Adam in float32; 6e-6 was measured, and 4e-3 for other noise."""

SCRIPT = Path(__file__).with_name("strategies.py")


def start(*arguments, **environment):
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


def result(process):
    output, errors = process.communicate(timeout=1800)
    assert process.returncode == 0, errors[-4000:]
    return json.loads(output.splitlines()[-1])


def check_same(found):
    # Sums in another order: some units in the last place of float32 weights below 1, which the
    # heads of all networks have. Other noise or other means move weights by 1e-4 and more.
    assert found["moved"] > 1e-3
    assert found["weights"] < 1e-6
    assert found["predictions"] < 2e-6
    assert found["history"] < 1e-4


def test_fit_on_two_replicas_ends_on_the_weights_of_one_device():
    check_same(result(start("mirrored", "short:InfoVAE"))["short:InfoVAE"])


@pytest.mark.slow
@pytest.mark.parametrize("name", strategies.MAKE)
def test_fit_on_two_replicas_is_that_of_one_device_for(name):
    check_same(result(start("mirrored", name))[name])


@pytest.mark.slow
def test_fit_on_two_replicas_is_that_of_one_device_to_1e_9_in_double_precision():
    found = result(start("double", *strategies.MAKE))
    for name, differences in found.items():
        assert differences["moved"] > 1e-3, name
        for what in ("weights", "predictions", "history"):
            assert differences[what] < 1e-9, (name, differences)


ADAM = ("VAE", "MMDVAE", "AdversarialAutoencoder", "InfoGAN")


def check_curves(one, other_noise, several):
    """Curves of 51 steps of Adam in float32, relative to how far the term is from 0.

    Adam divides a gradient by its own size. Where a gradient is 0 but for rounding, its weight
    moves by the learning rate in the direction of the rounding, so the weights do not stay equal.
    The loss hardly depends on such weights. Replicas with other noise would be as far apart as
    trainings with another seed are.
    """
    for key, expected in one.items():
        size = np.abs(expected).max()
        distance = np.abs(np.subtract(several[key], expected)).max() / size
        assert distance < CURVES, (key, distance)
    other = np.abs(np.subtract(other_noise["loss"], one["loss"])).max() / np.abs(one["loss"]).max()
    assert other > 10 * CURVES


@pytest.mark.slow
def test_fit_by_adam_on_two_replicas_has_the_loss_curves_of_one_device():
    names = [f"curves:{name}" for name in ADAM]
    for curves in result(start("mirrored", *names)).values():
        check_curves(*curves)


@pytest.mark.slow
def test_fit_on_two_replicas_updates_none_where_one_is_not_finite():
    found = result(start("mirrored", "nan"))["nan"]
    assert found["steps"] == 1
    assert found["weights"] == 0
    assert "Training stopped at step 2" in found["message"]


@pytest.mark.slow
def test_compile_local_divergence_sees_the_rows_of_a_replica():
    found = result(start("mirrored", "rows"))["rows"]
    # Means over 75 examples of batches of 32, 32 and 11, and of halves of these.
    assert found["False"] == pytest.approx((2 * 32 * 32 + 11 * 11) / 75, rel=1e-6)
    assert found["True"] == pytest.approx((2 * 32 * 16 + 6 * 6 + 5 * 5) / 75, rel=1e-6)


@pytest.mark.slow
def test_compile_refuses_what_is_not_of_one_scope():
    found = result(start("refusals"))
    for name in ("model outside", "networks outside", "optimizer outside"):
        assert "within one `with strategy.scope():`" in found[name], found
    assert found["information inside"] == "True"
    assert found["data inside"] == "([32, 32, 11], 1)"


def start_workers(*names):
    with socket.create_server(("localhost", 0)) as a, socket.create_server(("localhost", 0)) as b:
        hosts = [f"localhost:{each.getsockname()[1]}" for each in (a, b)]
    workers = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": {"worker": hosts}, "task": task})
        workers.append(start("worker", *names, TF_CONFIG=config))
    return workers


@pytest.mark.slow
def test_fit_on_two_workers_ends_on_the_weights_of_one_device():
    names = ["InfoVAE", "InfoGAN"]
    found = [result(worker) for worker in start_workers(*names)]
    alone = result(start("worker", *names))
    for name in names:
        for worker in found:
            np.testing.assert_allclose(worker[name][2], alone[name][2], rtol=0, atol=1e-6)
            np.testing.assert_allclose(worker[name][1], alone[name][1], rtol=0, atol=2e-6)
            for key, values in alone[name][0].items():
                np.testing.assert_allclose(worker[name][0][key], values, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_fit_by_adam_on_two_workers_has_the_loss_curves_of_one_device():
    names = [f"curves:{name}" for name in ADAM]
    found = [result(worker) for worker in start_workers(*names)]
    alone = result(start("worker", *names, *(f"other_{name}" for name in names)))
    for name in names:
        for worker in found:
            check_curves(alone[name], alone[f"other_{name}"], worker[name])


@pytest.mark.slow
def test_fit_on_two_workers_updates_none_and_both_say_so_where_one_is_not_finite():
    for found in [result(worker) for worker in start_workers("nan")]:
        assert found["nan"]["steps"] == 1
        assert found["nan"]["weights"] == 0
        assert "Training stopped at step 2" in found["nan"]["message"]


def test_replicas_functions_are_plain_without_a_strategy():
    x = tf.constant([[1.0, 2.0], [3.0, 5.0]])
    assert not replicas.several()
    assert replicas.is_first_here()
    assert float(replicas.mean(x)) == 2.75
    np.testing.assert_array_equal(replicas.mean(x, axis=0), [2.0, 3.5])
    assert float(replicas.total(x)) == 11
    assert float(replicas.shared(x[0, 0])) == 1
    assert replicas.gather({"x": x})["x"] is x
    np.testing.assert_array_equal(replicas.own_rows(tf.range, tf.constant(3)), [0, 1, 2])
    np.testing.assert_array_equal(replicas.maximum(x[0]), x[0])


def test_own_sigterm_restores_the_handler_of_python():
    calls = []
    before = signal.signal(signal.SIGTERM, lambda *_: calls.append(1))
    try:
        with _own_sigterm():
            ctypes.CDLL(None).signal(signal.SIGTERM, 1)  # SIG_IGN, unknown to Python
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert calls == [1]


@pytest.mark.parametrize("text", ["{", "[]", '{"cluster": 3}'])
def test_choose_strategy_says_what_tf_config_is(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match="TF_CONFIG is JSON such as"):
        choose_strategy()


def test_choose_strategy_takes_an_empty_tf_config_for_none(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", " ")
    assert choose_strategy().num_replicas_in_sync == 1
    assert "TF_CONFIG" not in os.environ


def test_choose_strategy_refuses_devices_beside_workers(monkeypatch):
    cluster = {"worker": ["localhost:1", "localhost:2"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster}))
    with pytest.raises(ValueError, match="leave the number of devices out"):
        choose_strategy(2)
    monkeypatch.delenv("TF_CONFIG")
    with pytest.raises(ValueError, match="at least one device"):
        choose_strategy(0)
    assert choose_strategy(1).num_replicas_in_sync == 1
