"""What the flags of `infomodels train` ask for."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from keras_infomodels import cli, train_command
from keras_infomodels.zoo.recipes import Recipe


def asked(*words):
    return train_command._recipe(cli._parser().parse_args(["train", *words, "--out", "any"]))


def test_train_flags_make_the_recipe_of_a_model():
    found = asked(
        "infovae", "--dataset", "mnist", "--image-size", "12x16", "--network", "conv",
        "--widths", "3,4,8", "--latent-dim", "2", "--alpha", "0.5", "--lambda", "4",
        "--kernel", "gaussian", "--likelihood", "gaussian", "--sigma", "0.3",
    )  # fmt: skip
    assert found.data.image_size == [12, 16]
    table = found.completed((12, 16, 3))
    assert (table["encoder"]["filters"], table["encoder"]["width"]) == ([3, 4], 8)
    assert table["decoder"]["latent_dim"] == table["prior"]["dimension"] == 2
    assert (table["alpha"], table["lambda_"]) == (0.5, 4.0)
    assert table["divergence"] == {"class": "MMD", "kernel": "gaussian"}
    assert table["likelihood"] == {"class": "Gaussian", "sigma": 0.3}
    assert table["decoder"]["parameters"] == ["loc"]
    assert asked("vae", "--dataset", "mnist", "--image-size", "16").data.image_size == [16, 16]


def test_train_flags_come_before_those_of_the_recipe(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(Recipe.of("mmd_vae", dataset="mnist", epochs=9, latent_dim=3).to_toml())
    found = asked("infovae", "--recipe", str(path), "--epochs", "1", "--alpha", "0.5")
    expected = {"epochs": 1, "alpha": 0.5, "latent_dim": 3}
    assert found == Recipe.of("infovae", dataset="mnist", **expected)


def test_train_set_puts_any_value_into_the_recipe():
    given = ("model.stratified=true", "training.epochs=14", "model.discriminator.filters=[3, 4]")
    more = (
        "data.train=train[:50%]",
        "model.consistency.augmentations=both",
        "model.consistency.weight=1",
    )
    words = [word for each in given + more for word in ("--set", each)]
    found = asked("infogan", "--dataset", "mnist", *words)
    assert (found.model["stratified"], found.training.epochs) == (True, 14)
    assert found.completed((8, 8, 1))["generator"]["filters"] == [4, 3]
    assert (found.data.train, found.model["consistency"]["augmentations"]) == (
        "train[:50%]",
        "both",
    )


@pytest.mark.parametrize(
    ("assignment", "what"),
    [
        ("model.stratfied=true", "did you mean 'stratified'"),
        ("training.epochs=many", "training.epochs: .*valid integer, got 'many'"),
        ("trainig.epochs=3", r"no table 'trainig'; did you mean 'training'\?"),
        ("training.epochs", "--set takes PLACE=VALUE"),
        ("model=3", "model is a table with a class, got 3"),
        ("data=3", "data is a table, got 3"),
        ("model.class=os.system", "no model 'os.system'"),
        ("model.generator={class='Lambda'}", "'Lambda' is no class"),
    ],
)
def test_train_set_refuses_what_no_recipe_has(assignment, what):
    with pytest.raises(ValueError, match=what):
        asked("infogan", "--dataset", "mnist", "--set", assignment)


FEW = ("--set", "data.train=train[:320]", "--set", "data.validation=train[320:384]")
SMALL = ("--set", "data.test=test[:64]", "--widths", "16", "--network", "mlp", "--latent-dim", "2")


def start(out, *words, **environment):
    command = [sys.executable, "-m", "keras_infomodels", "train", *words, "--out", str(out)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


def wait_for(path, process):
    end = time.monotonic() + 300
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.1)


def epochs(out):
    with (out / "run" / "history.csv").open(newline="") as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


def start_workers(out, *words):
    with socket.create_server(("localhost", 0)) as a, socket.create_server(("localhost", 0)) as b:
        hosts = [f"localhost:{each.getsockname()[1]}" for each in (a, b)]
    workers = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": {"worker": hosts}, "task": task})
        workers.append(start(out, *words, "--pictures", "0", TF_CONFIG=config))
    return workers


def wait_for_epoch(out, epoch, process):
    wait_for(out / "run" / "checkpoints" / f"after_epoch_{epoch:04d}", process)


def end(*processes):
    """Errors of processes that SIGTERM ends with status 143."""
    for process in processes:
        process.send_signal(signal.SIGTERM)
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [143] * len(processes), errors
    return errors


@pytest.mark.slow
def test_train_devices_saves_at_sigterm_and_resumes_on_another_number(tmp_path):
    out = tmp_path / "run"
    words = ("vae", "--dataset", "fashion_mnist_mini", "--epochs", "400", *FEW, *SMALL)
    process = start(out, *words, "--pictures", "0", "--devices", "2")
    wait_for_epoch(out, 2, process)
    assert "Stopped by SIGTERM. Every finished epoch is saved" in end(process)[0]
    done = len(epochs(out))
    assert done >= 2
    process = start(out, "--resume", "--pictures", "0")
    wait_for_epoch(out, done + 2, process)
    end(process)
    assert epochs(out) == list(range(1, len(epochs(out)) + 1))


@pytest.mark.slow
def test_train_workers_end_within_a_minute_of_a_kill_and_any_number_resumes(tmp_path):
    out = tmp_path / "run"
    words = ("mmd_vae", "--dataset", "fashion_mnist_mini", "--epochs", "4000", *FEW, *SMALL)
    chief, other = start_workers(out, *words)
    wait_for_epoch(out, 2, chief)
    other.kill()
    begin = time.monotonic()
    _, errors = chief.communicate(timeout=180)
    assert time.monotonic() - begin < 60
    assert chief.returncode not in (0, None)
    assert "start all of them again with --resume" in errors
    other.communicate()
    for resume in (lambda: start_workers(out, "--resume"), lambda: [start(out, "--resume")]):
        done = len(epochs(out))
        processes = resume()
        wait_for_epoch(out, done + 1, processes[0])
        begin = time.monotonic()
        assert all("Stopped by SIGTERM" in errors for errors in end(*processes))
        assert time.monotonic() - begin < 30  # then a cluster sends SIGKILL
    assert epochs(out) == list(range(1, len(epochs(out)) + 1))


def test_sigterm_is_found_below_the_error_of_a_step():
    """As where the other worker ends first, and a collective operation fails."""
    script = """
import os, signal, time
from keras_infomodels.termination import Terminated, ending_on_sigterm
try:
    with ending_on_sigterm(print):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(9)
        except Terminated:
            raise RuntimeError("mismatch") from None
except Terminated:
    print("terminated")
with ending_on_sigterm(print):
    raise RuntimeError("of its own")
"""
    command = [sys.executable, "-c", script]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert process.stdout == "terminated\n"
    assert "RuntimeError: of its own" in process.stderr


def test_train_ends_where_an_operation_outlasts_sigterm(tmp_path):
    script = f"""
import argparse, ctypes, functools, threading, os, signal
from keras_infomodels import termination, train_command
termination._GRACE = 0.2
say = functools.partial(train_command.say_stopped, argparse.Namespace(out={str(tmp_path)!r}))
with termination.ending_on_sigterm(say):
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
    lock, mutex = ctypes.CDLL(None).pthread_mutex_lock, ctypes.create_string_buffer(64)
    lock(mutex), lock(mutex)  # waits for itself, whatever signal comes
"""
    command = [sys.executable, "-c", script]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert process.returncode == 143
    assert process.stderr == (
        "\nStopped by SIGTERM. No epoch was finished, so nothing is saved; start again.\n"
    )
