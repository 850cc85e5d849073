"""`pytest-robust doctor`: can this machine run a spec, and if not, why?"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_robust.errors import Mark, RobustError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pytest_robust.models import Model

NAME = "doctor"
HELP = "find out whether this installation can run a spec, and on what"
DESCRIPTION = """\
Check the installation: the onnxruntime distributions and whether they overwrite each other,
its providers, the CUDA libraries and driver and why CUDA cannot be used, the GPUs that
workers share, the shifts that a GPU makes and those that are made on the host all the same,
the OpenCV distributions, the libraries that shifts depend on; then run a model of one node
on the device, on an array and on a tensor that it reads in place, and look at its answers.
Reads no spec and writes nothing."""
EPILOG = """\
exit codes: 0 all is well, 1 something is broken, 2 the command line is wrong

examples:
  pytest-robust doctor
  pytest-robust doctor --device cuda     a machine without CUDA is then broken
"""

OPENCV = (
    "opencv-python-headless",
    "opencv-python",
    "opencv-contrib-python-headless",
    "opencv-contrib-python",
)
_LIBRARIES = (("torch", "torch"), ("numpy", "numpy"), ("scipy", "scipy"), ("pillow", "PIL"), ("onnx", "onnx"))


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis."""

    about: str
    text: str
    broken: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:N, as in a run")


def run(asked: argparse.Namespace) -> int:
    """Print the findings."""
    from pytest_robust.models.providers import parse_device

    parse_device(asked.device)
    broken = 0
    for found in diagnose(asked.device):
        print(f"{'BROKEN' if found.broken else 'ok':<6}  {found.about:<12}  {found.text}", flush=True)
        broken += found.broken
    print(f"{broken} broken" if broken else "all is well")
    return 1 if broken else 0


def diagnose(device: str) -> Iterator[Finding]:
    """Everything that is to be said of this installation, in order."""
    version = importlib.metadata.version("pytest-robust") if _versions(["pytest-robust"]) else "not installed"
    yield Finding("versions", f"pytest-robust {version}, Python {sys.version.split()[0]}, pytest {_version('pytest')}")
    for distribution, module in _LIBRARIES:
        yield _library(distribution, module)
    yield opencv()
    runtime, found = _runtime()
    yield found
    if runtime is None:
        return
    yield Finding("providers", ", ".join(runtime.get_available_providers()))
    yield _cuda(runtime, device)
    yield gpus()
    yield _shifts()
    yield from _session(device)


def opencv(search: Sequence[str] | None = None) -> Finding:
    """The OpenCV distributions: all of them write into the one folder `cv2`, so there may be but one.

    Args:
        search: folders to look in; `sys.path` by default.
    """
    there = _versions(OPENCV, search)
    listed = ", ".join(f"{name} {version}" for name, version in there.items())
    if not there:
        return Finding("opencv", "not installed: run pip install opencv-python-headless", broken=True)
    if len(there) > 1:
        return Finding(
            "opencv",
            f"{listed} are installed over each other's files: run pip uninstall -y {' '.join(there)}, then "
            "pip install opencv-python-headless",
            broken=True,
        )
    if search is None and (error := _import_error("cv2")):
        return Finding("opencv", f"{listed} cannot be imported ({error}): install it again", broken=True)
    return Finding("opencv", listed)


def _library(distribution: str, module: str) -> Finding:
    if error := _import_error(module):
        return Finding(distribution, f"cannot be imported ({error}): run pip install {distribution}", broken=True)
    return Finding(distribution, _version(distribution))


def _runtime() -> tuple[Any, Finding]:
    from pytest_robust.models.runtime import installed, load_runtime

    try:
        name, version = installed()
        return load_runtime(), Finding("onnxruntime", f"{name} {version}")
    except RobustError as error:
        return None, Finding("onnxruntime", str(error), broken=True)


def _cuda(runtime: Any, device: str) -> Finding:
    from pytest_robust.models.providers import CudaUnavailableError, cuda_class, parse_device, require_cuda

    kind, index = parse_device(device)
    if kind == "cpu":
        return Finding("cuda", "not asked for")
    try:
        require_cuda(runtime, index)
    except CudaUnavailableError as error:
        return Finding("cuda", f"not available: {error}", broken=kind == "cuda")
    import torch

    return Finding("cuda", f"cuda:{index} is {torch.cuda.get_device_name(index)} ({cuda_class(index)})")


