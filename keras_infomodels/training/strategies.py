"""Training under a strategy of `tf.distribute`: what it takes, and what it is given."""

import json
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import keras
import tensorflow as tf

from keras_infomodels import replicas
from keras_infomodels.networks.normalization import BatchNormalization
from keras_infomodels.optimizers import FusedAdam

__all__ = [
    "check_one_replica",
    "check_scope",
    "choose_strategy",
    "distributed",
    "for_replicas",
    "writes",
]

_LONGEST_SILENCE = 20
"""Seconds without a heartbeat of a worker, which a thread of TensorFlow sends in half that time."""


def choose_strategy(devices: int | None = None) -> tf.distribute.Strategy:
    """Returns the distribution strategy of a command.

    Call it before any other TensorFlow function. If the environment variable TF_CONFIG names
    several workers, the strategy spans all workers, each with its GPUs, or its CPU if it has no
    GPU. Otherwise the strategy uses `devices` GPUs of this machine. With fewer GPUs, the CPU is
    split into `devices` virtual devices.

    Args:
        devices: int. Number of devices of this process. `None` is TensorFlow's default strategy,
            one device.

    Raises:
        ValueError: If TF_CONFIG cannot be parsed, `devices` is below 1, or both TF_CONFIG and
            `devices` are given.
    """
    if devices is not None and devices < 1:
        raise ValueError(f"There is at least one device, got {devices}.")
    if _count_workers() > 1:
        if devices is not None:
            raise ValueError(
                "Under TF_CONFIG every worker takes the GPUs that it sees, or its CPU; leave the "
                "number of devices out, and limit GPUs by CUDA_VISIBLE_DEVICES."
            )
        with _heartbeats_within(_LONGEST_SILENCE), _own_sigterm():
            return tf.distribute.MultiWorkerMirroredStrategy()
    if devices is None or devices == 1:
        return tf.distribute.get_strategy()
    if len(tf.config.list_physical_devices("GPU")) >= devices:
        return tf.distribute.MirroredStrategy([f"GPU:{i}" for i in range(devices)])
    cpu = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * devices
    tf.config.set_logical_device_configuration(cpu, parts)
    return tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(devices)])


