"""Which ONNX operators can be run under autograd, and what an operator is told about its node.

An operator is a factory: it reads the node's attributes once, when the graph is loaded, and gives back the kernel, the
function from input tensors to output tensors that every run calls. A kernel keeps no tensor of its own, so that moving
the graph to another device or precision moves all of it.

Kernels meet three kinds of tensor:

- floats, in the one precision of the graph whatever ONNX float type the model declares. Integers of 16 bits or less
  are quantized values and are floats too, so that gradients reach through them;
- int64 for all other integers: shapes and indices, on the CPU unless they were computed from floats;
- bool.

An optional input that the node leaves out is None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from pytest_robust.errors import RobustError
    from pytest_robust.models.files import ModelFile

INSTEAD = "use a black-box attack for this model (attack: square)"
"""What a user can do about a graph that gives no gradient."""

Kernel = Callable[..., Any]
"""Input tensors -> one tensor, or a tuple of them where the operator has several outputs."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a graph, as its operator's factory sees it.

    Attributes:
        kind: the operator's name.
        label: the node's name in the file, or its first output's where it has none.
        opset: the version of the operator's domain that the model imports.
        attributes: name -> number, text, list or `TensorProto`.
        constants: value per input, None where it is computed at run time or left out.
        types: ONNX element type per input where it is known, else 0.
        outputs: how many outputs are wanted, the last ones being optional.
        file: the model, for messages.
    """

    kind: str
    label: str
    opset: int
    attributes: dict[str, Any]
    constants: tuple[torch.Tensor | None, ...]
    types: tuple[int, ...]
    outputs: int
    file: ModelFile

    def get(self, name: str, default: Any = None) -> Any:
        """The attribute of that name, `default` where the node does not set it."""
        return self.attributes.get(name, default)

    def scalar(self, index: int, default: float | None = None) -> float | None:
        """The constant input at `index` as a number; `default` where it is left out.

        Raises:
            RobustError: it is computed at run time.
        """
        if index >= len(self.constants) or self.types[index] == ABSENT:
            return default
        value = self.constants[index]
        if value is None:
            raise self.refuse(f"computes its input {index} at run time")
        return float(value.reshape(()))

    def refuse(self, what: str) -> RobustError:
        """The error of a node that uses a part of its operator which is not covered; `what` is the predicate."""
        return self.file.error(
            f"has the node {self.label!r} ({self.kind}), which {what}: no gradient is known for that; {INSTEAD}"
        )


ABSENT = -1
"""`Node.types` of an input that the node leaves out."""


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator as it is from one version of its domain on.

    Attributes:
        since: the first version that it holds for.
        factory: see the module.
        anchored: the kernel takes first an empty float tensor, whose precision and device are the graph's.
    """

    since: int
    factory: Callable[[Node], Kernel]
    anchored: bool


_OPERATORS: dict[tuple[str, str], list[Operator]] = {}


def operator(
    *names: str, since: int = 1, domain: str = "", anchored: bool = False
) -> Callable[[Callable[[Node], Kernel]], Callable[[Node], Kernel]]:
    """Register a factory as the ONNX operators `names` of `domain`, from its version `since` on."""

    def register(factory: Callable[[Node], Kernel]) -> Callable[[Node], Kernel]:
        for name in names:
            _OPERATORS.setdefault((domain, name), []).append(Operator(since, factory, anchored))
        return factory

    return register


def functions(table: Mapping[str, Kernel]) -> None:
    """Register operators that have no attributes: name -> kernel."""
    for name, kernel in table.items():
        operator(name)(_always(kernel))


def _always(kernel: Kernel) -> Callable[[Node], Kernel]:
    return lambda node: kernel


def find(domain: str, name: str, opset: int) -> Operator | None:
    """The operator as a model that imports `opset` of `domain` means it, None where there is none."""
    known = [one for one in _OPERATORS.get((domain, name), ()) if one.since <= opset]
    return max(known, key=lambda one: one.since) if known else None
