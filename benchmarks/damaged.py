"""What the LiteRT interpreter does with a file of which one bit is flipped, without our checksum.

    python benchmarks/damaged.py FILE.tflite [--copies 1000]

Each copy is loaded, and each of its signatures called once, in a process of its own.
"""

import argparse
import collections
import os
from pathlib import Path

import numpy as np

SECONDS, BYTES = 20, 4 << 30


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--copies", type=int, default=1000)
    arguments = parser.parse_args()
    content, random = arguments.file.read_bytes(), np.random.default_rng(0)
    right = outcome(content)[1]
    found = collections.Counter()
    for _ in range(arguments.copies):
        copy, bit = bytearray(content), int(random.integers(8 * len(content)))
        copy[bit // 8] ^= 1 << (bit % 8)
        end, answer = outcome(bytes(copy))
        found[
            ("the right answer" if answer == right else "another answer") if end == 0 else end
        ] += 1
    for end, count in found.most_common():
        print(f"{count:6} {end}")


def outcome(content: bytes) -> tuple[int | str, bytes]:
    """0 and the bytes that came out, or how the process ended and nothing."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os._exit(answer(content, writing))
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answered = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    names = {0: 0, 3: "an error that Python can catch"}
    return names.get(code, f"the process died of signal {-code}"), answered


def answer(content: bytes, writing: int) -> int:
    import hashlib
    import resource
    import signal

    from ai_edge_litert.interpreter import Interpreter

    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    signal.alarm(SECONDS)
    try:
        interpreter, digest = Interpreter(model_content=content), hashlib.sha256()
        for name in sorted(interpreter.get_signature_list()):
            runner = interpreter.get_signature_runner(name)
            given = {
                key: np.full((2, *each["shape_signature"][1:]), 0.5, each["dtype"])
                for key, each in runner.get_input_details().items()
            }
            for _, array in sorted(runner(**given).items()):
                digest.update(array.tobytes())
    except Exception:
        return 3
    os.write(writing, digest.digest())
    return 0


if __name__ == "__main__":
    main()
