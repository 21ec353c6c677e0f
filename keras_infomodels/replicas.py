"""Functions of the whole batch, for models that train on several `tf.distribute` replicas.

Each replica has some rows of a batch. A step within `global_batch` computes the same as one device
would for the whole batch. Terms are means over all rows (`mean`, `total`). Random draws are rows of
one draw for the whole batch (`own_rows`). Functions that compare examples get the rows of all
replicas (`gather`). Without a strategy, and with one replica, each function is bit-identical to the
plain operation.

Results of `mean`, `total`, `gather` or `shared` must be used in the same way on every replica, as
in a term of the loss. Gradients then flow only to this replica's rows, without communication. Their
sum over replicas equals the gradient of one device.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import tensorflow as tf

__all__ = [
    "all_sum",
    "at_own_rows",
    "gather",
    "global_batch",
    "has_workers",
    "index",
    "is_chief",
    "is_first_here",
    "maximum",
    "mean",
    "moments",
    "outside_scope",
    "own_rows",
    "run_if",
    "several",
    "shared",
    "sum_gradients",
    "total",
    "total_rows",
    "wait_for_all",
]


class _Part(NamedTuple):
    """Rows start, ..., start + size - 1 of `total`: what one replica has of the batch."""

    start: tf.Tensor
    size: tf.Tensor
    total: tf.Tensor


_part: contextvars.ContextVar[_Part | None] = contextvars.ContextVar("part", default=None)


def several() -> bool:
    """Returns `True` if the caller is one of several replicas."""
    context = tf.distribute.get_replica_context()
    return context is not None and context.num_replicas_in_sync > 1


def index() -> tf.Tensor:
    """Returns the index of this replica among all replicas, an int32 scalar."""
    context = tf.distribute.get_replica_context()
    return tf.cast(context.replica_id_in_sync_group, tf.int32)


def is_first_here() -> bool:
    """Returns `True` if the caller is the first replica of its process, or without a strategy."""
    if not several():
        return True
    context = tf.distribute.get_replica_context()
    here = len(context.strategy.extended.worker_devices)
    return int(tf.get_static_value(context.replica_id_in_sync_group)) % here == 0


@contextlib.contextmanager
def global_batch(rows: tf.Tensor) -> Iterator[None]:
    """Context manager for a training step on this replica's rows of a batch.

    Replicas have consecutive rows, in the order of their indices. A replica may have no rows.

    Args:
        rows: int32 scalar. Number of rows on this replica.
    """
    if not several():
        yield
        return
    sizes = tf.cast(_of_each(tf.cast(rows, tf.float32)), tf.int32)
    start = tf.reduce_sum(sizes[: index()])
    token = _part.set(_Part(start, rows, tf.reduce_sum(sizes)))
    try:
        yield
    finally:
        _part.reset(token)


def own_rows(draw: Callable[[tf.Tensor], tf.Tensor], rows: tf.Tensor, axis: int = 0) -> tf.Tensor:
    """Draws for the whole batch, and returns the rows of this replica.

    Args:
        draw: function. Returns a tensor or dict of tensors with n rows, given n.
        rows: int32 scalar. Number of rows on this replica.
        axis: int. Axis of the rows.
    """
    part = _part.get()
    if part is None:
        return draw(rows)
    return tf.nest.map_structure(lambda t: _own(t, part, axis), draw(part.total))


def at_own_rows(
    function: Callable[[dict[str, tf.Tensor]], tf.Tensor], tensors: Mapping[str, tf.Tensor]
) -> tf.Tensor:
    """Applies a function with random draws, which are the same for a row as on one device.

    Args:
        function: function from a dict of tensors (n, ...) to a tensor (n, ...). On several replicas
            it gets tensors of the whole batch, in which the rows of other replicas are 0.
        tensors: dict from name to tensor (rows, ...).
    """
    part = _part.get()
    if part is None:
        return function(tensors)
    return _own(function({name: _placed(t, part) for name, t in tensors.items()}), part)


def gather(tensors: Mapping[str, tf.Tensor]) -> Mapping[str, tf.Tensor]:
    """Returns the rows of all replicas, in the order of the batch.

    Args:
        tensors: dict from name to tensor (rows, columns).
    """
    part = _part.get()
    if part is None:
        return tensors
    dtype = next(iter(tensors.values())).dtype
    widths = [tensor.shape[1] for tensor in tensors.values()]

    @tf.custom_gradient
    def all_rows(own):
        return all_sum(_placed(own, part)), lambda upstream: _own(upstream, part)

    joined = all_rows(tf.concat([tf.cast(t, dtype) for t in tensors.values()], axis=1))
    columns = tf.split(tf.ensure_shape(joined, (None, sum(widths))), widths, axis=1)
    return {
        name: tf.cast(column, tensor.dtype)
        for (name, tensor), column in zip(tensors.items(), columns, strict=True)
    }


def total(x: tf.Tensor, axis: int | None = None) -> tf.Tensor:
    """Sums over the whole batch, which is the first axis of x.

    Args:
        x: tensor (rows, ...).
        axis: 0, or None for the sum over all axes.
    """
    own = tf.reduce_sum(x, axis=axis)
    return own if _part.get() is None else _sum_of_terms(own)


def mean(x: tf.Tensor, axis: int | None = None) -> tf.Tensor:
    """Computes the mean over the whole batch; see `total`."""
    part = _part.get()
    if part is None:
        return tf.reduce_mean(x, axis=axis)
    count = tf.cast(part.total, x.dtype)
    if axis is None:
        count *= tf.cast(tf.reduce_prod(tf.shape(x)[1:]), x.dtype)
    return total(x, axis) / count


def shared(x: tf.Tensor) -> tf.Tensor:
    """Averages a scalar over the replicas, such as a penalty on weights or own rows.

    Returns:
        Mean over replicas, weighted by their numbers of rows.
    """
    part = _part.get()
    if part is None:
        return x
    # A mean over no rows is NaN.
    x = tf.where(part.size > 0, x, tf.zeros_like(x))
    return _sum_of_terms(x * tf.cast(part.size, x.dtype) / tf.cast(part.total, x.dtype))


def maximum(x: tf.Tensor) -> tf.Tensor:
    """Computes the largest of each entry of x (k,) over all replicas, without a gradient."""
    return tf.reduce_max(_of_each(x), axis=0) if several() else x


def moments(x: tf.Tensor, axes: list[int]) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes mean and variance over some axes and over all replicas, for a layer.

    Replicas may use the result in different ways, because its gradient is summed over them.

    Args:
        x: tensor. Data of this replica.
        axes: list of int. Axes to sum over, all but one.
    """
    count = tf.cast(tf.reduce_prod(tf.gather(tf.shape(x), axes)), x.dtype)
    sums = all_sum(tf.concat([tf.reduce_sum(x, axes), count[None]], axis=0))
    count = tf.stop_gradient(sums[-1])
    average = sums[:-1] / count
    # Two passes, because E x^2 - (E x)^2 cancels.
    shape = [1 if axis in axes else -1 for axis in range(len(x.shape))]
    centered = x - tf.reshape(tf.stop_gradient(average), shape)
    return average, all_sum(tf.reduce_sum(centered**2, axes)) / count


