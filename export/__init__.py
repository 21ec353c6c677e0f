"""Export to SavedModel, TFLite and ONNX, comparison with the model, and a runtime for files."""

import importlib

_HOMES = {
    "to_saved_model": "saved_model",
    "to_tflite": "tflite",
    "to_onnx": "onnx",
    "check_parity": "parity",
    "Parity": "parity",
    "Report": "parity",
    "Runtime": "runtime",
}
__all__ = [*_HOMES]


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
