"""Information-maximizing generative models for Keras 3 on TensorFlow.

Nothing here loads TensorFlow until a name that needs it is first used.
"""

import importlib
import json
import os
import sys
from pathlib import Path

from keras_infomodels import hooks, keras_names, names

__version__ = "0.1.0"

_HOMES = {
    **dict.fromkeys(names.MODELS.values(), "models"),
    "Augmentation": "training",
    "Classification": "training",
    "Consistency": "training",
    "Warmup": "training",
    "load_model": "presets",
    "from_preset": "presets",
    "list_presets": "zoo",
}
_MODULES = (
    "callbacks",
    "datasets",
    "distributions",
    "divergences",
    "evaluation",
    "export",
    "information",
    "models",
    "networks",
    "optimizers",
    "plots",
    "presets",
    "registry",
    "training",
    "zoo",
)
__all__ = [*_HOMES, *_MODULES]


def _keras_backend() -> str:
    """The backend that Keras uses or will use, found without importing Keras."""
    if "keras" in sys.modules and hasattr(sys.modules["keras"], "backend"):
        return sys.modules["keras"].backend.backend()
    if name := os.environ.get("KERAS_BACKEND"):
        return name
    # Not Path.home(), which raises an error for a user without a home, as in containers.
    home = Path(os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras"))
    try:
        return json.loads((home / "keras.json").read_text()).get("backend", "tensorflow")
    except (OSError, ValueError):
        return "tensorflow"


if _keras_backend() != "tensorflow":
    raise ImportError(
        f"keras-infomodels needs Keras on TensorFlow, but Keras is set to {_keras_backend()!r}. "
        "Set the environment variable KERAS_BACKEND=tensorflow (or `backend` in keras.json) "
        "before Keras is imported."
    )


hooks.connect(
    presets=lambda: importlib.import_module(f"{__name__}.presets"),
    zoo=lambda: importlib.import_module(f"{__name__}.zoo"),
)
keras_names.register()


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
