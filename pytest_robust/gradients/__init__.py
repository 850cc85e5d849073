"""Gradients of a model that is given only as an ONNX file: its graph run as torch functions under autograd."""

from pytest_robust.gradients.graph import TorchGraph, load

__all__ = ["TorchGraph", "load"]
