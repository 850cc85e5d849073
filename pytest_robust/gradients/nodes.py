"""Reading the nodes of an ONNX graph: their operator, their name, which of them an output needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_robust.gradients import ops as _registered  # noqa: F401  registers the operators
from pytest_robust.gradients.registry import INSTEAD, Operator, find

if TYPE_CHECKING:
    from pytest_robust.errors import RobustError
    from pytest_robust.models.files import ModelFile


def opsets_of(model: Any) -> dict[str, int]:
    """Domain -> version that the model imports; the default domain has two names, here always the empty one."""
    return {_domain(one): one.version for one in model.opset_import}


def _domain(named: Any) -> str:
    return "" if named.domain == "ai.onnx" else str(named.domain)


def version_of(node: Any, opsets: dict[str, int]) -> int:
    """The version of the node's domain."""
    return opsets.get(_domain(node), 1)


def operator_of(node: Any, opsets: dict[str, int]) -> Operator | None:
    """What runs the node, None where nothing does."""
    return find(_domain(node), node.op_type, version_of(node, opsets))


def label_of(node: Any) -> str:
    """The node's name, or that of its first output."""
    return node.name or next((name for name in node.output if name), "")


def unknown(nodes: list[Any], file: ModelFile) -> RobustError:
    """The error of a model with nodes that nothing runs; it names all of them."""
    listed = ", ".join(f"{node.op_type} (node {label_of(node)!r})" for node in nodes)
    return file.error(f"has operators without a known gradient, {listed}: {INSTEAD}")


def needed(graph: Any, output: str) -> list[Any]:
    """The nodes that the output depends on, in their order."""
    wanted = {output}
    kept = []
    for node in reversed(graph.node):
        if not wanted.isdisjoint(node.output):
            kept.append(node)
            wanted |= _read(node)
    return kept[::-1]


def _read(node: Any) -> set[str]:
    """What a node reads, itself and in its subgraphs."""
    names = set(node.input)
    for attribute in node.attribute:
        names.update(output.name for output in attribute.g.output)
        names.update(*(_read(inner) for inner in attribute.g.node))
    return names
