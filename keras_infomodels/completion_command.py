"""The command `infomodels completion`. Nothing here loads TensorFlow."""

import argparse

from keras_infomodels import names, zoo

__all__ = ["add_parser"]

_DATASETS = ("fashion_mnist_mini", "mnist_mini", "mnist", "fashion_mnist", "scenes", "sprites")
_FOLDERS = ("data_dir", "wasm", "folder")
_FILES = ("file", "recipe", "codes", "out", "input")


def add_parser(commands, parser: argparse.ArgumentParser):
    """Adds it to the subparsers of `infomodels`, which is the parser that it completes."""
    completion = commands.add_parser(
        "completion",
        help="print a script that completes this command in a shell",
        description="Print a script for the shell. For bash: infomodels completion bash > "
        "~/.local/share/bash-completion/completions/infomodels",
    )
    completion.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    completion.set_defaults(run=lambda arguments: print(_script(parser, arguments.shell)))


def _script(parser: argparse.ArgumentParser, shell: str) -> str:
    try:
        import shtab
    except ImportError as error:
        raise ImportError(
            "Completion needs shtab: pip install 'keras-infomodels[completion]'."
        ) from error
    presets = list(zoo.list_presets())
    for command, each in _commands(parser).items():
        for action in each._actions:
            if action.dest in _FOLDERS:
                action.complete = shtab.DIRECTORY
            elif action.dest in _FILES:
                action.complete = shtab.FILE
            elif action.dest == "dataset":
                action.choices = _DATASETS
            elif action.dest in ("model", "models", "name", "names"):
                action.choices = list(names.MODELS) if command == "train" else presets
    return shtab.complete(parser, shell=shell)


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    subparsers = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return {name: each for action in subparsers for name, each in action.choices.items()}
