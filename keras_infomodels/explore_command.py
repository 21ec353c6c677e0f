"""The command `infomodels explore`. Nothing here loads TensorFlow at once."""

import argparse
import tempfile
import webbrowser
from pathlib import Path

from keras_infomodels.spec import check_int

__all__ = ["add_parser"]

_DEFAULT = ("infogan_mnist", "mmd_vae_2d_mnist")


def add_parser(commands):
    """Adds it to the subparsers of `infomodels`."""
    explore = commands.add_parser(
        "explore",
        help="play with models on a page in the browser",
        description="Open a local page with sliders for codes and latents, on which models run in "
        "the browser. Its runtime, LiteRT.js, is downloaded from npm at first use.",
    )
    explore.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        default=list(_DEFAULT),
        help="a preset's name or folder, a .keras or a .tflite file (default: "
        f"{' and '.join(_DEFAULT)})",
    )
    explore.add_argument("--port", type=int, default=0, help="(default: any free one)")
    explore.add_argument("--no-browser", action="store_true", help="say the address and no more")
    explore.add_argument("--out", metavar="DIR", help="write static files that any host serves")
    explore.add_argument(
        "--wasm", metavar="DIR", help="node_modules with @litertjs/core, where there is no network"
    )
    explore.set_defaults(run=_explore)


def _explore(arguments: argparse.Namespace):
    from keras_infomodels.export import explorer, web_runtime
    from keras_infomodels.zoo.cache import home

    check_int("--port", arguments.port, 0)
    runtime = Path(arguments.wasm) if arguments.wasm else web_runtime.cached_runtime(home())
    if arguments.out:
        folder = explorer.write_explorer(arguments.models, arguments.out, runtime)
        print(f"{folder}: serve it by any web server, such as python -m http.server -d {folder}")
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = explorer.write_explorer(arguments.models, Path(temporary) / "page", runtime)
        with explorer.server(folder, arguments.port) as server:
            address = f"http://127.0.0.1:{server.server_port}/"
            print(f"The explorer is at {address}; Ctrl-C ends it.", flush=True)
            if not arguments.no_browser:
                webbrowser.open(address)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                print()
