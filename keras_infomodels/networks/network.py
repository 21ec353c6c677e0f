"""What the networks share: their config is their constructor's arguments, not a layer dump."""

import keras

__all__ = ["Network"]


class Network(keras.Model):
    """A functional model whose `__init__` keeps its arguments in `self._arguments`."""

    _arguments: dict

    def get_config(self) -> dict:
        return {"name": self.name, **self._arguments}

    @classmethod
    def from_config(cls, config: dict, custom_objects=None) -> "Network":
        return cls(**config)
