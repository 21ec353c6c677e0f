"""What the networks share: their config is their constructor's arguments, not a layer dump."""

from collections.abc import Sequence

import keras

__all__ = ["Network"]


class Network(keras.Model):
    """A functional model whose `__init__` keeps its arguments in `self._arguments`.

    Args:
        inputs, outputs: as `keras.Model` takes them.
        frozen: list of str. Names of layers that are not trained.
        **kwargs: `name`, and `trainable`, which is False for a network that is not trained.
    """

    _arguments: dict

    def __init__(self, inputs, outputs, frozen: Sequence[str] = (), **kwargs):
        super().__init__(inputs, outputs, **kwargs)
        for name in frozen:
            self.get_layer(name).trainable = False

    def get_config(self) -> dict:
        return {"name": self.name, **self._arguments, **self._frozen()}

    def _frozen(self) -> dict:
        """What tells a network that is being fine-tuned from a new one; empty for a new one."""
        if not self.trainable:
            return {"trainable": False}
        frozen = [layer.name for layer in self.layers if not layer.trainable]
        return {"frozen": frozen} if frozen else {}

    @classmethod
    def from_config(cls, config: dict, custom_objects=None) -> "Network":
        return cls(**config)
