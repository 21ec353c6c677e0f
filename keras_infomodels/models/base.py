"""What `fit` needs of a model whose loss is a ledger of named terms."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels import hooks, html, seeds
from keras_infomodels.datasets.batches import is_array, is_repeatable, order_of_epoch_0
from keras_infomodels.datasets.checks import Pixels, check_images, check_labels
from keras_infomodels.distributions import Code
from keras_infomodels.divergences.kernels import SMALL_BATCH, batches_of
from keras_infomodels.models.audits import EncoderParts, GeneratorParts
from keras_infomodels.models.cards import FOR, GENERATE, CardWords
from keras_infomodels.models.compiled import Compiled
from keras_infomodels.models.costs import Ask, Cost
from keras_infomodels.models.old_arguments import renew, revive
from keras_infomodels.models.pictures import samples
from keras_infomodels.models.tables import Short
from keras_infomodels.networks.portable import portable
from keras_infomodels.pictures import Grid, Scatter
from keras_infomodels.preset_files import KERAS_FORMAT
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
from keras_infomodels.training.own_callbacks import with_own_callbacks
from keras_infomodels.training.players import Player, build_optimizers, second_optimizer
from keras_infomodels.training.rates import FollowLearningRate
from keras_infomodels.training.read_out import reader_among
from keras_infomodels.training.step import log_terms, take_turn, unpack
from keras_infomodels.training.term_means import TermMeans

tfd = tfp.distributions

__all__ = ["LedgerModel"]


class LedgerModel(keras.Model):
    """A Keras model with a ledger: named terms that `fit` shows and that its players lower.

    A subclass has an integer `seed` and a `data_shape`, and defines `players`, `ledger_names`,
    `terms` and `pixels`; one whose `call` takes no data, `call_shape`, `check_inputs` and
    `predict_step` too.

    Attributes:
        extremes: those of the batches since the last call of `fit`, `evaluate` or `predict`.
        smallest_batch: examples below which a term of the loss has no value.
        of_labeled: names of terms that are means over the batch's labeled examples alone.
        presets: names of the presets that `from_preset` of the class takes, as `list_presets`.
        picture_kinds: kind -> function of the model and more to a `Grid` or `Scatter`.
        card_figures: groups of figures that `zoo.figures` adds to the terms of `evaluate`:
            "latents", "samples", "accuracy", "most_confident_error".
        loss_unit: unit of the metric "loss".
        units: dict. Unit of each term that is not in nats per example, by the term's name.
        needs_labels: whether `fit` takes nothing but pairs of images and labels.
        short_settings: short names of settings, such as those of the command's flags.
        title: what a card calls the class; one without takes the class's name.
        citation: the paper, for a card; empty for none. A subclass inherits it.
        training_defaults: the `[training]` table of a recipe, where it is not the usual one.
    """

    of_labeled = ("classification", "accuracy")
    smallest_batch = 1
    presets = hooks.ClassPresets()
    picture_kinds: Mapping[str, Callable] = {"samples": samples}
    card_figures: tuple[str, ...] = ("samples",)
    loss_unit = "weighted sum"
    units: Mapping[str, str] = {}
    needs_labels = False
    short_settings: tuple[str, ...] = ()
    training_defaults: Mapping = {}
    citation = ""
    usual_moves = "adversarial"
    unpack = staticmethod(unpack)
    log = log_terms

    @classmethod
    def shorten(cls, table: dict, short: Short) -> Short:
        """Puts values of short names into the `[model]` table of a recipe; returns the others."""
        return short

    @classmethod
    def complete(cls, table: Mapping, image_shape: tuple[int, ...]) -> dict:
        """The `[model]` table of a recipe with the networks that it leaves out."""
        return dict(table)

    @staticmethod
    def card_words(config: Mapping) -> CardWords:
        """What a card says of a model with this config, beside its figures."""
        return CardWords("", GENERATE, FOR)

    def ledger_protocol(self, metrics: Mapping[str, float]) -> str:
        """What the metrics of `evaluate` are, in words for a card."""
        return ""

    def players(self) -> list[Player]:
        """Who moves in a step; the first uses Keras' own `optimizer`."""
        raise NotImplementedError

    def ledger_names(self) -> list[str]:
        """The terms that become metrics, "loss" first."""
        raise NotImplementedError

    def terms(
        self, x: tf.Tensor, labels: tf.Tensor | None, seed: tf.Tensor, training: bool
    ) -> dict[str, tf.Tensor]:
        """The scalars of one batch, by name; all randomness comes from `seed`, int32 (2,)."""
        raise NotImplementedError

    def check_data(self, data) -> tf.Tensor | None:
        """Raises ValueError for images that the model cannot take.

        Returns:
            Some of the images, see `check_images`; None for a generator, which is not read.
        """
        return check_images(data, self.data_shape, self.pixels)

    @property
    def call_shape(self) -> tuple[int, ...]:
        """Of one example of what the model is called with."""
        return self.data_shape

    def check_array(self, x):
        """Raises ValueError for an array or tensor of images that the model cannot take.

        Other data pass: of a dataset even one look takes a batch, which `predict` would miss.
        Their batches are checked within the graph.
        """
        if is_array(x) and len(x):
            check_images(x, self.data_shape, self.pixels)

    def check_inputs(self, x):
        """Raises ValueError for an array or tensor that the model cannot be called with."""
        self.check_array(x)

    # What evaluation, plots, export and zoo ask of every model

    @property
    def pixels(self) -> Pixels:
        """What the pixels of the model's data may be."""
        return Pixels()

    @property
    def pixel_range(self) -> tuple[int, int] | None:
        """(0, 1), or None where the model's data may be any number."""
        return None if self.pixels.support == "real" else (0, 1)

    @property
    def label_classes(self) -> int | None:
        """Number of classes of the labels that `fit` takes; None where it uses none."""
        return None

    @property
    def codes(self) -> Mapping[str, Code]:
        """Codes that the model generates from, by name."""
        return {}

    def ceilings(self, examples: int) -> dict[str, float]:
        """Largest value of each information metric in nats; `examples` are those evaluated."""
        return {}

    @property
    def category(self) -> str | None:
        """Name of the category that the model infers from images, the first of several."""
        return None

    def category_logits(self, images: np.ndarray) -> np.ndarray:
        """Logits of the inferred category, float64 (n, K), of images as `fit` takes them."""
        if self.category is None:
            raise ValueError(
                f"This {type(self).__name__} infers no category; take one with a categorical code "
                "or prior."
            )
        parts = np.split(images, range(500, len(images), 500))
        found = [self._category_posterior(part).logits.numpy() for part in parts]
        return np.concatenate(found).astype(np.float64)

    def _category_posterior(self, x: np.ndarray) -> tfd.OneHotCategorical:
        """Distribution of `category` given images x."""
        raise NotImplementedError

    def _repr_html_(self) -> str:
        rows = [
            (layer.name, type(layer).__name__, f"{layer.count_params():,}" if layer.built else "-")
            for layer in self.layers
        ]
        terms = f"loss terms: {', '.join(self.ledger_names())}"
        title = f"{type(self).__name__} of data {self.data_shape}"
        return html.table(("network", "class", "parameters"), rows, title, terms)

    def picture(self, kind: str, *args, **kwargs) -> Grid | Scatter:
        """One picture of the model as arrays, of a kind in `picture_kinds`."""
        if kind not in self.picture_kinds:
            kinds = ", ".join(self.picture_kinds)
            raise ValueError(f"{type(self).__name__} has the pictures {kinds}; got {kind!r}.")
        return self.picture_kinds[kind](self, *args, **kwargs)

    def pictures(
        self, images: np.ndarray, labels: np.ndarray | None = None
    ) -> dict[str, Grid | Scatter]:
        """All that there is to see of the model as arrays, by name; see `plots.model_pictures`."""
        return {"samples": self.picture("samples")}

    def audit_parts(
        self, data, limit: int, batch_size: int, seed: int
    ) -> EncoderParts | GeneratorParts:
        """What `evaluation.audit` measures; the arguments are its own.

        Raises:
            ValueError: the model has no latent variables to audit, or needs data.
        """
        raise ValueError(
            f"This {type(self).__name__} has no latent variables, so there is no information to "
            "audit; read its metrics by evaluate, or audit an autoencoder or an InfoGAN."
        )

    def quantization_costs(self, own: Ask, file: Ask, images: np.ndarray) -> list[Cost]:
        """What an exported file costs in the model's own terms.

        Args:
            own: function (name, arrays) -> arrays. Signatures of the Keras model.
            file: function (name, arrays) -> arrays. Signatures of the exported file.
            images: float32, as `fit` takes them.
        """
        return []

    def calibration_images(self, images: np.ndarray) -> np.ndarray:
        """Images whose activations set the ranges of int8, from images of the training data."""
        return images

    def traced(self, function: Callable, *arguments):
        """What a function of tensors, such as a method, returns, by way of a traced graph."""
        functions = vars(self).setdefault("_inference", Compiled())
        return functions(self, function, self.inference_parts(), *arguments)

    def inference_parts(self) -> tuple:
        """What methods that `traced` calls read: they are traced anew where one is exchanged."""
        return tuple(network for player in self.players() for network in player.networks)

    @staticmethod
    def drawing_seed(seed: int | None) -> tf.Tensor:
        """int32 (2,) of a draw that an integer repeats and None does not."""
        return seeds.fold_seed(seeds.fresh_seed() if seed is None else seed)

    @classmethod
    def from_images(cls, images, **settings) -> "LedgerModel":
        """A new model with default networks for such images.

        Small grey images have the networks of MNIST's presets, others residual or deeper
        convolutional ones and a likelihood for color: what `infomodels train` takes.

        Args:
            images: array (n, height, width, channels), or a dataset of images. Only their shape is
                looked at.
            **settings: arguments of the constructor other than networks, or short names such as
                `latent_dim`, `network` ("mlp", "conv", "residual") and `widths`.

        Raises:
            ValueError: a setting that the model does not have, or images of another rank.

        Example:
            model = ki.MMDVAE.from_images(x_train, latent_dim=16)
        """
        spec = getattr(images, "element_spec", None)
        shape = np.shape(images) if spec is None else keras.tree.flatten(spec)[0].shape
        if len(shape) != 4 or None in shape[1:]:
            raise ValueError(
                "images are (n, height, width, channels), an array or a dataset of one size; got "
                f"the shape {tuple(shape)}."
            )
        return hooks.zoo().build_for_images(cls, tuple(shape[1:]), settings)

    @classmethod
    def from_preset(
        cls,
        name_or_dir: str | Path,
        load_weights: bool = True,
        dtype=None,
        custom_objects: Mapping[str, type] | None = None,
    ) -> "LedgerModel":
        """`presets.from_preset`, refusing a model of another class."""
        presets = hooks.presets()
        model = presets.from_preset(name_or_dir, load_weights, dtype, custom_objects)
        if not isinstance(model, cls):
            raise ValueError(
                f"{name_or_dir} is a {type(model).__name__}, not a {cls.__name__}; use "
                f"{type(model).__name__}.from_preset or keras_infomodels.from_preset."
            )
        return model

    def save_to_preset(self, folder: str | Path, **metadata) -> Path:
        """`presets.save_to_preset`."""
        return hooks.presets().save_to_preset(self, folder, **metadata)

    @classmethod
    def from_config(cls, config: dict, custom_objects=None) -> "LedgerModel":
        return cls(**cls.renew_config(revive(config, custom_objects)))

    def get_build_config(self) -> dict:
        # Keras writes it beside the config, and reads it for models alone that are not built.
        return {"format": KERAS_FORMAT}

    @classmethod
    def renew_config(cls, config: Mapping) -> dict:
        """A config with the arguments of version 0.1 as those of today."""
        return renew(config, cls.usual_moves)

    def compile(self, optimizer="adam", discriminator_optimizer=None, **kwargs):
        """As `keras.Model.compile`, without `loss` and `metrics`: both are the ledger.

        Args:
            optimizer: of the encoder and the decoder, or of the generator.
            discriminator_optimizer: of the discriminator, where there is one; None is Adam with a
                learning rate of 1e-3 and beta_1 of 0.5. Callbacks that change the learning rate
                of `optimizer`, such as `ReduceLROnPlateau`, change this one's by the same factor.
            **kwargs: those of `keras.Model.compile`.
        """
        check_compile(self, kwargs)
        self._execution = Execution(kwargs.get("steps_per_execution"))
        super().compile(optimizer=optimizer, **kwargs)
        check_optimizer(self.optimizer)
        if len(self.players()) > 1:
            self.discriminator_optimizer = second_optimizer(self, discriminator_optimizer)
            self._follow_rate = FollowLearningRate(self.optimizer, self.discriminator_optimizer)
        elif discriminator_optimizer is not None:
            raise ValueError(
                f"This {type(self).__name__} has no discriminator to optimize; leave "
                "discriminator_optimizer out."
            )
        self.checked_data = Checked()
        self.extremes = Extremes(self.pixels, self.label_classes)
        self._term_means = TermMeans(self.ledger_names())
        build_optimizers(self)

    def get_compile_config(self) -> dict | None:
        config = super().get_compile_config()
        if config and len(self.players()) > 1:
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
        """As `keras.Model.fit`; x is an array or dataset of images, or of images and labels.

        A dataset of `keras_infomodels.datasets` has the order of (its seed, the epoch), so that
        a call of `fit` for every epoch passes `initial_epoch`, or sees one order again and again.
        One seed gives the same bits again on the same machine; XLA draws other noise of it.
        Weights of examples or classes are refused.

        `information_freq` is the number of epochs from one reading of the validation's information,
        such as `val_mutual_information`, to the next; 0 reads none. Before the last epoch an
        autoencoder's is read from what validation has encoded, at 1,000 of its samples.
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
        if self._execution.given is None and not self.run_eagerly:
            self.steps_per_execution = steps_together(x, batch_size, each, **kwargs)
        kwargs |= {"callbacks": callbacks, "validation_data": validation_data}
        try:
            with sums_kept(), batches_of(largest):
                return super().fit(x, y, batch_size, *args, **kwargs)
        finally:
            self.steps_per_execution = self._execution.given or 1
            self._execution.begin()

    def make_train_function(self, force=False):
        def make():
            super(LedgerModel, self).make_train_function(force=True)
            return self.train_function

        force = force or self.train_function is None
        self.train_function = self._execution.function(self, make, force)

    def train_step(self, data):
        x, labels = self.unpack(data)
        seen = self.extremes.see(x, labels)
        seed = seeds.fold_seed(self.seed, seeds.TRAIN, self.optimizer.iterations)
        terms = take_turn(self, self.players(), self.terms, x, labels, seed, (seen,))
        return self.log(terms, x, labels)

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
        """As `keras.Model.evaluate`, with `read_out` among the results.

        It is left out for a Python generator, which can be read only once. A dataset of
        `keras_infomodels.datasets` is read in the order of its epoch 0, so that results repeat.
        """
        within_fit = isinstance(callbacks, keras.callbacks.CallbackList)
        show = callbacks.params.get("verbose", 1) if within_fit else verbose
        if not within_fit:
            check_no_weights(sample_weight=sample_weight)
            self.check_labels(y)
            self.check_data(x)
        read = partial(self.read_out, x, batch_size, steps, bool(show))
        reader = reader_among(callbacks, read if is_repeatable(x) else dict)
        reader.glance = partial(self.read_validation, bool(show)) if is_repeatable(x) else dict
        self.begin_validation()
        with order_of_epoch_0(x), nullcontext() if within_fit else self._watching():
            logs = super().evaluate(
                x, y, batch_size, verbose, sample_weight, steps, callbacks, True, **kwargs
            )
        logs |= reader.result()
        return logs if return_dict else list(logs.values())

    def predict(self, x, *args, **kwargs):
        """As `keras.Model.predict`: what the model returns when it is called."""
        self.check_inputs(x)
        with self._watching():
            # One batch without a bar needs no pipeline, which takes longer than the call.
            quiet = not args and kwargs == {"verbose": 0}
            if quiet and isinstance(x, np.ndarray) and 0 < len(x) <= 32:
                return super().predict_on_batch(x)
            return super().predict(x, *args, **kwargs)

    def predict_on_batch(self, x):
        self.check_inputs(x)
        return super().predict_on_batch(x)

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, **kwargs):
        check_batch(self, x, y, sample_weight=sample_weight, class_weight=class_weight)
        return super().train_on_batch(x, y, **kwargs)

    def test_on_batch(self, x, y=None, sample_weight=None, **kwargs):
        check_batch(self, x, y, sample_weight=sample_weight)
        return super().test_on_batch(x, y, **kwargs)

    def check_labels(self, labels):
        """Raises ValueError for an array of labels that the model uses and that are no classes."""
        if self.label_classes is not None and labels is not None and is_array(labels):
            check_labels(labels, self.label_classes)

    def _watching(self):
        if not hasattr(self, "extremes"):  # not compiled
            self.extremes = Extremes(self.pixels, self.label_classes)
        return self.extremes.watching()

    def export(
        self, filepath, format="tf_saved_model", verbose=None, input_signature=None, **kwargs
    ):
        """As `keras.Model.export`: what the model returns when it is called, and no more.

        `keras_infomodels.export` writes every signature of the model, its pixels' range and how
        far the file is from the model.
        """
        if input_signature is None:
            input_signature = [tf.TensorSpec((None, *self.call_shape), tf.float32)]
        with portable(self):
            super().export(filepath, format, verbose, input_signature, **kwargs)

    def read_out(self, x, batch_size: int | None, steps: int | None, show: bool) -> dict:
        """Figures of the data as a whole, by name; `show` allows a printed line."""
        return {}

    def begin_validation(self):
        """Forgets what an earlier evaluation has kept for `read_validation`."""

    def read_validation(self, show: bool) -> dict | None:
        """`read_out` from what the last evaluation has kept, or None where it kept nothing."""
        return None

    def test_step(self, data):
        x, labels = self.unpack(data)
        seen = self.extremes.see(x, labels)
        # The count starts at 0 in every evaluation, so that evaluating twice gives the same.
        seed = seeds.fold_seed(self.seed, seeds.TEST, self._term_means.count("loss"))
        terms = self.terms(x, labels, seed, training=False)
        return self.log({name: value + seen for name, value in terms.items()}, x, labels)

    def predict_step(self, data):
        x, _ = self.unpack(data)
        self.extremes.see(x, None)
        return self(x, training=False)
