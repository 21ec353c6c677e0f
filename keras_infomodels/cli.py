"""The command `infomodels`, which loads TensorFlow only if a command needs it."""

import argparse
import contextlib
import os
import sys

from keras_infomodels import __version__
from keras_infomodels.command_parser import Parser
from keras_infomodels.completion_command import add_parser as add_completion_parser
from keras_infomodels.data_commands import add_parsers as add_data_parsers
from keras_infomodels.disentangle_command import add_parser as add_disentangle_parser
from keras_infomodels.explore_command import add_parser as add_explore_parser
from keras_infomodels.export_commands import add_parsers as add_export_parsers
from keras_infomodels.io import printable
from keras_infomodels.log import printing, quiet_tensorflow
from keras_infomodels.measure_commands import add_parsers as add_measure_parsers
from keras_infomodels.select_command import add_parser as add_select_parser
from keras_infomodels.termination import Terminated
from keras_infomodels.train_command import add_parser as add_train_parser
from keras_infomodels.train_command import say_stopped
from keras_infomodels.zoo.commands import add_parsers as add_zoo_parsers
from keras_infomodels.zoo.publish_commands import add_parsers as add_publish_parsers

__all__ = ["main"]


_EXPECTED = (ValueError, OSError, ImportError, NotImplementedError, FloatingPointError)


def main(argv: list[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    arguments = _parser().parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with printing(), quiet_tensorflow():
            arguments.run(arguments)
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone, as `head` does. Python's flush at exit is to find no pipe.
        _drop_stdout()
        return 141
    except Terminated:
        say_stopped(arguments)
        if os.environ.get("TF_CONFIG"):
            os._exit(143)  # at its end a worker would wait for the others
        return 143
    except KeyboardInterrupt:
        hint = " Continue with --resume." if hasattr(arguments, "resume") else ""
        print(f"\nInterrupted.{hint}", file=sys.stderr)
        return 130
    except Exception as error:
        if not isinstance(error, _EXPECTED) and not _is_of_tensorflow(error):
            raise
        lines = str(error).splitlines()
        if isinstance(error, FileNotFoundError) and error.filename:
            lines = [f"There is no file or folder {os.fspath(error.filename)}."]
        if _is_of_tensorflow(error):
            lines = [_reason(lines)]
            if os.environ.get("TF_CONFIG"):
                lines.append("If a worker has ended, start all of them again with --resume.")
        for number, line in enumerate(lines or [type(error).__name__]):
            print("infomodels:" if number == 0 else " ", printable(line), file=sys.stderr)
        return 1
    return 0


def _drop_stdout():
    """Directs stdout to nowhere, so that what is still in its buffer raises no error."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # a stdout without a descriptor
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _reason(lines: list[str]) -> str:
    """The line of an error of TensorFlow that says what happened, beside traces of the graph."""
    traces = ("Graph execution", "Detected at node", "Stack trace", "<stack", "File", " ", "\t")
    said = [line for line in lines if line and not line.startswith(traces)]
    return next(iter([*said, *lines]), "TensorFlow could not continue.")


def _is_of_tensorflow(error: Exception) -> bool:
    """Returns True for an error of TensorFlow, such as a full disk."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(error, tensorflow.errors.OpError)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="infomodels", description="Train and export information-maximizing generative models."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser(
        "demo", help="show a pretrained model; then train, measure, export and run another one"
    )
    demo.add_argument("--out", default="demo", help="folder of the results (default: demo)")
    demo.set_defaults(run=_demo)

    add_train_parser(commands)
    add_measure_parsers(commands)
    add_disentangle_parser(commands)
    add_select_parser(commands)
    add_export_parsers(commands)
    add_explore_parser(commands)
    add_data_parsers(commands)
    add_zoo_parsers(commands)
    add_publish_parsers(commands)
    add_completion_parser(commands, parser)
    return parser


def _demo(arguments: argparse.Namespace):
    from keras_infomodels.demo import demo

    demo(arguments.out)
