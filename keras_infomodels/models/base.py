"""What `fit` needs of a model whose loss is a ledger of named terms."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_infomodels import hooks, seeds
from keras_infomodels.datasets.batches import (
    epoch_variable,
    is_array,
    is_repeatable,
    order_of_epoch_0,
)
from keras_infomodels.distributions import Code
from keras_infomodels.models.audits import EncoderParts, GeneratorParts
from keras_infomodels.models.costs import Ask, Cost
from keras_infomodels.models.old_arguments import renew
from keras_infomodels.models.pictures import samples
from keras_infomodels.models.tables import Short
from keras_infomodels.pictures import Grid, Scatter
from keras_infomodels.training.checks import check_callbacks, check_compile
from keras_infomodels.training.gradients import are_finite, gradient, sums_kept
from keras_infomodels.training.guards import StopOnNonFinite
from keras_infomodels.training.order import FollowEpoch
from keras_infomodels.training.players import Player, second_optimizer
from keras_infomodels.training.read_out import InformationReader, reader_among

tfd = tfp.distributions

__all__ = ["LedgerModel"]


class LedgerModel(keras.Model):
    """A Keras model with a ledger: named terms that `fit` shows and that its players lower.

    A subclass has an integer `seed` and a `data_shape`, and defines `players`, `ledger_names`,
    `terms` and `check_data`; one whose `call` takes no data, `call_shape` and `check_inputs` too.

    Attributes:
        of_labeled: names of terms that are means over the batch's labeled examples alone.
        presets: names of the presets that `from_preset` of the class takes, as `list_presets`.
        picture_kinds: kind -> function of the model and more to a `Grid` or `Scatter`.
        card_figures: groups of figures that `zoo.figures` adds to the terms of `evaluate`:
            "latents", "samples", "accuracy", "most_confident_error".
        loss_unit: unit of the metric "loss".
        units: dict. Unit of each term that is not in nats per example, by the term's name.
        needs_labels: whether `fit` takes nothing but pairs of images and labels.
        short_settings: short names of settings, such as those of the command's flags.
        training_defaults: the `[training]` table of a recipe, where it is not the usual one.
    """

    of_labeled = ("classification", "accuracy")
    presets = hooks.ClassPresets()
    picture_kinds: Mapping[str, Callable] = {"samples": samples}
    card_figures: tuple[str, ...] = ("samples",)
    loss_unit = "weighted sum"
    units: Mapping[str, str] = {}
    needs_labels = False
    short_settings: tuple[str, ...] = ()
    training_defaults: Mapping = {}
    usual_moves = "adversarial"

    @classmethod
    def shorten(cls, table: dict, short: Short) -> Short:
        """Puts values of short names into the `[model]` table of a recipe; returns the others."""
        return short

    @classmethod
    def complete(cls, table: Mapping, image_shape: tuple[int, ...]) -> dict:
        """The `[model]` table of a recipe with the networks that it leaves out."""
        return dict(table)

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

    def check_data(self, data):
        """Raises ValueError for images that the model cannot take."""
        raise NotImplementedError

    @property
    def call_shape(self) -> tuple[int, ...]:
        """Of one example of what the model is called with."""
        return self.data_shape

    def check_array(self, x):
        """Raises ValueError for an array or tensor of images that the model cannot take.

        Other data pass: of a dataset even one look takes a batch, which `predict` would miss.
        """
        if is_array(x) and len(x):
            self.check_data(x)

    def check_inputs(self, x):
        """Raises ValueError for an array or tensor that the model cannot be called with."""
        self.check_array(x)

    # What evaluation, plots, export and zoo ask of every model

    @property
    def pixel_range(self) -> tuple[int, int] | None:
        """(0, 1), or None where the model's data may be any number."""
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
        parts = [images[start : start + 500] for start in range(0, len(images), 500)]
        found = [self._category_posterior(part).logits.numpy() for part in parts]
        return np.concatenate(found).astype(np.float64)

    def _category_posterior(self, x: np.ndarray) -> tfd.OneHotCategorical:
        """Distribution of `category` given images x."""
        raise NotImplementedError

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
            own, file: the Keras model's and the file's signatures, (name, arrays) -> arrays.
            images: float32, as `fit` takes them.
        """
        return []

    def calibration_images(self, images: np.ndarray) -> np.ndarray:
        """Images whose activations set the ranges of int8, from images of the training data."""
        return images

    @staticmethod
    def drawing_seed(seed: int | None) -> tf.Tensor:
        """int32 (2,) of a draw that an integer repeats and None does not."""
        return seeds.fold_seed(seeds.fresh_seed() if seed is None else seed)

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
        def revive(value):
            if isinstance(value, list):
                return [revive(item) for item in value]
            if not isinstance(value, Mapping):
                return value
            return keras.saving.deserialize_keras_object(value, custom_objects=custom_objects)

        return cls(**cls.renew_config({name: revive(v) for name, v in config.items()}))

    @classmethod
    def renew_config(cls, config: Mapping) -> dict:
        """A config with the arguments of version 0.1 as those of today."""
        return renew(config, cls.usual_moves)

    def compile(self, optimizer="adam", discriminator_optimizer=None, **kwargs):
        """As `keras.Model.compile`, without `loss` and `metrics`: both are the ledger.

        Args:
            optimizer: of the encoder and the decoder, or of the generator.
            discriminator_optimizer: of the discriminator, where there is one; None is Adam with a
                learning rate of 1e-3 and beta_1 of 0.5.
            **kwargs: those of `keras.Model.compile`.
        """
        check_compile(self, kwargs)
        if kwargs.get("jit_compile") is True and not self.supports_jit:
            raise ValueError(
                "XLA cannot compile the affine moves that this model makes; leave jit_compile out, "
                "or turn them off."
            )
        super().compile(optimizer=optimizer, **kwargs)
        if getattr(self.optimizer, "gradient_accumulation_steps", None):
            raise ValueError(
                "Gradient accumulation would repeat the noise of a step, which is drawn by the "
                "optimizer's iterations; take larger batches instead."
            )
        if len(self.players()) > 1:
            self.discriminator_optimizer = second_optimizer(
                discriminator_optimizer, self.dtype_policy.name
            )
            if self.discriminator_optimizer is self.optimizer:
                raise ValueError("Each player has an optimizer of its own; give two instances.")
        elif discriminator_optimizer is not None:
            raise ValueError(
                f"This {type(self).__name__} has no discriminator to optimize; leave "
                "discriminator_optimizer out."
            )
        self._metrics_by_name = {name: keras.metrics.Mean(name) for name in self.ledger_names()}
        for player in self.players():
            # Else loading weights drops the optimizer's state.
            optimizer = getattr(self, player.optimizer_name)
            if not optimizer.built:
                optimizer.build(player.variables())

    def get_compile_config(self) -> dict | None:
        config = super().get_compile_config()
        if config and len(self.players()) > 1:
            serialize = keras.saving.serialize_keras_object
            config["discriminator_optimizer"] = serialize(self.discriminator_optimizer)
        return config

    def compile_from_config(self, config: dict):
        self.compile(**keras.saving.deserialize_keras_object(config))

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return [*getattr(self, "_metrics_by_name", {}).values()]

    def fit(self, x=None, *args, callbacks=None, validation_data=None, **kwargs):
        """As `keras.Model.fit`; x is an array or dataset of images, or of images and labels.

        A dataset of `keras_infomodels.datasets` has the order of (its seed, the epoch), so that
        a call of `fit` for every epoch passes `initial_epoch`, or sees one order again and again.
        One seed gives the same bits again on the same machine; XLA draws other noise of it.
        """
        for data in (x, keras.utils.unpack_x_y_sample_weight(validation_data)[0]):
            self.check_data(data)
        if not isinstance(callbacks, keras.callbacks.CallbackList):
            own = [] if epoch_variable(x) is None else [FollowEpoch(x)]
            given = keras.tree.flatten(callbacks or [])
            callbacks = [InformationReader(), StopOnNonFinite(), *own, *given]
            check_callbacks(callbacks)
        if isinstance(x, tf.data.Dataset):
            kwargs.setdefault("shuffle", False)  # Keras warns that it ignores True
        kwargs |= {"callbacks": callbacks, "validation_data": validation_data}
        with sums_kept():
            return super().fit(x, *args, **kwargs)

    def train_step(self, data):
        x, labels = self.unpack(data)
        seed = seeds.fold_seed(self.seed, seeds.TRAIN, self.optimizer.iterations)
        terms = self.turn(self.players(), self.terms, x, labels, seed)
        return self.log(terms, x, labels)

    def turn(
        self,
        players: list[Player],
        terms: Callable,
        x: tf.Tensor,
        labels,
        seed: tf.Tensor,
        earlier: tuple[tf.Tensor, ...] = (),
    ) -> dict[str, tf.Tensor]:
        """Moves the players at once, by gradients of the same terms, and returns these.

        Where a term, a gradient or one of the `earlier` losses of this step is not finite nobody
        moves, nor do the statistics of batch normalization, and "loss" becomes NaN.
        """
        # What a forward pass assigns.
        assigned = [*self.non_trainable_weights, *self._spectral_kernels()]
        kept = [(variable, tf.identity(variable)) for variable in assigned]
        optimizers = [getattr(self, player.optimizer_name) for player in players]
        with tf.GradientTape(persistent=True) as tape:
            terms = terms(x, labels, seed, training=True)
            losses = [
                optimizer.scale_loss(terms[player.term])
                for player, optimizer in zip(players, optimizers, strict=True)
            ]
        # All gradients before the first update.
        gradients = [
            gradient(tape, loss, player.variables())
            for loss, player in zip(losses, players, strict=True)
        ]
        finite = are_finite(gradients, optimizers)
        finite &= tf.reduce_all(tf.math.is_finite([*terms.values(), *earlier]))
        terms["loss"] = tf.where(finite, terms.get("loss", 0.0), np.nan)

        def update():
            for player, optimizer, own in zip(players, optimizers, gradients, strict=True):
                optimizer.apply(own, player.variables())

        def restore():
            for variable, value in kept:
                variable.assign(value)

        # The metrics are means over the epoch: what is not finite stays so until it is noticed.
        so_far = [metric.result() for metric in self._metrics_by_name.values()]
        values = [*terms.values(), *so_far]
        tf.cond(tf.reduce_all(tf.math.is_finite(values)), update, restore)
        return terms

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
            self.check_data(x)
        reader = reader_among(callbacks)
        read = partial(self.read_out, x, batch_size, steps, bool(show))
        reader.read = read if is_repeatable(x) else dict
        with order_of_epoch_0(x):
            logs = super().evaluate(
                x, y, batch_size, verbose, sample_weight, steps, callbacks, True, **kwargs
            )
        logs |= reader.result()
        return logs if return_dict else list(logs.values())

    def predict(self, x, *args, **kwargs):
        """As `keras.Model.predict`: what the model returns when it is called."""
        self.check_inputs(x)
        return super().predict(x, *args, **kwargs)

    def predict_on_batch(self, x):
        self.check_inputs(x)
        return super().predict_on_batch(x)

    def train_on_batch(self, x, *args, **kwargs):
        self.check_array(x)
        return super().train_on_batch(x, *args, **kwargs)

    def test_on_batch(self, x, *args, **kwargs):
        self.check_array(x)
        return super().test_on_batch(x, *args, **kwargs)

    def export(
        self, filepath, format="tf_saved_model", verbose=None, input_signature=None, **kwargs
    ):
        """As `keras.Model.export`: what the model returns when it is called, and no more.

        `keras_infomodels.export` writes every signature of the model, its pixels' range and how
        far the file is from the model.
        """
        if input_signature is None:
            input_signature = [tf.TensorSpec((None, *self.call_shape), tf.float32)]
        super().export(filepath, format, verbose, input_signature, **kwargs)

    def read_out(self, x, batch_size: int | None, steps: int | None, show: bool) -> dict:
        """Figures of the data as a whole, by name; `show` allows a printed line."""
        return {}

    def test_step(self, data):
        x, labels = self.unpack(data)
        # The count starts at 0 in every evaluation, so that evaluating twice gives the same.
        seed = seeds.fold_seed(self.seed, seeds.TEST, self._metrics_by_name["loss"].count)
        return self.log(self.terms(x, labels, seed, training=False), x, labels)

    def predict_step(self, data):
        x, _ = self.unpack(data)
        return self(x, training=False)

    @staticmethod
    def unpack(data) -> tuple[tf.Tensor, tf.Tensor | None]:
        """(images in float32, labels or None) of what `fit` hands to a step."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if sample_weight is not None:
            raise ValueError(
                "sample_weight is not supported; repeat or leave out examples instead."
            )
        return tf.cast(x, tf.float32), y

    def _spectral_kernels(self) -> list[keras.Variable]:
        networks = [network for player in self.players() for network in player.networks]
        layers = [layer for network in networks for layer in getattr(network, "layers", [])]
        spectral = keras.layers.SpectralNormalization
        return [layer.kernel for layer in layers if isinstance(layer, spectral)]

    def log(self, terms: dict[str, tf.Tensor], x, labels) -> dict[str, tf.Tensor]:
        """Adds the terms of a batch to the metrics and returns these."""
        for name, metric in self._metrics_by_name.items():
            if name in self.of_labeled:
                count = tf.math.count_nonzero(tf.cast(labels, tf.int32) != -1)
            else:
                count = tf.shape(x)[0]
            metric.update_state(terms[name], sample_weight=count)
        return {name: metric.result() for name, metric in self._metrics_by_name.items()}
