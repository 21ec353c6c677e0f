"""Commands `infomodels publish | registry make`."""

import argparse
import sys
from pathlib import Path

from keras_infomodels.zoo import registry
from keras_infomodels.zoo.links import pin

__all__ = ["add_parsers"]


def add_parsers(commands):
    """Adds the commands to the parser's subparsers."""
    parser = commands.add_parser(
        "publish",
        help="upload a preset to the Hugging Face Hub",
        description="Show what would be uploaded, ask, and upload it as one commit. Needs an "
        "account, and `hf auth login` or HF_TOKEN.",
    )
    parser.add_argument("folder", metavar="DIR", help="folder of a preset, as train writes it")
    parser.add_argument("address", metavar="hf://OWNER/NAME", help="repository; created if needed")
    parser.add_argument("--yes", action="store_true", help="upload without asking")
    parser.add_argument("--private", action="store_true", help="make a new repository private")
    parser.set_defaults(run=_publish)

    own = commands.add_parser("registry", help="turn a folder of presets into a zoo of your own")
    own = own.add_subparsers(required=True, metavar="ACTION")
    parser = own.add_parser(
        "make",
        help="write DIR/registry.json",
        description="Write DIR/registry.json with size and SHA-256 of every file of the presets in "
        "DIR. With KERAS_INFOMODELS_ZOO_URL set to the address of DIR, presets load by name.",
    )
    parser.add_argument("folder", metavar="DIR", help="folder that contains the preset folders")
    parser.set_defaults(run=_make)


def _publish(arguments: argparse.Namespace):
    from keras_infomodels.zoo import publish

    upload = publish.check(arguments.folder, arguments.address)
    print(upload)
    if not arguments.yes and not _agreed():
        print("Nothing was uploaded.")
        return
    address = publish.send(upload, arguments.private)
    print(f'Published. To load it: ki.from_preset("{address}")')


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise ValueError("There is no terminal to ask in; pass --yes to upload.")
    return input("Upload this? [y/N] ").strip().lower() in ("y", "yes")


def _make(arguments: argparse.Namespace):
    from keras_infomodels.zoo.publish import find_warnings

    entries = registry.make(arguments.folder)
    folder = Path(arguments.folder).expanduser()
    for name, entry in entries.items():
        print(f"{name}: {entry.class_name}, {len(entry.files)} files, {entry.bytes / 1e6:.1f} MB")
        print(f"  ADDRESS/{name}@{pin(folder / name)}")
        for warning in find_warnings(folder / name):
            print(f"  {warning}")
    count = "1 preset" if len(entries) == 1 else f"{len(entries)} presets"
    place = f"https://HOST/{folder.resolve().name}"
    print(
        f"{folder / 'registry.json'} has {count}. Put {folder} on a web server. ADDRESS is where "
        f"it is, such as {place}: with KERAS_INFOMODELS_ZOO_URL=ADDRESS others load the presets "
        "by name, without it by the addresses above."
    )
