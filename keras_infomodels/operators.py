"""Checks of the operators in a SavedModel, before it is loaded."""

import re
from collections.abc import Iterable
from pathlib import Path

__all__ = ["check_operators", "foreign_operators"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HARMLESS = _names(
    """
    Assert Assign AssignAddVariableOp AssignSubVariableOp AssignVariableOp Case DestroyResourceOp
    DisableCopyOnRead GuaranteeConst If Multinomial ParameterizedTruncatedNormal RandomGamma
    RandomPoisson RandomPoissonV2 RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt
    ReadVariableOp ResourceGather ResourceGatherNd StatefulPartitionedCall TruncatedNormal
    VarHandleOp VarIsInitializedOp Variable VariableShape VariableV2 While
    """
)
"""Operators that TensorFlow marks as stateful, and that touch variables and random numbers alone.
"""

_HARMFUL = re.compile(
    "ReadFile|MatchingFiles|ImmutableConst|PyFunc.*|Debug.*|.*Dataset.*|GenerateVocabRemapping|"
    "LoadAndRemapMatrix|.*(Reader|Writer|Checkpoint|TextFile).*|Print.*|Abort"
)
"""Operators of files, of Python and of other processes that TensorFlow does not mark."""

_SAVING = {"MergeV2Checkpoints", "RestoreV2", "SaveV2", "ShardedFilename"}
_SAVER = re.compile(r"__inference__traced_(save|restore)(_\d+)?")


def check_operators(folder: str | Path):
    """Raises an error for a SavedModel with operators that may read or write files or run code.

    Args:
        folder: str or Path. Folder with saved_model.pb.

    Raises:
        FileNotFoundError: If the folder is not a SavedModel.
        ValueError: If the SavedModel is damaged, or has such operators.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    path = Path(folder) / "saved_model.pb"
    try:
        document = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except DecodeError as error:
        raise ValueError(f"{folder} cannot be opened: saved_model.pb is damaged.") from error
    if found := foreign_operators(document.meta_graphs):
        names = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
        raise ValueError(
            f"{folder} holds the operators {names}, which may read or write files or run code. If "
            "you trust where it is from, pass trust=True, or --trust on the command line."
        )


def foreign_operators(graphs: Iterable) -> list[str]:
    """Returns the sorted names of operators that are not known to be pure computations.

    The functions with which TensorFlow saves and restores variables are left out, unless another
    function calls them.

    Args:
        graphs: iterable of MetaGraphDef messages.
    """
    found = set()
    for graph in graphs:
        functions = {
            each.signature.name: each.node_def for each in graph.graph_def.library.function
        }
        savers = {name for name in functions if _SAVER.fullmatch(name)}
        main = graph.graph_def.node
        # The main graph calls them by the two tensors that it names for this.
        ends = {graph.saver_def.save_tensor_name, graph.saver_def.restore_op_name}
        ends = {name.partition(":")[0] for name in ends}
        bodies = [[node for node in main if node.name not in ends]]
        bodies += [nodes for name, nodes in functions.items() if name not in savers]
        called = {name for nodes in bodies for node in nodes for name in _called(node)}
        for name, nodes in [("", nodes) for nodes in bodies] + [(n, functions[n]) for n in savers]:
            allowed = _SAVING if name in savers - called else set()
            known = {*functions, *allowed}
            found |= {node.op for node in nodes if node.op not in known and _is_foreign(node.op)}
    return sorted(name if name.isidentifier() else repr(name)[:40] for name in found)


def _called(node) -> set[str]:
    """The functions that a node names."""
    values = node.attr.values()
    names = {each.func.name for each in values if each.HasField("func")}
    return names | {func.name for each in values for func in each.list.func}


def _is_foreign(operator: str) -> bool:
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(operator)
    if definition is None or _HARMFUL.fullmatch(operator):
        return True
    return definition.is_stateful and operator not in _HARMLESS
