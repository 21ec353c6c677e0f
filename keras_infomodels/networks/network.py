"""Base class of the networks, whose config holds the constructor's arguments."""

import inspect
from collections.abc import Sequence

import keras

from keras_infomodels.names import guess

__all__ = ["Network"]


class Network(keras.Model):
    """Base class of networks: a functional Keras model whose constructor's arguments are saved.

    A subclass sets the dict `self._arguments` at the end of its `__init__`. `get_config` returns
    this dict.

    Args:
        inputs: Keras tensor or structure of them. Inputs, as for `keras.Model`.
        outputs: Keras tensor or structure of them. Outputs, as for `keras.Model`.
        frozen: list of str. Names of layers that are not trained.
        **kwargs: `name` and `trainable`, as for `keras.Model`.

    Raises:
        TypeError: If there are other arguments.

    Example:
        @ki.registry.register
        class Small(ki.networks.Network):
            def __init__(self, units=32, **kwargs):
                x = keras.Input((4,))
                super().__init__(x, keras.layers.Dense(units)(x), **kwargs)
                self._arguments = {"units": units}
    """

    _arguments: dict

    def __init__(self, inputs, outputs, frozen: Sequence[str] = (), **kwargs):
        # Keras' functional models ignore arguments that they do not know.
        if unknown := sorted(kwargs.keys() - {"name", "trainable"}):
            known = [*inspect.signature(type(self)).parameters, "name", "trainable"]
            raise TypeError(
                f"{type(self).__name__} has no argument {unknown[0]!r}.{guess(unknown[0], known)}"
            )
        super().__init__(inputs, outputs, **kwargs)
        for name in frozen:
            self.get_layer(name).trainable = False

    def get_config(self) -> dict:
        return {"name": self.name, **self._arguments, **self._frozen()}

    def _frozen(self) -> dict:
        """Config entries of a network that is partly frozen; empty for a new network."""
        if not self.trainable:
            return {"trainable": False}
        frozen = [layer.name for layer in self.layers if not layer.trainable]
        return {"frozen": frozen} if frozen else {}

    @classmethod
    def from_config(cls, config: dict, custom_objects=None) -> "Network":
        return cls(**cls.renew_config(config))

    @classmethod
    def renew_config(cls, config: dict) -> dict:
        """Returns a config in which arguments of earlier versions are replaced by current ones.

        Args:
            config: dict. Result of `get_config`, of this or an earlier version.
        """
        return config
