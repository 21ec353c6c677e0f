"""Web page for exploring models: static files, and a server for this machine.

TensorFlow is loaded only for models that have no `.tflite` beside them.
"""

import json
import re
import shutil
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from keras_infomodels import hooks
from keras_infomodels.export.flatbuffer import Flatbuffer
from keras_infomodels.export.loading import verified
from keras_infomodels.export.web_runtime import VERSION, copy_runtime
from keras_infomodels.io import replace_folder, saving_folder, write_atomically

__all__ = ["PAGE", "fixed_batch", "server", "write_explorer"]

PAGE = Path(__file__).parent / "explorer"
"""The page without models and runtime."""

_MARK = "explorer.json"
_FIGURES = (
    "one_to_one_error",
    "nll",
    "mutual_information",
    "information",
    "information_real",
    "reconstruction",
    "rate",
    "frechet_distance",
    "active_units",
    "error",
    "accuracy",
)
"""Figures of a card that the page shows, by the beginning of their names."""


def write_explorer(models: Sequence[str | Path], folder: str | Path, runtime: str | Path) -> Path:
    """Writes a web page for exploring models, as static files that any host can serve.

    Args:
        models: sequence of str or path. Presets by name or folder, or `.keras` and `.tflite` files.
        folder: str or path. Folder to write. An earlier explorer in it is replaced.
        runtime: str or path. Folder of LiteRT.js; see `web_runtime.copy_runtime`.

    Returns:
        Path of the folder.

    Raises:
        FileExistsError: If the folder holds other files.
        ValueError: If a file of the runtime is missing or has another checksum, or two models have
            the same name.
    """
    folder = Path(folder)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _MARK).is_file():
        raise FileExistsError(f"{folder} holds something else; choose another --out.")
    with saving_folder(folder.parent) as temporary:
        new = temporary / "new"
        shutil.copytree(PAGE, new)
        copy_runtime(Path(runtime), new / "runtime")
        (new / "LITERT_LICENSE.txt").rename(new / "runtime" / "LICENSE")
        presets = [_add(model, new / "models") for model in models]
        names = [each["name"] for each in presets]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"Several models are named {', '.join(twice)}; rename a folder.")
        document = {"format": 1, "runtime": f"@litertjs/core {VERSION}", "presets": presets}
        write_atomically(new / _MARK, json.dumps(document, indent=1) + "\n")
        replace_folder(new, folder)
    return folder


def fixed_batch(path: Path) -> bytes:
    """Returns the bytes of a `.tflite` file, changed to take one example at a time."""
    content, metadata = verified(path)
    if metadata["batch_size"] == 1:
        return content
    if metadata["batch_size"] is not None:
        raise ValueError(
            f"{path} has a fixed batch of {metadata['batch_size']}; export it with batch size 1."
        )
    flatbuffer = Flatbuffer(content)
    flatbuffer.fix_batch()
    facts = {key: value for key, value in metadata.items() if key != "sha256"}
    return flatbuffer.packed(facts | {"batch_size": 1})


def server(folder: str | Path, port: int = 0) -> ThreadingHTTPServer:
    """Creates a web server for a folder, reachable from this machine only.

    `serve_forever` runs the server.

    Args:
        folder: str or path. Folder that `write_explorer` wrote.
        port: int. Port of the server. 0 uses any free port; `server_port` of the result has its
            number.

    Raises:
        OSError: If the port is in use.
    """
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, directory=str(folder)))
    except (OSError, OverflowError) as error:
        raise OSError(f"Port {port} cannot be used ({error}); choose another --port.") from error


class _Handler(SimpleHTTPRequestHandler):
    # The system's table of types may lack these, and browsers refuse modules without theirs.
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".wasm": "application/wasm",
        ".json": "application/json",
        ".tflite": "application/octet-stream",
    }

    def end_headers(self):
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format, *arguments):
        pass


def _add(model: str | Path, folder: Path) -> dict:
    """Writes a model's file, and returns what the page says of it."""
    source = Path(model)
    if source.suffix == ".tflite":
        name, place = source.stem, source.parent
        content = fixed_batch(source)
    elif source.suffix == ".keras":
        name, place = source.stem, None
        content = _exported(source, None, folder)
    else:
        place = hooks.zoo().locate(model)
        name, ready = place.resolve().name, place / "model.tflite"
        content = fixed_batch(ready) if ready.is_file() else _exported(place, place, folder)
    name = re.sub(r"[^A-Za-z0-9_.\-]", "_", name)
    write_atomically(folder / f"{name}.tflite", content)
    return {"name": name, "file": f"models/{name}.tflite", **_card(place)}


def _exported(source: Path, preset: Path | None, folder: Path) -> bytes:
    from keras_infomodels import presets
    from keras_infomodels.export.tflite import to_tflite

    path = folder / "new.tflite"
    to_tflite(presets.load_model(source), path, "float16", batch_size=1, preset=preset)
    content = path.read_bytes()
    path.unlink()
    return content


def _card(place: Path | None) -> dict:
    """What a preset's metadata.json says that a person on the page wants to know."""
    path = None if place is None else place / "metadata.json"
    facts = json.loads(path.read_text()) if path is not None and path.is_file() else {}
    figures = {
        name: {key: each[key] for key in ("value", "unit", "standard_error") if key in each}
        for name, each in facts.get("figures", {}).items()
        if name.startswith(_FIGURES) and not name.endswith("training_images")
    }
    return {
        "description": facts.get("description", ""),
        "headline": facts.get("headline", ""),
        "license": facts.get("license"),
        "dataset": facts.get("training", {}).get("dataset"),
        "parameters": facts.get("parameters"),
        "figures": figures,
    }
