"""An enhancer as one ONNX file, written only if ONNX Runtime makes of it what torch does."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pytest_robust.errors import RobustError
from pytest_robust.models.runtime import load_runtime
from pytest_robust.whole_file import replace

if TYPE_CHECKING:
    from pytest_robust.enhance.enhancer import DynTTA

OUTPUTS = ("image", "magnitudes", "weights")
"""What the file gives; a spec's enhancer takes the first."""

TOLERANCE = 1e-4
"""By how much a pixel or a weight may differ, or a magnitude as a share of the largest."""

_OPSET = 17


def export(enhancer: DynTTA, path: Path, pixels: torch.Tensor) -> float:
    """Write an enhancer as a file that takes any number of images of any size.

    Args:
        enhancer: put into eval mode, and moved to the CPU.
        path: where to; replaced in one step.
        pixels: some images to hold the file to, in [0, 1], (N, 3, H, W).

    Returns:
        The largest difference between ONNX Runtime and torch on them.

    Raises:
        RobustError: it is above `TOLERANCE`, or the file cannot be written.
    """
    enhancer, pixels = enhancer.eval().cpu(), pixels.cpu()
    content = serialised(enhancer, pixels[:1])
    found = difference(enhancer, content, pixels)
    if not found <= TOLERANCE:
        raise RobustError(
            f"{path} was not written: ONNX Runtime differs from torch by {found:.1e}, more than {TOLERANCE:.0e}; train "
            "with a smaller learning rate, or install another onnxruntime"
        )
    replace(path, content, "enhancer")
    return found


def serialised(enhancer: DynTTA, pixels: torch.Tensor) -> bytes:
    """The ONNX file of a module in eval mode on the CPU, traced on images (N, 3, H, W).

    Raises:
        RobustError: the exporter cannot write into the folder for temporary files.
    """
    try:
        return _exported(enhancer, pixels)
    except OSError as error:
        raise RobustError(
            f"the folder for temporary files cannot be written ({error.strerror}); make room there, or name another "
            "one by the variable TMPDIR"
        ) from error


def _exported(enhancer: DynTTA, pixels: torch.Tensor) -> bytes:
    images = {0: "batch", 2: "height", 3: "width"}
    axes: dict[str, Any] = {"pixels": images, "image": images, "magnitudes": {0: "batch"}, "weights": {0: "batch"}}
    with tempfile.TemporaryDirectory(prefix="pytest-robust-") as folder, warnings.catch_warnings():
        # the newer exporter wants a package more, and this one announces its end
        warnings.simplefilter("ignore")
        torch.onnx.export(
            enhancer,
            (pixels,),
            str(Path(folder, "enhancer.onnx")),
            input_names=["pixels"],
            output_names=list(OUTPUTS),
            dynamic_axes=axes,
            opset_version=_OPSET,
            dynamo=False,
        )
        return Path(folder, "enhancer.onnx").read_bytes()


def difference(enhancer: DynTTA, content: bytes, pixels: torch.Tensor) -> float:
    """How far ONNX Runtime's outputs are from torch's at most, as a share of an output's largest value if above 1.

    Args:
        enhancer: in eval mode, on the CPU.
        content: its ONNX file.
        pixels: images (N, 3, H, W).
    """
    runtime = load_runtime()
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    made = session.run(list(OUTPUTS), {"pixels": pixels.numpy()})
    with torch.no_grad():
        expected = [one.numpy() for one in enhancer(pixels)]
    return max(
        float(np.abs(one - other).max() / max(1.0, np.abs(other).max()))
        for one, other in zip(made, expected, strict=True)
    )
