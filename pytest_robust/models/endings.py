"""What a graph does last, and so whether an output holds logits or probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

OutputKind = Literal["logits", "probabilities"]

_PASSING = {
    *("Cast", "DequantizeLinear", "Dropout", "Flatten", "Gather", "Identity", "QuantizeLinear", "Reshape", "Slice"),
    *("Split", "Squeeze", "Transpose", "Unsqueeze"),
}
"""These pass probabilities on as they are, or leave some out."""

_BENDING = {
    *_PASSING,
    *("Add", "AveragePool", "BatchNormalization", "Clip", "Div", "GlobalAveragePool", "Mul", "ReduceMean", "Relu"),
    *("Sub", "QLinearAdd", "QLinearAveragePool", "QLinearGlobalAveragePool"),
}
"""Behind these is something else than before them, but behind logits again logits."""

_LINEAR = {
    *("Conv", "ConvInteger", "FusedConv", "FusedGemm", "FusedMatMul", "Gemm", "MatMul", "MatMulInteger", "MatMulNBits"),
    *("QGemm", "QLinearConv", "QLinearMatMul"),
    "LogSoftmax",  # the softmax of log-probabilities is the probabilities
}
_SOFTMAX = ("Softmax", "QLinearSoftmax")


def endings(graph: Any) -> dict[str, str]:
    """By output of an ONNX graph ``logits``, ``probabilities``, or the operator that hides which.

    An output is of probabilities if nothing but moved or left out values lies between it and a softmax, and of logits
    if a linear operator is the last one that does more than bend its results.
    """
    makers = {name: node for node in graph.node for name in node.output}
    return {output.name: _ending(makers, output.name) for output in graph.output}


def _ending(makers: Mapping[str, Any], name: str) -> str:
    while (last := makers.get(name)) is not None and last.op_type in _PASSING:
        name = last.input[0]
    if last is None:
        return "its input"
    if last.op_type in _SOFTMAX:
        return "probabilities"
    waiting, seen = [name], {name}
    while waiting:
        node = makers[waiting.pop()]
        if node.op_type in _LINEAR:
            return "logits"
        if node.op_type in _BENDING:
            new = {source for source in node.input if source in makers} - seen
            waiting += new
            seen |= new
    return str(last.op_type)