@contextmanager
def _heartbeats_within(seconds: int) -> Iterator[None]:
    """Context manager of a strategy of workers, of which all end when one is silent for so long.

    TensorFlow waits for more than a minute, and has no setting for it outside of its context.
    """
    from tensorflow.python.eager.context import context

    inner = context()
    # The strategy calls this with the addresses and numbers of its workers.
    configure = inner.configure_coordination_service
    inner.configure_coordination_service = partial(
        configure, heartbeat_timeout_in_ms=1000 * seconds
    )
    try:
        yield
    finally:
        del inner.configure_coordination_service


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Context manager that keeps Python's handler of SIGTERM, which TensorFlow takes from workers.

    TensorFlow's only notes the signal for its `PreemptionCheckpointHandler`.
    """
    try:
        yield
    finally:
        handler = signal.getsignal(signal.SIGTERM)
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _count_workers() -> int:
    """The number of processes that TF_CONFIG names; 0 without it."""
    text = os.environ.get("TF_CONFIG", "{}")
    if not text.strip():
        del os.environ["TF_CONFIG"]  # TensorFlow cannot parse an empty one
        return 0
    try:
        cluster = json.loads(text).get("cluster", {})
        return sum(len(cluster.get(kind, ())) for kind in ("chief", "worker"))
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            'TF_CONFIG is JSON such as {"cluster": {"worker": ["host0:1234", "host1:1234"]}, '
            f'"task": {{"type": "worker", "index": 0}}}}; got {text!r}.'
        ) from error


def writes(model: keras.Model) -> bool:
    """Returns `True` if callbacks of a model write files: in the chief worker only."""
    return model is None or replicas.is_chief(model.distribute_strategy)


def for_replicas(model: keras.Model, settings: dict) -> dict:
    """Returns arguments of `compile` adapted to several replicas; warns of unsupported ones.

    Args:
        model: keras.Model. Model with a `distribute_strategy`.
        settings: dict. Arguments of `keras.Model.compile`.
    """
    if model.distribute_strategy.num_replicas_in_sync == 1:
        return settings
    together, compiled = settings.get("steps_per_execution"), settings.get("jit_compile")
    refused = ["steps_per_execution"] if together not in (None, 1) else []
    refused += ["jit_compile"] if compiled is True else []
    if refused:
        warnings.warn(
            f"{' and '.join(refused)} cannot be used on several replicas, so each call makes one "
            "step without XLA; the results are the same.",
            stacklevel=3,
        )
    return settings | {"steps_per_execution": 1, "jit_compile": False}


def check_scope(model: keras.Model):
    """Raises ValueError unless model, networks and optimizers belong to the same strategy scope."""
    own = model.distribute_strategy if model.distribute_strategy.num_replicas_in_sync > 1 else None
    optimizers = [getattr(model, group.optimizer_name) for group in model.optimizer_groups()]
    inner = [getattr(each, "inner_optimizer", each) for each in optimizers]
    counters = [each.iterations for each in inner]
    for variables, what in ((model.weights, "The networks"), (counters, "The optimizers")):
        if any(_strategy(variable) is not own for variable in variables):
            name = type(model).__name__
            raise ValueError(
                f"{what} and the {name} were not made in the scope of one strategy. Make networks, "
                f"model and optimizers within one `with strategy.scope():`, or all without."
            )
    if own is not None:
        _check_layers(model)
        if any(isinstance(each, keras.optimizers.LossScaleOptimizer) for each in optimizers):
            raise ValueError(
                "The loss scale of mixed_float16 is not for several replicas; take "
                "mixed_bfloat16, which needs none."
            )
        if any(isinstance(each, FusedAdam) for each in inner):
            warnings.warn(
                "FusedAdam updates as keras.optimizers.Adam on several replicas.", stacklevel=4
            )


def _strategy(variable: keras.Variable) -> tf.distribute.Strategy | None:
    """The strategy of several replicas that a variable was made for."""
    strategy = getattr(variable.value, "distribute_strategy", None)
    return strategy if strategy is not None and strategy.num_replicas_in_sync > 1 else None


def _check_layers(model: keras.Model):
    """Refuses batch normalization by replica, and warns of noise that the replicas share."""
    for layer in model._flatten_layers():
        plain = isinstance(layer, keras.layers.BatchNormalization)
        if plain and not (isinstance(layer, BatchNormalization) or layer.synchronized):
            raise ValueError(
                f"The layer {layer.name!r} would normalize by the part of the batch that one "
                "replica has; make it with BatchNormalization(synchronized=True)."
            )
        if getattr(layer, "seed_generator", None) is not None:
            warnings.warn(
                f"The layer {layer.name!r} draws the same numbers on every replica, so this "
                "training is not that of one device.",
                stacklevel=4,
            )


def check_one_replica(model: keras.Model, method: str, instead: str):
    """Raises ValueError if there are several replicas.

    Keras would give each of them the whole batch.
    """
    if model.distribute_strategy.num_replicas_in_sync > 1:
        raise ValueError(
            f"{method} gives every replica the whole batch; call {instead}, which splits it."
        )


def distributed(strategy: tf.distribute.Strategy, data, training: bool = True):
    """Distributes data for `fit` and `evaluate`: each replica gets consecutive rows of a batch.

    With several workers, a dataset of `keras_infomodels.datasets` reads only the examples of its
    own worker in training. Any other dataset is read completely by each worker.

    Args:
        strategy: tf.distribute.Strategy. Strategy of the model.
        data: dataset or arrays, as `fit` takes them. Only a `tf.data.Dataset` is changed here;
            Keras distributes arrays itself.
        training: bool. `True` for `fit`. `False` also keeps the attributes of `data`, such as its
            epoch.
    """
    if strategy.num_replicas_in_sync == 1 or not isinstance(data, tf.data.Dataset):
        return data
    if training and replicas.has_workers(strategy) and hasattr(data, "of_replicas"):
        return strategy.distribute_datasets_from_function(partial(_part_of, data))
    options = tf.data.Options()
    # TensorFlow's own choice may give each worker files of its own: no global order.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    split = data.with_options(options)
    for name in ("epoch", "fingerprint"):
        if hasattr(data, name):
            setattr(split, name, getattr(data, name))
    return split


def _part_of(data: tf.data.Dataset, context: tf.distribute.InputContext) -> tf.data.Dataset:
    """What the replicas of one worker have of each batch."""
    here = context.num_replicas_in_sync // context.num_input_pipelines
    first = context.input_pipeline_id * here
    return data.of_replicas(first, here, context.num_replicas_in_sync)
