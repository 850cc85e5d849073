"""Versions of what computes: with another one the same content may give another measurement."""

from __future__ import annotations

from importlib import metadata

from pytest_robust.models.runtime import installed

_COMPUTING = ("pytest-robust", "pillow", "numpy", "opencv-python-headless", "scipy", "torch")


def software() -> list[str]:
    """ONNX Runtime as it is installed, and the versions of all else that makes images and numbers."""
    return [*installed(), *(_version(name) for name in _COMPUTING)]


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "none"
