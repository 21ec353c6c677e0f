"""Contents of a `.tflite` file: checks of types, and metadata in JSON."""

import json

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from keras_infomodels.export.loading import BLANK, seal

__all__ = ["Flatbuffer"]

_LARGE = 1024
"""Number of elements below which weights stay float32 in a dynamic-range file, as biases do."""

METADATA = "keras_infomodels"
"""The name of the JSON among the metadata of a file."""

_RESHAPE = schema.BuiltinOperator.RESHAPE

_TYPES = {value: name.lower() for name, value in vars(schema.TensorType).items() if name[0] != "_"}


class Flatbuffer:
    """Parsed bytes of a `.tflite` file.

    Args:
        content: bytes. File contents from the converter.
    """

    def __init__(self, content: bytes):
        self.model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
        self.signatures = {each.signatureKey.decode(): each for each in self.model.signatureDefs}

    def types(self, signature: str, weights: bool = False) -> set[str]:
        """Returns the types of a signature's tensors, without its inputs and outputs.

        Args:
            signature: str. Name of the signature.
            weights: bool. `True` returns only the types of constants with at least two dimensions
                and `_LARGE` elements.
        """
        subgraph = self.model.subgraphs[self.signatures[signature].subgraphIndex]
        ends = {*subgraph.inputs, *subgraph.outputs}
        found = set()
        for index, tensor in enumerate(subgraph.tensors):
            shape = [] if tensor.shape is None else list(tensor.shape)
            constant = self.model.buffers[tensor.buffer].data is not None
            large = constant and len(shape) > 1 and np.prod(shape) >= _LARGE
            if index not in ends and (large or not weights):
                found.add(_TYPES[tensor.type])
        return found

    def check(self, quantize: str | None):
        """Checks that all operators are builtin, and that every subgraph has the expected types.

        The converter leaves a signature without calibration in float32, without a warning.

        Args:
            quantize: str or None. Quantization of the file.

        Raises:
            ValueError: If there is another operator or type.
        """
        for code in self.model.operatorCodes:
            if code.customCode is not None:
                raise ValueError(f"The operator {code.customCode.decode()} is not a builtin one.")
        for name in self.signatures:
            weights = self.types(name, weights=True)
            wanted = {"float16": "float16", "dynamic": "int8", "int8": "int8"}.get(quantize)
            wrong = weights & {"float32", "float16", "int8"} - {wanted or "float32"}
            if quantize == "int8":
                wrong |= self.types(name) & {"float32", "float16"}
            elif quantize is None:
                wrong |= self.types(name) & {"int8", "float16"}
            if wrong:
                raise ValueError(
                    f"The signature {name} holds {', '.join(sorted(wrong))} tensors, which do not "
                    f"belong in a {quantize or 'float32'} file."
                )

    def quantization(self, signature: str, kind: str) -> dict[str, dict]:
        """Returns {"dtype", "scale", "zero_point"} of each int8 input or output, by name.

        Args:
            signature: str. Name of the signature.
            kind: str. "inputs" or "outputs".
        """
        own = self.signatures[signature]
        tensors = self.model.subgraphs[own.subgraphIndex].tensors
        found = {}
        for each in getattr(own, kind):
            tensor = tensors[each.tensorIndex]
            if _TYPES[tensor.type] == "int8":
                found[each.name.decode()] = {
                    "dtype": "int8",
                    "scale": float(tensor.quantization.scale[0]),
                    "zero_point": int(tensor.quantization.zeroPoint[0]),
                }
        return found

    def make_reshapes_stateless(self):
        """Gives every RESHAPE a constant shape, with -1 for the batch.

        Keras computes the shape from the batch of the input (SHAPE, STRIDED_SLICE, PACK), which
        makes a dynamic tensor: LiteRT's `CompiledModel` then returns uninitialized memory.
        """
        for subgraph in self.model.subgraphs:
            for operator in subgraph.operators:
                if self._code(operator) != _RESHAPE or len(operator.inputs) < 2:
                    continue
                shape = subgraph.tensors[operator.outputs[0]].shapeSignature
                shape = [] if shape is None else [int(size) for size in shape]
                computed = self.model.buffers[subgraph.tensors[operator.inputs[1]].buffer].data
                if computed is None and shape.count(-1) == 1:
                    inputs = [operator.inputs[0], self._constant(subgraph, shape)]
                    operator.inputs, unused = inputs, operator.inputs[1]
                    _remove_producers(subgraph, unused)
        self._remove_unused_codes()

    def put_first(self, signature: str):
        """Makes a signature subgraph 0, which clients without support for signatures run."""
        first = self.signatures[signature].subgraphIndex
        order = [first, *(i for i in range(len(self.model.subgraphs)) if i != first)]
        moved = {old: new for new, old in enumerate(order)}
        self.model.subgraphs = [self.model.subgraphs[index] for index in order]
        for each in self.model.signatureDefs:
            each.subgraphIndex = moved[each.subgraphIndex]
        self.model.signatureDefs.sort(key=lambda each: each.subgraphIndex)
        # Operators such as WHILE and IF refer to subgraphs by their index.
        for operator in (each for graph in self.model.subgraphs for each in graph.operators):
            for options in (operator.builtinOptions, operator.builtinOptions2):
                for name, value in vars(options).items() if options is not None else ():
                    if name.lower().endswith("subgraphindex"):
                        setattr(options, name, moved.get(value, value))

    def fix_batch(self):
        """Fixes a free batch at one example, for runtimes that cannot resize their inputs.

        A free axis already has size 1 in a tensor's `shape`; only `shapeSignature` marks it as
        free.
        """
        for subgraph in self.model.subgraphs:
            for tensor in subgraph.tensors:
                if tensor.shapeSignature is not None:
                    tensor.shape = [abs(int(size)) for size in tensor.shapeSignature]
                    tensor.shapeSignature = None

    def _remove_unused_codes(self):
        operators = [each for subgraph in self.model.subgraphs for each in subgraph.operators]
        used = sorted({each.opcodeIndex for each in operators})
        self.model.operatorCodes = [self.model.operatorCodes[index] for index in used]
        for each in operators:
            each.opcodeIndex = used.index(each.opcodeIndex)

    def _code(self, operator: schema.OperatorT) -> int:
        code = self.model.operatorCodes[operator.opcodeIndex]
        return max(code.builtinCode, code.deprecatedBuiltinCode)

    def _constant(self, subgraph: schema.SubGraphT, values: list[int]) -> int:
        """Adds an int32 tensor to a subgraph, and returns its index."""
        buffer, tensor = schema.BufferT(), schema.TensorT()
        buffer.data = list(np.array(values, "<i4").tobytes())
        tensor.name, tensor.type = "shape", schema.TensorType.INT32
        tensor.shape, tensor.buffer = [len(values)], len(self.model.buffers)
        self.model.buffers.append(buffer)
        subgraph.tensors.append(tensor)
        return len(subgraph.tensors) - 1

    def packed(self, document: dict) -> bytes:
        """Returns the file's bytes, with JSON as metadata "keras_infomodels" and a checksum."""
        for name, facts in document["signatures"].items():
            for kind in ("inputs", "outputs"):
                for key, numbers in self.quantization(name, kind).items():
                    facts[kind][key]["quantization"] = numbers
        kept = [each for each in self.model.metadata or [] if _name(each) != METADATA]
        for each in self.model.metadata or []:
            if _name(each) == METADATA:  # an earlier seal would be found first
                self.model.buffers[each.buffer].data = None
        buffer = schema.BufferT()
        buffer.data = list(json.dumps({"sha256": BLANK} | document).encode("ascii"))
        metadata = schema.MetadataT()
        metadata.name, metadata.buffer = METADATA, len(self.model.buffers)
        self.model.buffers.append(buffer)
        self.model.metadata = [*kept, metadata]
        self.model.description = f"{document['model']} by {document['library']}"
        builder = flatbuffers.Builder(0)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return seal(bytes(builder.Output()))


def _name(metadata: schema.MetadataT) -> str:
    name = metadata.name
    return name.decode() if isinstance(name, bytes) else name


def _remove_producers(subgraph: schema.SubGraphT, tensor: int):
    """Removes the operators that compute an unused tensor."""
    used = {*subgraph.outputs, *(i for each in subgraph.operators for i in each.inputs)}
    for operator in list(subgraph.operators):
        if tensor in operator.outputs and not used & {*operator.outputs}:
            subgraph.operators.remove(operator)
            for index in operator.inputs:
                _remove_producers(subgraph, index)
