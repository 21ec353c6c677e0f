"""The command `infomodels explore`, which loads TensorFlow only if it runs."""

import argparse
import tempfile
import webbrowser
from pathlib import Path

from keras_infomodels.spec import check_int

__all__ = ["add_parser"]

_DEFAULT = ("infogan_mnist", "mmd_vae_2d_mnist")


def add_parser(commands):
    """Adds the command to the subparsers of `infomodels`."""
    explore = commands.add_parser(
        "explore",
        help="show models on an interactive page in the browser",
        description="Open a local page with sliders for codes and latents, on which models run in "
        "the browser. Its runtime, LiteRT.js, is downloaded from npm at first use.",
    )
    explore.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        default=list(_DEFAULT),
        help="names or folders of presets, .keras or .tflite files (default: "
        f"{' and '.join(_DEFAULT)})",
    )
    explore.add_argument(
        "--port", type=int, default=0, help="port of the server (default: any free port)"
    )
    explore.add_argument(
        "--no-browser", action="store_true", help="print the address without opening a browser"
    )
    explore.add_argument(
        "--out", metavar="DIR", help="write static files for any web server, and exit"
    )
    explore.add_argument(
        "--wasm", metavar="DIR", help="node_modules with @litertjs/core, for use without a network"
    )
    explore.set_defaults(run=_explore)


def _explore(arguments: argparse.Namespace):
    from keras_infomodels.export import explorer, web_runtime
    from keras_infomodels.zoo.cache import home

    check_int("--port", arguments.port, 0)
    runtime = Path(arguments.wasm) if arguments.wasm else web_runtime.cached_runtime(home())
    if arguments.out:
        folder = explorer.write_explorer(arguments.models, arguments.out, runtime)
        print(f"The page is in {folder}; serve it by python -m http.server -d {folder}")
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = explorer.write_explorer(arguments.models, Path(temporary) / "page", runtime)
        with explorer.server(folder, arguments.port) as server:
            address = f"http://127.0.0.1:{server.server_port}/"
            print(f"The explorer is at {address}; Ctrl-C stops it.", flush=True)
            if not arguments.no_browser:
                webbrowser.open(address)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                print()
