"""Settings of a whole run; the fixtures are in shared.py."""

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# Two workers share two cores: more threads for an operation cost an eighth of the time.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest_plugins = ["summary"]


def pytest_configure(config):
    gc.disable()  # until all is imported
    # The process that starts the workers of pytest-xdist runs no test and needs no TensorFlow.
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        config.pluginmanager.import_plugin("shared")


def pytest_collection_finish():
    # What is imported stays. A full collection of all else walks through every traced graph that
    # the pool keeps, so it is rare.
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()
