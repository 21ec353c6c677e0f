"""Parser of the command, whose errors suggest the name that is meant."""

import argparse
import re
from typing import NoReturn

from keras_infomodels.names import nearest

__all__ = ["Parser", "parse_image_size", "parse_sizes"]

_CHOICE = re.compile(r"invalid choice: '?(.*?)'? \(choose from (.*)\)")


class Parser(argparse.ArgumentParser):
    """Parser whose errors suggest a command, a flag or a choice in place of an unknown one.

    Its subparsers are of the same class.

    Attributes:
        hint: str. What the error says of a word that has no place, such as the flag it belongs to.
    """

    hint = ""

    def parse_known_args(self, args=None, namespace=None):
        namespace, rest = super().parse_known_args(args, namespace)
        for text in rest:
            if text.startswith("--"):
                flag = text.partition("=")[0]
                self.error(f"there is no flag {flag}; {nearest(flag, self._flags())}")
            if self.hint and not text.startswith("-"):
                self.error(f"there is no place for {text!r}; {self.hint}")
        return namespace, rest

    def error(self, message: str) -> NoReturn:
        # Without the usage, which takes dozens of lines and hides the message.
        text = _CHOICE.sub(_suggest, message)
        self.exit(2, f"{self.prog}: error: {text}\n`{self.prog} --help` lists the arguments.\n")

    def _flags(self) -> list[str]:
        return [
            flag for action in self._actions for flag in action.option_strings if flag[1] == "-"
        ]


def _suggest(found: re.Match) -> str:
    known = [name.strip("'") for name in found[2].split(", ")]
    return f"there is no {found[1]!r}; {nearest(found[1], known)}"


def parse_sizes(text: str) -> list[int]:
    """Parses a text such as 32,64,128 or 64x48 as integers."""
    try:
        return [int(part) for part in text.replace("x", ",").split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"sizes are whole numbers with commas, such as 256,128; got {text!r}"
        ) from None


def parse_image_size(text: str) -> list[int]:
    """Parses a text such as 64 or 64x48 as [height, width]."""
    try:
        size = (parse_sizes(text) * 2)[:2] if "x" not in text else parse_sizes(text)
    except argparse.ArgumentTypeError:
        size = []
    if len(size) != 2:
        raise argparse.ArgumentTypeError(
            f"a size is a side such as 64, or height and width such as 64x48; got {text!r}"
        )
    return size
