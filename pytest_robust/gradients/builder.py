"""From the nodes of a graph to a program: values get slots, what is constant is run at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import torch

from pytest_robust.gradients.nodes import label_of, operator_of, opsets_of, unknown, version_of
from pytest_robust.gradients.program import ANCHOR, IMAGES, NOTHING, Program, Step, call
from pytest_robust.gradients.registry import ABSENT, INSTEAD, Node
from pytest_robust.gradients.tensors import QUANTIZED, known, tensor_of

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_robust.models.files import ModelFile


STRUCTURAL = ("Constant", "If")
"""Operators that the builder itself takes care of."""

_NUMBERS = {"value_float": "float32", "value_floats": "float32", "value_int": "int64", "value_ints": "int64"}


class Builder:
    """Gives values their slots, runs what is constant, and collects the rest as steps."""

    def __init__(self, model: Any, file: ModelFile) -> None:
        self.slots: dict[str, int] = {"": NOTHING}
        self._file = file
        self._opsets = opsets_of(model)
        self._stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self._values: dict[int, Tensor] = {ANCHOR: torch.empty(())}
        self._types: dict[int, int] = {NOTHING: ABSENT}
        self._steps: list[Step] = []
        self._next = IMAGES + 1

    def add(self, node: Any) -> None:
        """Fold the node or append it as a step."""
        if node.op_type == "Constant":
            self._constant(node)
        elif node.op_type == "If":
            self._branch(node)
        else:
            self._operate(node)

    def finished(self, output: str) -> Program:
        """What is left to be done, without what nothing uses."""
        result = self._slot(output)
        if result in self._values:
            raise self._file.error(f"gives the same {output!r} whatever the image is: {INSTEAD}")
        used = {result}
        steps = []
        for step in reversed(self._steps):
            if used.isdisjoint(step.outputs):
                continue
            last = tuple(slot for slot in {*step.inputs, *step.outputs} - used if slot not in self._values)
            used.update(step.inputs)
            steps.append(Step(step.kernel, step.inputs, step.outputs, last, step.label))
        constants = {slot: value for slot, value in self._values.items() if slot in used and slot != ANCHOR}
        quantized = frozenset(slot for slot in constants if self._types.get(slot) in QUANTIZED)
        return Program(tuple(reversed(steps)), constants, result, self._next, quantized)

    def _slot(self, name: str) -> int:
        if name not in self.slots and name in self._stored:
            self._keep(name, self._stored[name])
        if name not in self.slots:
            raise self._file.error(f"reads the value {name!r}, which nothing in it makes: export it again")
        return self.slots[name]

    def _new(self, name: str) -> int:
        slot, self._next = self._next, self._next + 1
        if name:
            self.slots[name] = slot
        return slot

    def _keep(self, name: str, proto: Any) -> None:
        if not known(proto.data_type):
            kind = onnx.TensorProto.DataType.Name(proto.data_type)
            raise self._file.error(f"has the constant {name!r} of type {kind}, which has no gradient here: {INSTEAD}")
        slot = self._new(name)
        self._values[slot], self._types[slot] = tensor_of(proto), proto.data_type

    def _constant(self, node: Any) -> None:
        attribute = node.attribute[0]
        value = onnx.helper.get_attribute_value(attribute)
        if attribute.name in _NUMBERS:
            value = onnx.numpy_helper.from_array(np.array(value, _NUMBERS[attribute.name]))
        elif attribute.name != "value":
            raise self._file.error(f"has a constant given by {attribute.name} (node {label_of(node)!r}): {INSTEAD}")
        self._keep(node.output[0], value)

    def _branch(self, node: Any) -> None:
        """Put the branch that is taken in the place of the node."""
        condition = self._values.get(self._slot(node.input[0]))
        if condition is None:
            raise self._file.error(
                f"chooses a branch by what it computes (If, node {label_of(node)!r}), which has no known gradient: "
                f"{INSTEAD}"
            )
        chosen = "then_branch" if bool(condition) else "else_branch"
        graph = next(attribute.g for attribute in node.attribute if attribute.name == chosen)
        self._stored |= {tensor.name: tensor for tensor in graph.initializer}
        for inner in graph.node:
            self.add(inner)
        for outer, inner in zip(node.output, graph.output, strict=True):
            self.slots[outer] = self._slot(inner.name)

    def _operate(self, node: Any) -> None:
        found = operator_of(node, self._opsets)
        if found is None:
            raise unknown([node], self._file)
        slots = tuple(self._slot(name) for name in node.input)
        kernel = found.factory(
            Node(
                kind=node.op_type,
                label=label_of(node),
                opset=version_of(node, self._opsets),
                attributes={one.name: _attribute(one) for one in node.attribute},
                constants=tuple(self._values.get(slot) for slot in slots),
                types=tuple(self._types.get(slot, 0) for slot in slots),
                outputs=max((place for place, name in enumerate(node.output, 1) if name), default=0),
                file=self._file,
            )
        )
        inputs = (ANCHOR, *slots) if found.anchored else slots
        outputs = tuple(self._new(name) for name in node.output)
        step = Step(kernel, inputs, outputs, (), f"{label_of(node)!r} ({node.op_type})")
        if all(slot == NOTHING or slot in self._values for slot in inputs):
            self._fold(step)
        else:
            self._steps.append(step)

    def _fold(self, step: Step) -> None:
        with torch.no_grad():
            made = call(step, [self._values.get(slot) for slot in step.inputs], self._file)
        self._values.update(zip(step.outputs, made, strict=False))


def _attribute(attribute: Any) -> Any:
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, Sequence):
        return list(value)
    return value