def all_sum(tensors):
    """Sums tensors, or a list of them, over all replicas; gradients are summed over them too."""
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tensors)


def sum_gradients(gradients: list[list[tf.Tensor | None]]) -> list[list[tf.Tensor | None]]:
    """Sums lists of gradients over all replicas, those of one type at once."""
    if not several():
        return gradients
    given = [g for own in gradients for g in own if g is not None]
    summed = {}
    for dtype in dict.fromkeys(g.dtype for g in given):
        summed[dtype] = iter(all_sum([g for g in given if g.dtype == dtype]))
    return [[None if g is None else next(summed[g.dtype]) for g in own] for own in gradients]


def total_rows(rows: tf.Tensor) -> tf.Tensor:
    """Returns the number of rows of the whole batch, given that of this replica."""
    part = _part.get()
    return rows if part is None else part.total


def has_workers(strategy: tf.distribute.Strategy) -> bool:
    """Returns `True` if a strategy has several processes."""
    workers = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    return workers and strategy.extended._in_multi_worker_mode()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Returns `True` if this process writes files: the only process, or the chief."""
    if not has_workers(strategy):
        return True
    resolver = strategy.cluster_resolver
    chief = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
    return (resolver.task_type, resolver.task_id) == (chief, 0)


def wait_for_all(strategy: tf.distribute.Strategy):
    """Waits until every process has called this function."""
    if has_workers(strategy):
        strategy.reduce(tf.distribute.ReduceOp.SUM, tf.constant(1.0), axis=None)


def run_if(condition: tf.Tensor, then: Callable[[], None], otherwise: Callable[[], None]):
    """Runs one of two functions that update variables.

    The condition is the same on all replicas.
    """
    no_merge = tf.__internal__.distribute.strategy_supports_no_merge_call
    if not several() or no_merge():
        tf.cond(condition, then, otherwise)
        return

    # A MirroredStrategy allows no update within a condition on a replica, so the condition is
    # around the replicas, as in Keras' LossScaleOptimizer.
    def across(strategy, condition, then, otherwise):
        def on_each(function):
            return lambda: strategy.extended.call_for_each_replica(_call, args=(function,))

        first = strategy.experimental_local_results(condition)[0]
        tf.cond(first, on_each(then), on_each(otherwise))

    tf.distribute.get_replica_context().merge_call(across, args=(condition, then, otherwise))


def outside_scope(function: Callable, *arguments):
    """Calls a function as if no strategy's scope were around it.

    A scope belongs to a thread, and TensorFlow offers no other way out of it.
    """
    if not tf.distribute.has_strategy():
        return function(*arguments)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *arguments).result()


def _call(function: Callable[[], None]):
    function()


def _of_each(x: tf.Tensor) -> tf.Tensor:
    """Returns what every replica has of a float tensor, (replicas, *shape)."""
    count = tf.distribute.get_replica_context().num_replicas_in_sync
    row = tf.one_hot(index(), count, on_value=True, off_value=False)
    row = tf.reshape(row, [count] + [1] * len(x.shape))
    return all_sum(tf.where(row, x[None], tf.zeros_like(x)[None]))


def _sum_of_terms(own: tf.Tensor) -> tf.Tensor:
    @tf.custom_gradient
    def summed(own):
        return all_sum(own), lambda upstream: upstream

    return summed(own)


def _placed(x: tf.Tensor, part: _Part) -> tf.Tensor:
    """Rows of this replica at their place among those of all, which are 0."""
    after = part.total - part.start - part.size
    padding = [[part.start, after]] + [[0, 0]] * (len(x.shape) - 1)
    placed = tf.pad(x, padding)
    return tf.ensure_shape(placed, (None, *x.shape[1:]))


def _own(x: tf.Tensor, part: _Part, axis: int = 0) -> tf.Tensor:
    rows = slice(part.start, part.start + part.size)
    return x[(slice(None),) * axis + (rows,)]
