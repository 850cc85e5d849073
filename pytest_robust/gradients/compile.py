"""Which nodes an output needs, and whether every one of them can be run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnx
import onnx.inliner

from pytest_robust.gradients.builder import STRUCTURAL, Builder
from pytest_robust.gradients.nodes import needed, operator_of, opsets_of, unknown, version_of
from pytest_robust.gradients.program import IMAGES, Program

if TYPE_CHECKING:
    from pytest_robust.models.files import ModelFile

_OLDEST = 7


def compiled(model: Any, output: str, images: str, file: ModelFile) -> Program:
    """The program that makes the value `output` from the value `images`.

    Raises:
        RobustError: an operator, or a part of one, is not covered; the opset is too old; the graph is not whole.
    """
    opset = opsets_of(model).get("", onnx.defs.onnx_opset_version())
    if opset < _OLDEST:
        raise file.error(f"has the opset {opset}: convert it to {_OLDEST} or later with onnx.version_converter")
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    lacking = _lacking(model, output)
    if lacking:
        # Many operators are defined by others: put their definition in their place.
        names = list({(node.domain, node.op_type) for node in lacking})
        _complete(lacking, opsets_of(model))
        model = onnx.inliner.inline_selected_functions(model, names, inline_schema_functions=True)
        lacking = _lacking(model, output)
    if lacking:
        raise unknown(lacking, file)
    builder = Builder(model, file)
    builder.slots[images] = IMAGES
    for node in needed(model.graph, output):
        builder.add(node)
    return builder.finished(output)


def _complete(nodes: list[Any], opsets: dict[str, int]) -> None:
    """Write down the attributes that are left to their defaults: definitions refer to them by name."""
    for node in nodes:
        try:
            schema = onnx.defs.get_schema(node.op_type, version_of(node, opsets), node.domain)
        except onnx.defs.SchemaError:
            continue
        given = {attribute.name for attribute in node.attribute}
        node.attribute.extend(
            attribute.default_value
            for name, attribute in schema.attributes.items()
            if name not in given and attribute.default_value.name
        )


def _lacking(model: Any, output: str) -> list[Any]:
    opsets = opsets_of(model)
    return [
        node
        for node in needed(model.graph, output)
        if node.op_type not in STRUCTURAL and operator_of(node, opsets) is None
    ]
