"""Every operator by itself against ONNX Runtime and finite differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from tests.gradients.operator_cases import CASES, Case
from tests.gradients.oracle import check, write


def described(place: int, one: Case) -> str:
    said = ",".join(f"{key}={value}" for key, value in one.attributes.items())
    return f"{place}-{one.name}-{one.opset}-{said}".replace(" ", "")


@pytest.mark.parametrize(
    "one", [pytest.param(one, id=described(*pair)) for pair in enumerate(CASES) for one in pair[1:]]
)
def test_an_operator(one: Case, tmp_path: Path) -> None:
    constants = {f"c{place}": value for place, value in enumerate(one.inputs) if value is not None}
    names = [f"c{place}" if value is not None else "" for place, value in enumerate(one.inputs)]
    order = ["x", *names] if one.first else [*names, "x"]
    nodes = [helper.make_node(one.name, order, ["y"], **one.attributes)]
    if one.name == "Where":
        nodes = [helper.make_node("Less", ["x", "c0"], ["b"]), helper.make_node("Where", ["b", "x", "c0"], ["y"])]
    x = np.random.default_rng(8).normal(size=one.shape).astype(np.float32)
    path = write(tmp_path / "one.onnx", nodes, one.shape, constants, opset=one.opset)
    check(path, abs(x) + 0.3 if one.positive else x, gradient=one.gradient)
