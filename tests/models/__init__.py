"""Tests of the models in ONNX Runtime."""
