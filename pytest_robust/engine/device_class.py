"""On which device class a model will run, known before anything is loaded; or not known, and then not guessed."""

from __future__ import annotations

import ctypes
import os
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from pytest_robust.gpus import VISIBLE, visible_gpus
from pytest_robust.models.providers import cpu_class, parse_device
from pytest_robust.models.runtime import installed

_DRIVER = Path("/proc/driver/nvidia")
_CHOOSING = (VISIBLE, "CUDA_DEVICE_ORDER", "NVIDIA_VISIBLE_DEVICES")


class Place(NamedTuple):
    """Where a model runs: the device class, and whether ``auto`` came there because CUDA could not be had."""

    device_class: str
    fell_back: bool = False


def known_place(device: str, integer: bool) -> Place | None:
    """Where every model runs, if that hangs on the machine alone; None where only a session can tell.

    That is the CPU if it is asked for, and for ``auto`` if this ONNX Runtime has no CUDA provider or the machine no
    NVIDIA driver.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        integer: whether the graph has integer kernels.
    """
    kind, _ = parse_device(device)
    if kind == "cpu":
        return Place(cpu_class(integer))
    if kind == "cuda":
        return None
    if not _built_for_cuda():
        return Place(cpu_class(integer))
    return None if _has_driver() else Place(cpu_class(integer), fell_back=True)


def hardware(device: str, driver: Path = _DRIVER) -> list[str] | None:
    """What decides whether a model runs on a GPU, as text; None where the driver does not show its GPUs.

    A model that ran on CUDA will run there again if all of this is as it was: driver, GPUs and those made visible, ONNX
    Runtime and torch, and the device that was asked for. Which one of GPUs of one kind is visible decides nothing: the
    workers of a run have each another one.
    """
    try:
        gpus = sorted((driver / "gpus").iterdir())
        texts = [file.read_text() for file in (driver / "version", *(gpu / "information" for gpu in gpus))]
    except OSError:
        return None
    if not gpus:
        return None
    kinds = {line for text in texts for line in text.splitlines() if line.startswith("Model:")}
    if len(kinds) == 1 and device in ("auto", "cuda"):
        chosen = ["any" if visible_gpus(driver) else "none"]
    else:
        chosen = [f"{name}={os.environ.get(name, '')}" for name in _CHOOSING]
    return [*texts, *chosen, *installed(), metadata.version("torch"), device]


def _built_for_cuda() -> bool:
    """Whether the ONNX Runtime that an import would load brings the CUDA provider; nothing is imported."""
    found = find_spec("onnxruntime")
    folders = (found.submodule_search_locations if found else None) or ()
    return any(any(Path(folder, "capi").glob("*onnxruntime_providers_cuda.*")) for folder in folders)


def _has_driver() -> bool:
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True
