"""The base of the small objects that a model's config holds."""

__all__ = ["Spec"]


class Spec:
    """An object that its constructor's arguments describe: `get_config` returns them as JSON."""

    def get_config(self) -> dict:
        raise NotImplementedError

    @classmethod
    def from_config(cls, config: dict) -> "Spec":
        return cls(**config)

    def __repr__(self) -> str:
        try:
            config = self.get_config()
        except ValueError:  # holds what cannot be saved
            return super().__repr__()
        arguments = ", ".join(f"{key}={value!r}" for key, value in config.items())
        return f"{type(self).__name__}({arguments})"