def gpus() -> Finding:
    """The GPUs that `pytest -n auto` starts a worker for; nothing is loaded to see them."""
    from pytest_robust.gpus import VISIBLE, visible_gpus

    seen = visible_gpus()
    if not seen:
        return Finding("gpus", f"none is visible (by {VISIBLE} and the NVIDIA driver)")
    return Finding("gpus", f"{', '.join(seen)}: pytest -n auto --robust-spec=... starts a worker for each")


def _shifts() -> Finding:
    from pytest_robust.api import list_shifts

    pixel = [shift for shift in list_shifts() if shift.kind == "pixel"]
    host = [f"{shift.suite}.{shift.name}" for shift in pixel if not shift.on_device]
    said = f"a GPU makes {len(pixel) - len(host)} of {len(pixel)} itself"
    return Finding("shifts", f"{said}, the host makes {', '.join(host)}" if host else said)


def _session(device: str) -> Iterator[Finding]:
    """Run a model of one node: a convolution that hands a pixel's red, green and blue on as three scores."""
    import numpy as np

    from pytest_robust.models import open_model
    from pytest_robust.spec.plan import ModelPlan, PathText, Preprocess

    try:
        with tempfile.TemporaryDirectory(prefix="pytest-robust-doctor-") as folder:
            path = Path(folder) / "doctor.onnx"
            path.write_bytes(_one_node())
            mark = Mark("doctor", 1, 1)
            plan = ModelPlan("doctor", PathText(path.name, path.parent, mark), mark, preprocess=Preprocess(size=1))
            model = open_model(plan, device=device, classes=3, threads=1, batch_size=2)
            pixels = np.eye(3, dtype=np.uint8).reshape(3, 1, 1, 3) * 255
            copied = model.predict(pixels).predicted.tolist()
            bound = None if _import_error("torch") else _bound(model, pixels)
            made, on_gpu = model.provenance, model.gpu is not None
            model.close()
    except RobustError as error:
        yield Finding("session", re.sub(r"^doctor:1:1: the model \S+ ", "the model ", str(error)), broken=True)
        return
    where = f"{made.device}, device class {made.device_class}"
    yield _answered("session", copied, f"a model of one node answers rightly on {where}", made.device)
    used = "so a run feeds it" if on_gpu else "a run feeds it arrays, as on every CPU"
    if bound is not None:
        yield _answered("binding", bound, f"and to a tensor that it reads in place: {used}", made.device)


def _bound(model: Model, pixels: NDArray[np.uint8]) -> list[int]:
    """The model's answers to a tensor on its own device."""
    import torch

    there = torch.device("cpu") if model.gpu is None else torch.device("cuda", model.gpu)
    answers: list[int] = model.predict(torch.tensor(pixels, device=there)).predicted.tolist()
    return answers


def _answered(about: str, answers: list[int], well: str, device: str) -> Finding:
    if answers == [0, 1, 2]:
        return Finding(about, well)
    return Finding(about, f"a model of one node answers {answers} on {device}, not [0, 1, 2]", broken=True)


def _one_node() -> bytes:
    from onnx import TensorProto, helper

    weights = helper.make_tensor("weights", TensorProto.FLOAT, [3, 3, 1, 1], [1, 0, 0, 0, 1, 0, 0, 0, 1])
    graph = helper.make_graph(
        [helper.make_node("Conv", ["image", "weights"], ["scores"])],
        "doctor",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 1, 1])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3, 1, 1])],
        [weights],
    )
    made: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    return made


def _import_error(module: str) -> str | None:
    """Why a module cannot be imported, on one line; None if it can."""
    try:
        with contextlib.redirect_stderr(None):
            importlib.import_module(module)
    except Exception as error:  # a broken wheel raises nearly anything: ImportError, OSError, AttributeError
        return " ".join(f"{type(error).__name__}: {error}".split())
    return None


def _versions(names: Sequence[str], search: Sequence[str] | None = None) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in importlib.metadata.distributions(path=list(sys.path if search is None else search)):
        name = re.sub(r"[-_.]+", "-", one.name or "").lower()
        if name in names:
            found.setdefault(name, one.version)
    return found


def _version(distribution: str) -> str:
    return _versions([distribution]).get(distribution, "of unknown version")
