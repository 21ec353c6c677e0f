"""Base class of the models: `fit`, `evaluate` and `predict` of a loss with named terms."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from keras_infomodels import hooks, html, replicas, seeds
from keras_infomodels.datasets.batches import is_array, is_repeatable, order_of_epoch_0
from keras_infomodels.datasets.checks import check_images, check_labels
from keras_infomodels.divergences.kernels import SMALL_BATCH, batches_of
from keras_infomodels.models.compiled import Compiled
from keras_infomodels.models.description import ModelDescription
from keras_infomodels.models.making import from_images, from_preset, save_to_preset
from keras_infomodels.models.old_arguments import OLD_METHODS, renew, renew_methods, revive
from keras_infomodels.networks.portable import portable
from keras_infomodels.preset_files import KERAS_FORMAT
from keras_infomodels.renames import warn_of
from keras_infomodels.tf_data import without_tuning
from keras_infomodels.training.checks import (
    Checked,
    check_batch,
    check_compile,
    check_data,
    check_no_weights,
    check_optimizer,
)
from keras_infomodels.training.execution import (
    Execution,
    looks_at_batches,
    steps_together,
)
from keras_infomodels.training.extremes import Extremes
from keras_infomodels.training.gradients import sums_kept
from keras_infomodels.training.groups import OptimizerGroup, build_optimizers, second_optimizer
from keras_infomodels.training.information_reader import reader_among
from keras_infomodels.training.own_callbacks import with_own_callbacks
from keras_infomodels.training.rates import FollowLearningRate
from keras_infomodels.training.step import log_terms, unpack, update_groups
from keras_infomodels.training.strategies import (
    check_one_replica,
    check_scope,
    distributed,
    for_replicas,
)
from keras_infomodels.training.term_means import TermMeans

__all__ = ["InfoModel"]


class InfoModel(ModelDescription, keras.Model):
    """Base class of the models: a Keras model whose loss is a sum of named terms.

    `fit` shows every term as a metric. A subclass sets two attributes: an integer `seed`, and
    `data_shape`, the shape of one example. It defines the methods `optimizer_groups`, `term_names`
    and `terms`, and `pixels` if pixels are restricted. A subclass whose `call` takes something else
    than data, such as a generator's latents, also overrides `call_shape`, `check_inputs` and
    `predict_step`. Evaluation, plots, export and the zoo use the methods of `ModelDescription`,
    which a subclass may override.

    Attributes:
        extremes: `Extremes`. Largest and smallest values in the batches since the last call of
            `fit`, `evaluate` or `predict`.
        smallest_batch: int. Smallest batch for which every loss term has a value.
        of_labeled: tuple of str. Names of the terms that are means over labeled examples only.
        presets: dict from str to str. Name and description of the presets of this class.
        picture_kinds: dict from str to function. Functions that take the model and return a
            picture, a `Grid` or `Scatter`.
        card_figures: tuple of str. Groups of figures on the card of a preset, beside the terms of
            `evaluate`: "latents", "samples", "accuracy", "most_confident_error".
        loss_unit: str. Unit of the metric "loss".
        units: dict. Unit of each term that is not in nats per example, by the term's name.
        needs_labels: bool. `True` if `fit` requires pairs of images and labels.
        short_settings: tuple of str. Short names of settings, such as flags of the command.
        default_augmentations: str. Augmentations of `Consistency` in a recipe that names none.
        title: str. Name of the class on a card. A class without one uses the class's name.
        citation: str. The paper, for a card; empty for none. A subclass inherits it.
        training_defaults: dict. Default settings of the `[training]` table of a recipe that differ
            from those of other models.

    Example:
        class Autoencoder(ki.models.InfoModel):
            def __init__(self, network, seed=0):
                super().__init__()
                self.network, self.seed, self.data_shape = network, seed, (8, 8, 1)
                self.built = True

            def optimizer_groups(self):
                return [ki.training.OptimizerGroup("optimizer", "loss", (self.network,))]

            def term_names(self):
                return ["loss"]

            def terms(self, x, labels, seed, training):
                return {"loss": tf.reduce_mean((self.network(x, training=training) - x) ** 2)}

            def call(self, x, training=False):
                return self.network(x, training=training)

        network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Dense(1)])
        model = Autoencoder(network)
        model.compile("adam")
        model.fit(np.zeros((8, 8, 8, 1), "float32"), verbose=0)
    """

    presets = hooks.ClassPresets()
    unpack = staticmethod(unpack)
    log = log_terms
    from_images = classmethod(from_images)
    from_preset = classmethod(from_preset)
    save_to_preset = save_to_preset

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        renew_methods(cls)

    def __getattr__(self, name: str):
        # Python calls this only for names that it does not find.
        new = OLD_METHODS.get(name)
        if new is None or not hasattr(type(self), new):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        warn_of(name, type(self).__name__, new)
        return getattr(self, new)

    def optimizer_groups(self) -> list[OptimizerGroup]:
        """Returns the groups of networks; each group is trained by its own optimizer.

        The first group uses the `optimizer` that `compile` sets.
        """
        raise NotImplementedError

    def term_names(self) -> list[str]:
        """Returns the names of the loss terms that `fit` shows as metrics, "loss" first."""
        raise NotImplementedError

    def terms(
        self, x: tf.Tensor, labels: tf.Tensor | None, seed: tf.Tensor, training: bool
    ) -> dict[str, tf.Tensor]:
        """Computes the loss terms of one batch.

        Args:
            x: float32 tensor (batch, *data_shape). Images.
            labels: int tensor (batch,), -1 for unlabeled examples. `None` if `fit` got no labels.
            seed: int32 tensor (2,). All randomness of the step is derived from it.
            training: bool. `True` in training and `False` in evaluation.

        Returns:
            dict of scalars by name: all of `term_names` and the loss of each optimizer group.
        """
        raise NotImplementedError

    def check_data(self, data) -> tf.Tensor | None:
        """Checks the images of an array or of the first batch of a dataset.

        Args:
            data: array, tensor, dataset or generator. A generator is not read.

        Returns:
            Up to 32 images of an array, or the first batch of a dataset. None for a generator.

        Raises:
            ValueError: If the images have another shape, or pixels that the model does not allow.
        """
        return check_images(data, self.data_shape, self.pixels)

    @property
    def call_shape(self) -> tuple[int, ...]:
        """Shape of one example of the input of `call`, without the batch dimension."""
        return self.data_shape

    def check_array(self, x):
        """Raises ValueError for an array or tensor of images that the model cannot take.

        Datasets are not checked here, because reading a batch would consume it. Their batches are
        checked within the graph.

        Args:
            x: array or tensor (n, *data_shape). Images.
        """
        if is_array(x) and len(x):
            check_images(x, self.data_shape, self.pixels)

    def check_inputs(self, x):
        """Raises ValueError for an array or tensor that the model cannot take as its input.

        Args:
            x: array or tensor (n, *call_shape). Input of `call`.
        """
        self.check_array(x)

    def __repr__(self) -> str:
        sizes = [f"{name} ({size} parameters)" for _, name, size in self._networks() if size != "0"]
        return f"<{type(self).__name__} name={self.name}: {', '.join(sizes)}>"

    def _repr_html_(self) -> str:
        terms = f"loss terms: {', '.join(self.term_names())}"
        title = f"{type(self).__name__} of data {self.data_shape}"
        return html.table(("network", "class", "parameters"), self._networks(), title, terms)

    def _networks(self) -> list[tuple[str, str, str]]:
        """Returns name, class and number of parameters of each layer."""
        return [
            (layer.name, type(layer).__name__, f"{layer.count_params():,}" if layer.built else "-")
            for layer in self.layers
        ]

    def traced(self, function: Callable, *arguments):
        """Calls a function of tensors as a graph, and returns its result.

        The function is traced as a `tf.function` in the first call, and later calls use the same
        graph.

        Args:
            function: function of tensors, such as a method of the model.
            *arguments: tensors. Arguments of the function.
        """
        functions = vars(self).setdefault("_inference", Compiled())
        return functions(self, function, self.inference_parts(), *arguments)

    def inference_parts(self) -> tuple:
        """Returns the objects that traced methods use, such as the networks.

        If one of these objects is replaced by another one, the methods are traced again; see
        `traced`.
        """
        return tuple(network for group in self.optimizer_groups() for network in group.networks)

    @staticmethod
    def drawing_seed(seed: int | None) -> tf.Tensor:
        """Converts a seed to an int32 tensor (2,) for stateless random functions.

        An integer always gives the same tensor; `None` gives a random one.

        Args:
            seed: int or None. Seed to convert.
        """
        return seeds.fold_seed(seeds.fresh_seed() if seed is None else seed)

    @classmethod
    def from_config(cls, config: dict, custom_objects=None) -> "InfoModel":
        return cls(**cls.renew_config(revive(config, custom_objects)))

    def get_build_config(self) -> dict:
        # Keras writes it beside the config, and reads it only for models that are not built.
        return {"format": KERAS_FORMAT}

    @classmethod
    def renew_config(cls, config: Mapping) -> dict:
        """Returns a config in which arguments of version 0.1 are replaced by current ones.

        Args:
            config: dict. Result of `get_config`, of this or an earlier version.
        """
        return renew(config, cls.default_augmentations)

    def compile(self, optimizer="adam", discriminator_optimizer=None, **kwargs):
        """Configures training, like `keras.Model.compile` without `loss` and `metrics`.

        The model computes its own loss and metrics.

        Args:
            optimizer: str or Keras optimizer. Trains the encoder and the decoder, or the generator.
            discriminator_optimizer: str or Keras optimizer. Trains the discriminator and, in an
                InfoGAN, the recognition network. `None` is Adam with a learning rate of 1e-3 and
                beta_1 of 0.5. A callback that changes the learning rate of `optimizer`, such as
                `ReduceLROnPlateau`, changes that of this optimizer by the same factor.
            **kwargs: arguments of `keras.Model.compile`.

        Raises:
            ValueError: If `loss` or `metrics` is given, `jit_compile=True` for a model that XLA
                cannot compile, or `discriminator_optimizer` for a model without a discriminator.

        Example:
            model = ki.from_preset("infogan_mnist")
            model.compile(keras.optimizers.Adam(1e-4), keras.optimizers.Adam(2e-4))
        """
        check_compile(self, kwargs)
        kwargs = for_replicas(self, kwargs)
        chosen = kwargs.get("steps_per_execution") if self.replicas == 1 else None
        self._execution = Execution(chosen)
        with self._scope():
            super().compile(optimizer=optimizer, **kwargs)
            check_optimizer(self.optimizer)
            if len(self.optimizer_groups()) > 1:
                self.discriminator_optimizer = second_optimizer(self, discriminator_optimizer)
                self._follow_rate = FollowLearningRate(self.optimizer, self.discriminator_optimizer)
            elif discriminator_optimizer is not None:
                raise ValueError(
                    f"This {type(self).__name__} has no discriminator to optimize; leave "
                    "discriminator_optimizer out."
                )
            self.checked_data = Checked()
            self.extremes = Extremes(self.pixels, self.label_classes)
            self._term_means = TermMeans(self.term_names())
            check_scope(self)
            build_optimizers(self)

    def get_compile_config(self) -> dict | None:
        config = super().get_compile_config()
        if config and len(self.optimizer_groups()) > 1:
            serialize = keras.saving.serialize_keras_object
            config["discriminator_optimizer"] = serialize(self.discriminator_optimizer)
        if config and self._execution.given is None:
            config.pop("steps_per_execution", None)  # `fit` chooses
        return config

    def compile_from_config(self, config: dict):
        self.compile(**keras.saving.deserialize_keras_object(config))

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self._term_means.metrics) if hasattr(self, "_term_means") else []

    @without_tuning()
    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        *args,
        callbacks=None,
        validation_data=None,
        class_weight=None,
        sample_weight=None,
        information_freq=1,
        **kwargs,
    ):
        """Trains the model, like `keras.Model.fit`, on images or on pairs of images and labels.

        A dataset of `keras_infomodels.datasets` shuffles by its seed and the number of the epoch.
        If you call `fit` once per epoch, pass `initial_epoch`; otherwise every call uses the order
        of epoch 0. On one machine, the same seed gives bit-identical results. With XLA the same
        seed gives other random numbers than without it.

        Args:
            x: array, dataset or generator of images (batch, height, width, channels), or dataset of
                pairs (images, labels).
            y: int array (n,). Labels, -1 for unlabeled. `None` if there are none.
            batch_size: int. Batch size for arrays. `None` is 32.
            *args: further positional arguments of `keras.Model.fit`.
            callbacks: list of Keras callbacks. `None` adds none to the library's own.
            validation_data: images, or a pair or dataset of images and labels. `None` skips
                validation.
            class_weight: not supported.
            sample_weight: not supported.
            information_freq: int. Number of epochs between two measurements of the information of
                validation data, such as `val_mutual_information`. 0 measures none. Before the last
                epoch, autoencoders measure it from 1,000 samples of z only.
            **kwargs: keyword arguments of `keras.Model.fit`.

        Returns:
            Keras `History`, with a list of values for each metric.

        Raises:
            ValueError: If pixels or labels are not allowed by the model, or `class_weight` or
                `sample_weight` is given.
            FloatingPointError: If a loss term becomes NaN or infinite. The model then holds the
                last finite weights.

        Example:
            model = ki.from_preset("mmd_vae_2d_mnist")
            model.compile("adam")
            images = np.random.default_rng(0).uniform(size=(64, 28, 28, 1)).astype("float32")
            model.fit(images, batch_size=32, verbose=0)
        """
        check_no_weights(sample_weight=sample_weight, class_weight=class_weight)
        self._assert_compile_called("fit")
        largest = check_data(self, x, y, batch_size, validation_data)
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            verbose = args[1] if len(args) > 1 else kwargs.get("verbose", "auto")
            callbacks = with_own_callbacks(self, x, callbacks, verbose, information_freq)
        if isinstance(x, tf.data.Dataset):
            kwargs.setdefault("shuffle", False)  # Keras warns that it ignores True
        each = callbacks if isinstance(callbacks, list) else callbacks.callbacks
        self._execution.begin(
            watched=self.run_eagerly or any(map(looks_at_batches, each)),
            large=largest is None or largest > SMALL_BATCH,
        )
        if self._execution.given is None and not (self.run_eagerly or self.replicas > 1):
            self.steps_per_execution = steps_together(x, batch_size, each, **kwargs)
        validation_data = distributed(self.distribute_strategy, validation_data, training=False)
        kwargs |= {"callbacks": callbacks, "validation_data": validation_data}
        x = distributed(self.distribute_strategy, x)
        try:
            with sums_kept(), batches_of(largest):
                return super().fit(x, y, batch_size, *args, **kwargs)
        finally:
            self.steps_per_execution = self._execution.given or 1
            self._execution.begin()

    def make_train_function(self, force=False):
        def make():
            super(InfoModel, self).make_train_function(force=True)
            return self.train_function

        force = force or self.train_function is None
        self.train_function = self._execution.function(self, make, force)

    def _make_function(self, step_function):
        if not replicas.has_workers(self.distribute_strategy):
            return super()._make_function(step_function)

        # Keras averages every log over the workers, which all have the same, and fails at scalars.
        def step(data):
            return {"loss": step_function(data)["loss"][None]}

        make_step = super()._make_function(step)

        def run(iterator):
            make_step(iterator)
            return self._term_means.results()

        return run

    def train_step(self, data):
        x, labels = self.unpack(data)
        seen = self.extremes.see(x, labels)
        seed = seeds.fold_seed(self.seed, seeds.TRAIN, self.optimizer.iterations)
        groups = self.optimizer_groups()
        with self.global_batch(x):
            terms = update_groups(self, groups, self.terms, x, labels, seed, (seen,))
            return self.log(terms, x, labels)

    @without_tuning()
    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        callbacks=None,
        return_dict=False,
        **kwargs,
    ):
        """Measures the loss terms and the information of data, like `keras.Model.evaluate`.

        The results hold the mean of each loss term, then the information in nats, such as
        `mutual_information`. The information is left out for a Python generator, which can be read
        only once. A dataset of `keras_infomodels.datasets` is always read in the order of epoch 0,
        so results repeat.

        Args:
            x: array, dataset or generator of images, or dataset of pairs (images, labels).
            y: int array (n,). Labels, -1 for unlabeled. `None` if there are none.
            batch_size: int. Batch size for arrays. `None` is 32.
            verbose: int or str. 0 shows no progress bar.
            sample_weight: not supported.
            steps: int. Largest number of batches. `None` reads all.
            callbacks: list of Keras callbacks. `None` means none.
            return_dict: bool. `True` returns a dict by name, `False` a list of values.
            **kwargs: further arguments of `keras.Model.evaluate`.

        Example:
            model = ki.from_preset("mmd_vae_2d_mnist")
            model.compile("adam")
            images = model.generate(64, seed=0).numpy()
            results = model.evaluate(images, return_dict=True, verbose=0)
            results["mutual_information"]  # a lower bound in nats, at most ln 64
        """
        within_fit = isinstance(callbacks, keras.callbacks.CallbackList)
        show = callbacks.params.get("verbose", 1) if within_fit else verbose
        if not within_fit:
            check_no_weights(sample_weight=sample_weight)
            self.check_labels(y)
            self.check_data(x)
        read = partial(self.evaluate_information, x, batch_size, steps, bool(show))
        reader = reader_among(callbacks, read if is_repeatable(x) else dict)
        reader.glance = (
            partial(self.validation_information, bool(show)) if is_repeatable(x) else dict
        )
        x = distributed(self.distribute_strategy, x, training=False)
        self.begin_validation()
        with order_of_epoch_0(x), nullcontext() if within_fit else self._watching():
            logs = super().evaluate(
                x, y, batch_size, verbose, sample_weight, steps, callbacks, True, **kwargs
            )
        logs |= reader.result()
        return logs if return_dict else list(logs.values())

    @without_tuning()
    def predict(self, x, *args, **kwargs):
        """Calls the model batch by batch, like `keras.Model.predict`, and returns an array.

        Args:
            x: array or dataset. Inputs of `call`.
            *args: further positional arguments of `keras.Model.predict`.
            **kwargs: keyword arguments of `keras.Model.predict`.
        """
        # For one batch without a progress bar the input pipeline costs more than the call.
        quiet = not args and kwargs == {"verbose": 0} and self.replicas == 1
        if quiet and isinstance(x, np.ndarray) and 0 < len(x) <= 32:
            return self.predict_on_batch(x)
        self.check_inputs(x)
        with self._watching():
            return super().predict(x, *args, **kwargs)

    def predict_on_batch(self, x):
        self.check_inputs(x)
        self._make_extremes()
        if self.replicas > 1:  # Keras' would give each replica all of x
            return super().predict(x, batch_size=len(x), verbose=0)
        return super().predict_on_batch(x)

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, **kwargs):
        check_batch(self, x, y, sample_weight=sample_weight, class_weight=class_weight)
        check_one_replica(self, "train_on_batch", "fit")
        return super().train_on_batch(x, y, **kwargs)

    def test_on_batch(self, x, y=None, sample_weight=None, **kwargs):
        check_batch(self, x, y, sample_weight=sample_weight)
        check_one_replica(self, "test_on_batch", "evaluate")
        return super().test_on_batch(x, y, **kwargs)

    def check_labels(self, labels):
        """Raises ValueError for labels that are not class indices, if the model uses labels.

        Args:
            labels: int array (n,), or None.
        """
        if self.label_classes is not None and labels is not None and is_array(labels):
            check_labels(labels, self.label_classes)

    def _watching(self):
        self._make_extremes()
        return self.extremes.watching()

    def _make_extremes(self):
        if not hasattr(self, "extremes"):  # not compiled
            with self._scope():
                self.extremes = Extremes(self.pixels, self.label_classes)

    @property
    def replicas(self) -> int:
        """Number of replicas that train the model, on all workers."""
        return self.distribute_strategy.num_replicas_in_sync

    @contextmanager
    def global_batch(self, x: tf.Tensor) -> Iterator[None]:
        """Context manager for a training step on several replicas.

        Args:
            x: tensor (rows, ...). This replica's part of the batch.
        """
        if self.replicas == 1:
            yield
            return
        # A replica may be a thread, which has none of `fit`'s contexts.
        largest = None if self._execution.large else SMALL_BATCH
        with batches_of(largest), replicas.global_batch(tf.shape(x)[0]):
            yield

    def _scope(self):
        own = self._distribute_strategy
        return nullcontext() if own is None else own.scope()

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Does nothing: models are built when they are made. Keras' takes a batch of the data."""

    def export(
        self, filepath, format="tf_saved_model", verbose=None, input_signature=None, **kwargs
    ):
        """Writes the model's `call` to a file, like `keras.Model.export`.

        The functions of `keras_infomodels.export` write more: further signatures, such as
        `generate`, the allowed pixel range, and the measured difference between the file and the
        model.

        Args:
            filepath: str or path. File or folder to write.
            format: str. Format that `keras.Model.export` knows.
            verbose: bool. `True` logs messages. `None` is Keras' default.
            input_signature: specification of the inputs. `None` takes them from the model.
            **kwargs: further arguments of `keras.Model.export`.
        """
        if input_signature is None:
            input_signature = [tf.TensorSpec((None, *self.call_shape), tf.float32)]
        with portable(self):
            super().export(filepath, format, verbose, input_signature, **kwargs)

    def evaluate_information(
        self, x, batch_size: int | None, steps: int | None, show: bool
    ) -> dict[str, float]:
        """Measures information that is computed from a whole data set, not as a mean over batches.

        Args:
            x: array, dataset or `PyDataset` of images.
            batch_size: int. Batch size for arrays. `None` is 32.
            steps: int. Largest number of batches. `None` reads all.
            show: bool. `True` allows log messages.

        Returns:
            dict from name to float, in nats.
        """
        return {}

    def begin_validation(self):
        """Discards data that an earlier evaluation stored for `validation_information`.

        `evaluate` calls it before each evaluation. A subclass that stores data overrides it.
        """

    def validation_information(self, show: bool) -> dict[str, float] | None:
        """Measures information in nats, by name, from data that the last evaluation stored.

        Args:
            show: bool. `True` allows log messages.

        Returns:
            dict from name to float; None if no data were stored.
        """
        return None

    def test_step(self, data):
        x, labels = self.unpack(data)
        seen = self.extremes.see(x, labels)
        # The count starts at 0 in every evaluation, so that evaluating twice gives the same.
        seed = seeds.fold_seed(self.seed, seeds.TEST, self._term_means.count("loss"))
        with self.global_batch(x):
            terms = self.terms(x, labels, seed, training=False)
            return self.log({name: value + seen for name, value in terms.items()}, x, labels)

    def predict_step(self, data):
        x, _ = self.unpack(data)
        self.extremes.see(x, None)
        return self(x, training=False)


def __getattr__(name: str):
    if name != "LedgerModel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warn_of(name, __name__, "InfoModel")
    return InfoModel
