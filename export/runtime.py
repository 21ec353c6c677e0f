"""Runtime of exported models, which needs only ai-edge-litert and NumPy.

A SavedModel needs TensorFlow.
"""

import math
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from keras_infomodels.export import isolation, loading
from keras_infomodels.export.standalone import Request
from keras_infomodels.names import guess

__all__ = ["Runtime"]

_CHUNK, _NUMBERS = 256, 2**24
"""Largest numbers of examples and of tensor elements per call of the interpreter.

They limit its memory.
"""

_ISOLATED_NUMBERS = 2**28
"""Largest number of elements per call of an isolated file, whose metadata may be false."""


class Runtime:
    """Exported model, with a method for each of its signatures.

    TensorFlow and Keras are not needed for a `.tflite` file. A method raises ValueError if the file
    does not have its signature. Calls from several threads run one after the other.

    Args:
        path: str or Path. File or folder that `export.to_tflite` or `export.to_saved_model` wrote:
            a `.tflite` file, a SavedModel, or a folder of SavedModel versions.
        threads: int. Number of threads of a `.tflite`'s interpreter. `None` is the interpreter's
            default.
        isolated: bool. `True` runs each call in a separate process with limits of time and memory.
            Use it for a `.tflite` from an unknown source, which may crash the interpreter. It
            contains crashes, but it is not a sandbox. `False` runs in this process.
        trust: bool. `True` loads a SavedModel even if it has operators that may read or write files
            or run code. `False` raises an error.

    Attributes:
        metadata: dict. Metadata of the file, such as "model", "preset", "license" and "codes".

    Raises:
        FileNotFoundError: If there is nothing at `path`.
        ValueError: If the file is damaged or not from this library, if a SavedModel has unsafe
            operators and `trust` is `False`, or if `isolated` is `True` for a SavedModel.
        ImportError: If ai-edge-litert, or TensorFlow for a SavedModel, is not installed.

    Example:
        model = ki.from_preset("infogan_mnist")
        ki.export.to_tflite(model, "infogan.tflite")
        runtime = ki.export.Runtime("infogan.tflite")
        images = runtime.generate(8, digit=7, seed=0)  # shape (8, 28, 28, 1)
        runtime.infer_codes(images)["digit_probabilities"]  # shape (8, 10)
    """

    def __init__(
        self,
        path: str | Path,
        threads: int | None = None,
        isolated: bool = False,
        trust: bool = False,
    ):
        if threads is not None and threads < 1:
            raise ValueError(f"threads is at least 1, or None; got {threads!r}.")
        self.path = Path(path)
        if isolated and not trust and self.path.suffix != ".tflite":
            raise ValueError(
                f"{path} is no .tflite, and a process of its own does not keep the operators of a "
                "SavedModel from files; leave isolated out, or pass trust=True if you trust it."
            )
        self._lock, self._isolated = threading.Lock(), isolated
        self.metadata, self._backend = loading.load(self.path, threads, isolated, trust)

    @property
    def signatures(self) -> dict[str, dict]:
        """Inputs and outputs of each signature, by name.

        The form is {signature: {"inputs": {name: {"shape", "dtype", ...}}, "outputs": {...}}}.
        """
        return self.metadata["signatures"]

    def generate(
        self,
        n: int = 1,
        seed: int | None = None,
        codes: Mapping[str, object] | None = None,
        **more_codes,
    ) -> np.ndarray:
        """Generates n images from random latents, with chosen values of codes.

        Args:
            n: int. Number of images.
            seed: int. Seed of the draws. `None` draws a new one. The noise does not depend on the
                given codes. The random numbers are NumPy's, so a Keras model generates other images
                with the same seed.
            codes: dict from str to value or sequence of n values. A value is the index of a
                category, or a number in the range of the code's prior. Codes that are not named are
                drawn from their priors.
            **more_codes: further codes as keyword arguments, such as `digit=7`.

        Returns:
            Array (n, height, width, channels) in [0, 1], or uint8 for a file made with `uint8`.

        Raises:
            ValueError: If there is no such code, or a value is outside the range of its prior.
        """
        inputs = self._signature("generate")["inputs"]
        if n < 1:
            raise ValueError(f"n, the number of images, is at least 1; got {n!r}.")
        self._check_size("generate", n)
        draws = np.random.default_rng(seed)
        arrays = {name: _draw(draws, n, facts) for name, facts in inputs.items()}
        names = [name for name in inputs if name != "noise"]
        for name, value in {**(codes or {}), **more_codes}.items():
            if name not in names:
                raise ValueError(
                    f"The codes are {', '.join(names) or 'none'}; got {name!r}.{guess(name, names)}"
                )
            arrays[name] = _code_values(name, value, n, inputs[name])
        return self.run_all([("generate", arrays)])[0]["image"]

    def encode(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Encodes images: computes the distribution q(z|x) of their latents z.

        Args:
            images: array (n, height, width, channels). Images in the file's pixel range.

        Returns:
            dict of arrays: "loc" and "scale", the mean and standard deviation of z, each (n, d). A
            model with a category also has "probabilities" (n, K).
        """
        return self.run("encode", image=images)

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Decodes latents z to mean images, array (n, height, width, channels).

        Args:
            z: array (n, d). Latents.
        """
        return self.run("decode", z=z)["image"]

    def reconstruct(self, images: np.ndarray) -> np.ndarray:
        """Encodes images and decodes the mean of their latents, array (n, height, width, channels).

        Args:
            images: array (n, height, width, channels). Images in the file's pixel range.
        """
        return self.run("reconstruct", image=images)["image"]

    def infer_codes(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Infers the codes of images, as a dict of arrays.

        A categorical code of K values has `NAME_probabilities`, (n, K), and a continuous code has
        `NAME_mean` and `NAME_stddev`, (n, 1); NAME is the name of the code.

        Args:
            images: array (n, height, width, channels). Images in the file's pixel range.
        """
        return self.run("infer_codes", image=images)

    def run(self, signature: str, /, **arrays: np.ndarray) -> dict[str, np.ndarray]:
        """Calls a signature by its name.

        Args:
            signature: str. Key of `signatures`.
            **arrays: arrays. Inputs by name, with the same number of examples.

        Returns:
            dict from str to array. Outputs by name.

        Raises:
            ValueError: If the signature or an input's name is unknown, a shape, type or range is
                wrong, or the interpreter refuses the file.
        """
        return self.run_all([(signature, arrays)])[0]

    def run_all(self, requests: list[Request]) -> list[dict[str, np.ndarray]]:
        """Calls several signatures, in one process if the file is isolated; see `run`.

        Args:
            requests: list of (signature, dict from name to array).
        """
        batches, owners = [], []
        for number, (name, arrays) in enumerate(requests):
            for batch, length in self._batches(name, self._check(name, arrays)):
                batches.append((name, batch))
                owners.append((number, length))
        with self._lock:
            answers = self._backend(batches)
        gathered = [[] for _ in requests]
        for (number, length), (name, _), answer in zip(owners, batches, answers, strict=True):
            facts = self.signatures[name]["outputs"]
            for key, each in facts.items():
                if key not in answer or list(answer[key].shape[1:]) != each["shape"]:
                    raise ValueError(f"{self.path}: {name} does not return the {key} that it says.")
                if not np.isfinite(answer[key]).all():
                    raise ValueError(
                        f"{self.path}: {name} returns NaN or infinite values as {key}. Its inputs "
                        "are too large, or its weights hold such values."
                    )
            gathered[number].append(
                {key: _dequantize(answer[key], facts[key])[:length] for key in facts}
            )
        return [
            {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
            for parts in gathered
        ]

    def run_compiled(self, requests: list[Request]) -> list[dict[str, np.ndarray] | str | None]:
        """Calls signatures of a `.tflite` by LiteRT's newer API, `CompiledModel`.

        All other methods use LiteRT's `Interpreter`. This one shows whether a file gives the same
        results in an application that uses `CompiledModel`. It runs in a separate process, because
        a file that is not made for that API may crash it.

        Args:
            requests: list of pairs (signature, inputs). The signature is a name, such as
                "generate"; the inputs are a dict from input name to array, as `signatures` lists
                them. The arrays have at most 256 examples each; for a file with a fixed batch size
                exactly that number.

        Returns:
            list with an item for each request: a dict from output name to array, the text of an
            error, or None if the process crashed.
        """
        batches = [
            (name, next(self._batches(name, self._check(name, arrays)))[0])
            for name, arrays in requests
        ]
        content, _ = loading.verified(self.path)
        answers = isolation.run_compiled(self.path, content, batches)
        for index, (name, _) in enumerate(requests):
            if isinstance(answers[index], dict):
                facts = self.signatures[name]["outputs"]
                answers[index] = {
                    key: _dequantize(array, facts[key]) for key, array in answers[index].items()
                }
        return answers

    def _signature(self, name: str) -> dict:
        if name in self.signatures:
            return self.signatures[name]
        reason = self.metadata.get("left_out", {}).get(name)
        why = f": {reason}" if reason else ""
        raise ValueError(
            f"{self.path} has no signature {name!r}{why}; it has {', '.join(self.signatures)}."
            f"{'' if reason else guess(name, self.signatures)}"
        )

    def _numbers(self, name: str) -> int:
        """Number of elements of the largest tensor of a signature, for one example."""
        tensors = [each for kind in self.signatures[name].values() for each in kind.values()]
        return max(math.prod(each["shape"]) for each in tensors)

    def _check_size(self, name: str, count: int):
        """Raises ValueError for a call that a hostile file would make expensive."""
        if self._isolated and count * self._numbers(name) > _ISOLATED_NUMBERS:
            raise ValueError(
                f"{count} examples of {name} make more than {_ISOLATED_NUMBERS} numbers, the most "
                "that an isolated file gives at once; ask for fewer."
            )

    def _check(self, name: str, arrays: Mapping) -> dict[str, np.ndarray]:
        inputs = self._signature(name)["inputs"]
        if set(arrays) != set(inputs):
            raise ValueError(
                f"{name} takes {', '.join(inputs)}; got {', '.join(arrays) or 'none'}."
                f"{guess(next(iter(set(arrays) - set(inputs)), ''), inputs)}"
            )
        checked = {key: _checked(key, arrays[key], facts) for key, facts in inputs.items()}
        counts = {len(checked[key]) for key, facts in inputs.items() if _is_batched(facts)}
        if len(counts) > 1:
            raise ValueError(
                f"All inputs of {name} have the same number of examples, got {sorted(counts)}."
            )
        return checked

    def _batches(self, name: str, arrays: dict):
        """Splits inputs into chunks, each with the number of its examples that count."""
        inputs = self.signatures[name]["inputs"]
        arrays = {key: _quantize(array, inputs[key]) for key, array in arrays.items()}
        if not all(map(_is_batched, inputs.values())):
            yield arrays, None
            return
        fixed, count = self.metadata["batch_size"], len(next(iter(arrays.values())))
        self._check_size(name, count)
        chunk = fixed or min(_CHUNK, max(1, _NUMBERS // self._numbers(name)))
        for start in range(0, count, chunk):
            length = min(chunk, count - start)
            # A fixed batch is padded with copies of the last example.
            rows = np.minimum(np.arange(start, start + (fixed or length)), count - 1)
            yield {key: array[rows] for key, array in arrays.items()}, length


def _is_batched(facts: Mapping) -> bool:
    return facts["kind"] not in ("count", "seed")


def _checked(name: str, value, facts: Mapping) -> np.ndarray:
    array, dtype, shape = np.asarray(value), facts["dtype"], tuple(facts["shape"])
    batched = _is_batched(facts)
    wanted = ("n", *shape) if batched else shape
    if array.shape[batched:] != shape or array.ndim != len(wanted) or (batched and not len(array)):
        raise ValueError(
            f"{name} has shape ({', '.join(map(str, wanted))}){', n at least 1' * batched}; got "
            f"{array.shape}."
        )
    kinds = {"float32": np.floating, "int32": np.integer}
    if not np.issubdtype(array.dtype, kinds.get(dtype, np.dtype(dtype).type)):
        hint = " Divide bytes by 255." if facts["kind"] == "image" and dtype == "float32" else ""
        raise ValueError(f"{name} is {dtype}, got {array.dtype}.{hint}")
    if dtype == "float32":
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds NaN or infinite values.")
        low, high = facts.get("range", (-np.inf, np.inf))
        if array.min() < low or array.max() > high:
            raise ValueError(
                f"{name} is from {low} to {high}, got {array.min():g} to {array.max():g}."
            )
    return array.astype(dtype)


def _draw(draws: np.random.Generator, n: int, facts: Mapping) -> np.ndarray:
    shape = (n, *facts["shape"])
    if facts["kind"] == "category":
        return np.eye(shape[1], dtype=np.float32)[draws.integers(shape[1], size=n)]
    if facts["kind"] == "uniform":
        return draws.uniform(-1, 1, shape).astype(np.float32)
    return draws.standard_normal(shape).astype(np.float32)


def _code_values(name: str, value, n: int, facts: Mapping) -> np.ndarray:
    values = np.asarray(value)
    if values.shape not in ((), (n,)) or not np.issubdtype(values.dtype, np.number):
        raise ValueError(f"{name} is one number or {n} of them, got {value!r}.")
    values = np.broadcast_to(values, (n,))
    if facts["kind"] == "category":
        count = facts["shape"][0]
        if not np.isin(values, np.arange(count)).all():
            raise ValueError(f"{name} is an integer from 0 to {count - 1}, got {value!r}.")
        return np.eye(count, dtype=np.float32)[values.astype(int)]
    low, high = facts.get("range", (-np.inf, np.inf))
    if not (np.isfinite(values).all() and (values >= low).all() and (values <= high).all()):
        raise ValueError(f"{name} is a number from {low} to {high}, got {value!r}.")
    return values[:, None].astype(np.float32)


def _quantize(array: np.ndarray, facts: Mapping) -> np.ndarray:
    """Converts numbers to the int8 inputs of a file: q = x / scale + zero_point."""
    if "quantization" not in facts:
        return array
    scale, zero_point = (facts["quantization"][key] for key in ("scale", "zero_point"))
    return np.clip(np.round(array / scale) + zero_point, -128, 127).astype(np.int8)


def _dequantize(array: np.ndarray, facts: Mapping) -> np.ndarray:
    if "quantization" not in facts:
        return array
    scale, zero_point = (facts["quantization"][key] for key in ("scale", "zero_point"))
    return ((array.astype(np.float32) - zero_point) * scale).astype(np.float32)
