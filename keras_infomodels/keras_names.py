"""Registration with Keras of classes that have not been imported yet. Loads nothing.

`keras.saving.load_model` knows classes that were registered. Those of this library are when their
modules are imported, which takes seconds; until then Keras gets a stand-in for each, which imports
them when a file names one.
"""

import importlib
import importlib.util
import sys
from types import ModuleType

from keras_infomodels.names import MODELS

__all__ = ["NAMES", "register"]

PACKAGE = "keras_infomodels"

NAMES = (
    *MODELS.values(),
    "Adversarial",
    "Augmentation",
    "BatchNormalization",
    "BilinearCritic",
    "ConcatenatedCritic",
    "ConvolutionalCritic",
    "SeparableCritic",
    "Bernoulli",
    "Categorical",
    "CategoricalNormal",
    "Classification",
    "Code",
    "Consistency",
    "ContinuousBernoulli",
    "ConvClassifier",
    "ConvDecoder",
    "ConvDiscriminator",
    "ConvEncoder",
    "Conv2D",
    "Conv2DTranspose",
    "ConvGenerator",
    "DiscretizedGaussian",
    "DiscretizedLogistic",
    "FusedAdam",
    "Gaussian",
    "GaussianMixture",
    "MLPDecoder",
    "MLPDiscriminator",
    "MLPEncoder",
    "MMD",
    "MarginalKL",
    "MinibatchTotalCorrelation",
    "MultivariateNormal",
    "Normal",
    "PairClassifier",
    "Partwise",
    "RecognitionHead",
    "ResidualDecoder",
    "ResidualEncoder",
    "SlicedWasserstein",
    "StandardNormal",
    "Stein",
    "SwissRoll",
    "TotalCorrelation",
    "Uniform",
    "Warmup",
)
"""The classes that files of Keras name. A test compares them with those that are decorated."""


def register():
    """Gives Keras the stand-ins, now or as soon as it is imported."""
    keras = sys.modules.get("keras")
    if hasattr(keras, "saving"):
        _add(keras)
    else:
        sys.meta_path.insert(0, _AfterKeras)


class _StandIn:
    """Has of a class what Keras makes an object with; registering the class replaces it."""

    def __init__(self, name: str):
        self.name = name

    def from_config(self, config: dict, **kwargs):
        for module in ("presets", "optimizers", "information.critics"):  # which import all of them
            importlib.import_module(f"{PACKAGE}.{module}")
        return _objects(sys.modules["keras"])[self.name].from_config(config, **kwargs)


class _AfterKeras:
    """Finder of modules that adds the stand-ins when Keras has been imported, and then goes."""

    @classmethod
    def find_spec(cls, name: str, path=None, target=None):
        if name != "keras":
            return None
        sys.meta_path.remove(cls)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_add(module: ModuleType):
            execute(module)
            _add(module)

        spec.loader.exec_module = execute_and_add
        return spec


def _add(keras: ModuleType):
    objects = _objects(keras)
    for name in NAMES:
        objects.setdefault(f"{PACKAGE}>{name}", _StandIn(f"{PACKAGE}>{name}"))


def _objects(keras: ModuleType) -> dict:
    """Keras' table of registered objects."""
    return keras.saving.get_custom_objects()
