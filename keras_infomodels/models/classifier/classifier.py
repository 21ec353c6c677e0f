"""Image classifier, whose labels and features measure the other models."""

import warnings
from collections.abc import Mapping

import keras
import tensorflow as tf

from keras_infomodels import replicas
from keras_infomodels.datasets.checks import Pixels
from keras_infomodels.models.base import InfoModel
from keras_infomodels.models.classifier.cards import classifier_words
from keras_infomodels.models.classifier.checks import check_classifier
from keras_infomodels.models.classifier.costs import classifier_costs
from keras_infomodels.models.classifier.pictures import PICTURES, classifier_pictures
from keras_infomodels.models.classifier.tables import SHORT, complete, shorten
from keras_infomodels.models.signatures import Input, Signature
from keras_infomodels.networks import Network
from keras_infomodels.registry import built_in
from keras_infomodels.training.classification import classification_terms
from keras_infomodels.training.consistency import random_affine
from keras_infomodels.training.groups import OptimizerGroup

__all__ = ["Classifier"]


@built_in
class Classifier(InfoModel):
    """Image classifier.

        loss = -E log p(label|x)    nats per example, mean over the labeled examples

    x is an image. The metrics are `loss`, which includes the network's regularization losses, and
    `accuracy`. `fit` takes images and integer labels; the label -1 marks an unlabeled image.
    `predict` returns the class probabilities. In this library the classifier's labels and features
    measure generative models.

    Args:
        network: Keras model. Maps images (batch, height, width, channels) to {"logits", "features"}
            of shapes (batch, K) and (batch, width), for K classes.
        augment: bool. `True` applies a small random affine map to each training image.
        seed: int. Seed of all randomness in training.
        **kwargs: `name`, `dtype` and others of `keras.Model`.

    Raises:
        ValueError: If the network has other outputs; later, if pixels are outside [0, 1] for a
            network of this library.

    Example:
        model = ki.from_preset("mnist_classifier")
        images = ki.from_preset("infogan_mnist").generate(8, seed=0)
        model.predict(images, verbose=0)  # probabilities, shape (8, 10)

        # Or a new model to train:
        model = ki.models.Classifier(ki.networks.ConvClassifier((28, 28, 1), classes=10))
        model.compile("adam")
    """

    title = "Classifier"

    of_labeled = ("loss", "accuracy")
    picture_kinds = PICTURES
    pictures = classifier_pictures
    quantization_costs = classifier_costs
    card_words = staticmethod(classifier_words)
    card_figures = ("accuracy",)
    loss_unit = "nats per example"
    needs_labels = True
    short_settings, shorten, complete = SHORT, staticmethod(shorten), staticmethod(complete)

    def describe_metrics(self, metrics: Mapping[str, float]) -> str:
        """Returns a sentence for a preset's card: how the metrics of `evaluate` are measured.

        Args:
            metrics: dict from str to float. Results of `evaluate`.
        """
        return "`loss` is -E log p(label|x); `accuracy` counts the most likely class."

    def __init__(self, network: keras.Model, augment: bool = False, seed: int = 0, **kwargs):
        # Keras would round images to bfloat16 before the first layer.
        super().__init__(**{"autocast": False} | kwargs)
        self.network = network
        self.augment = bool(augment)
        self.seed = int(seed)
        self.data_shape, self.classes = check_classifier(network)
        if self.augment and len(self.data_shape) != 3:
            raise ValueError(f"augment needs images, and the data have shape {self.data_shape}.")
        if self.augment:
            self.supports_jit = False  # XLA has no affine transform of images
        self.built = True

    # What the model computes

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Computes the probabilities of the K classes, tensor (batch, K), for images x.

        Args:
            x: tensor (batch, *data_shape). Images.
            training: bool. Training mode of the layers.
        """
        return tf.nn.softmax(self.network(self._images(x), training=training)["logits"])

    def classify(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the class probabilities of images; deprecated.

        Call the model instead. This method will be removed in version 0.3.

        Args:
            x: tensor (batch, *data_shape). Images.
        """
        warnings.warn(
            "Classifier.classify will be removed in version 0.3; call the model.",
            DeprecationWarning,
            stacklevel=2,
        )
        return self(x)

    def features(self, x: tf.Tensor) -> tf.Tensor:
        """Computes the input of the last layer, (batch, width), for images (batch, *data_shape).

        Args:
            x: tensor (batch, *data_shape). Images.
        """
        return self.network(self._images(x), training=False)["features"]

    def export_signatures(self) -> dict:
        """Returns the functions of an exported file: dict from name to `Signature`.

        "classify" returns "logits" and "probabilities" of images, and "features" the "features".
        """

        def classify(image):
            logits = self.network(image, training=False)["logits"]
            return {"logits": logits, "probabilities": tf.nn.softmax(logits)}

        image = Input("image", self.data_shape, "image")
        return {
            "classify": Signature(classify, (image,)),
            "features": Signature(lambda image: {"features": self.features(image)}, (image,)),
        }

    @property
    def pixels(self):
        own = isinstance(self.network, Network)
        return Pixels("unit", "a network of this library") if own else Pixels()

    @property
    def label_classes(self):
        return self.classes

    # What Keras calls

    def optimizer_groups(self) -> list[OptimizerGroup]:
        return [OptimizerGroup("optimizer", "loss", (self.network,))]

    def term_names(self) -> list[str]:
        return ["loss", "accuracy"]

    def terms(self, x, labels, seed, training):
        if labels is None:
            raise ValueError(
                "A Classifier is trained on pairs: fit(images, labels), or a dataset of "
                "(images, labels), such as datasets.load(name, labels=True)."
            )
        if training and self.augment:
            x = random_affine(x, seed)
        logits = self.network(x, training=training)["logits"]
        terms = classification_terms(logits, labels)
        loss = tf.add_n([terms["classification"], *map(replicas.shared, self.network.losses)])
        return {"loss": loss, "accuracy": terms["accuracy"]}

    def _images(self, x) -> tf.Tensor:
        if tf.executing_eagerly():
            self.check_array(tf.convert_to_tensor(x))
        return tf.cast(x, tf.float32)

    def get_config(self) -> dict:
        return {
            "name": self.name,
            "network": keras.saving.serialize_keras_object(self.network),
            "augment": self.augment,
            "seed": self.seed,
            "dtype": self.dtype_policy.name,
        }
