"""Where a model runs: the choice of a device, the proof that it runs there, and its device class.

ONNX Runtime falls back to the CPU in silence in several ways, so a session that was asked for CUDA is
believed only after its provider and the placement of its nodes were read back.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pytest_robust.errors import RobustError
from pytest_robust.models.runtime import quiet, telling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
CudaMode = Literal["exact", "fast"]
_CUDA_MODES: dict[CudaMode, dict[str, str]] = {
    "exact": {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC"},
    "fast": {"use_tf32": "1", "cudnn_conv_algo_search": "EXHAUSTIVE"},
}
"""``exact``: full float32, and kernels chosen by rule. ``fast``: products of float32 rounded to 10 bits of mantissa,
and kernels that are timed at the start, so that the next session may choose others."""

_COMPUTE = (
    *("Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum", "Attention", "LSTM", "GRU", "RNN"),
    *("FusedConv", "FusedGemm", "FusedMatMul", "NhwcConv", "NhwcFusedConv", "MultiHeadAttention"),
    *("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "QGemm", "QAttention", "MatMulNBits"),
    *("DynamicQuantizeMatMul", "MatMulIntegerToFloat", "BatchNormalization", "LayerNormalization"),
)


class CudaUnavailableError(RobustError):
    """CUDA was asked for and the model cannot run there; the sentence says why."""


def cuda_options(mode: CudaMode) -> dict[str, str]:
    """The options of ONNX Runtime's CUDA provider, as they are recorded with every measurement."""
    return {**_CUDA_MODES[mode], "do_copy_in_default_stream": "1"}


def parse_device(text: str) -> tuple[str, int]:
    """Kind (``auto``, ``cpu`` or ``cuda``) and number of the GPU; ``cuda`` is ``cuda:0``.

    Raises:
        RobustError: another text.
    """
    match = re.fullmatch(r"(auto|cpu|cuda)|(cuda):(\d{1,3})", text)
    if not match:
        raise RobustError(f"the device {text!r} is not known: choose auto, cpu, cuda or cuda:N")
    return match[1] or match[2], int(match[3] or 0)


def require_cuda(runtime: Any, index: int) -> None:
    """Load what a CUDA session needs, in the order that lets ONNX Runtime find torch's libraries.

    Raises:
        CudaUnavailableError: a build without CUDA, no driver, or no such GPU.
    """
    if CUDA not in runtime.get_available_providers():
        raise CudaUnavailableError("this onnxruntime is built without CUDA; install pytest-robust[cuda]")
    driver = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        ctypes.CDLL(driver)
    except OSError:
        raise CudaUnavailableError(f"no NVIDIA driver was found on this machine ({driver})") from None
    import torch

    count = torch.cuda.device_count()
    if not torch.cuda.is_available() or index >= count:
        raise CudaUnavailableError(
            f"torch {torch.__version__} sees {count} GPUs, not cuda:{index}; install a CUDA build of torch "
            "and check nvidia-smi"
        )
    with quiet():
        runtime.preload_dlls()


def on_cuda(make: Callable[[], Any], index: int) -> Any:
    """Make a session on a GPU and hold it to that: its provider, and where its compute nodes were placed.

    Shape arithmetic that ONNX Runtime itself puts on the CPU is no fall-back.

    Args:
        make: creates the session, with ``session.record_ep_graph_assignment_info``.
        index: number of the GPU.

    Raises:
        CudaUnavailableError: it cannot be made, or runs on the CPU, wholly or in the compute nodes it names.
    """
    session, error = None, ""
    with quiet() as said:
        try:
            session = make()
        except Exception as raised:  # ONNX Runtime's exceptions share no base of their own
            error = str(raised)
    if session is None or session.get_providers()[0] != CUDA:
        raise CudaUnavailableError(f"cuda:{index} failed: {cuda_reason(chr(10).join([*said, error]))}")
    if fault := placement_fault(placements(session), CUDA):
        raise CudaUnavailableError(fault)
    return session


def cuda_reason(log: str) -> str:
    """The telling part of what ONNX Runtime logged when CUDA did not start."""
    missing = re.search(r'(\S+): cannot open shared object file|"(\S+\.dll)" which is missing', log)
    if missing:
        return f"the CUDA library {missing[1] or missing[2]} cannot be loaded; install pytest-robust[cuda]"
    plain = re.sub(r"\x1b\[[\d;]*m", "", log)
    errors = [line for line in plain.splitlines() if "[E:onnxruntime" in line] or plain.strip().splitlines()
    if not errors:
        return "onnxruntime gave no reason"
    return telling(re.sub(r"^\S+ \S+ \[E:[^\]]*\] ", "", errors[0]))


def placements(session: Any) -> list[tuple[str, str]]:
    """(provider, operator) of every node of a session.

    It must have been made with ``session.record_ep_graph_assignment_info``.
    """
    parts = session.get_provider_graph_assignment_info()
    return [(str(part.ep_name), str(node.op_type)) for part in parts for node in part.get_nodes()]


def placement_fault(nodes: Sequence[tuple[str, str]], provider: str) -> str | None:
    """What is wrong with where nodes were placed, None if all compute nodes (convolutions, products) are right.

    Args:
        nodes: see `placements`.
        provider: where they were to be.
    """
    computing = [(place, operator) for place, operator in nodes if operator in _COMPUTE]
    off = Counter(operator for place, operator in computing if place != provider)
    if not off:
        return None
    named = ", ".join(f"{name} ({count} node{'s' * (count > 1)})" for name, count in sorted(off.items()))
    return (
        f"onnxruntime placed {off.total()} of the {len(computing)} compute nodes of this model on the CPU, for want of "
        f"a CUDA kernel: {named}"
    )


def cuda_class(index: int) -> str:
    """Device class of a GPU by its compute capability: ``cuda-sm90``."""
    import torch

    return "cuda-sm{}{}".format(*torch.cuda.get_device_capability(index))


def cpu_class(integer: bool) -> str:
    """Device class of a graph on this CPU: `cpu`, or `cpu-<isa>` for graphs with integer kernels.

    Integer kernels differ in where they saturate and round (u8 x s8 products saturate at 16 bits without
    VNNI), so their results are only comparable within one instruction set.
    """
    return f"cpu-{isa(_cpu_flags(), platform.machine())}" if integer else "cpu"


def isa(flags: Iterable[str], machine: str) -> str:
    """The instruction set that ONNX Runtime's integer kernels use on a CPU.

    Args:
        flags: feature names as /proc/cpuinfo writes them; empty where the system does not list them.
        machine: `platform.machine()`, the answer where no flag is known.

    Returns:
        On x86 the first of ``amx``, ``avx512vnni``, ``avx512``, ``avxvnni``, ``avx2``, ``avx``, ``sse``; on
        ARM the first of ``neon-i8mm``, ``neon-dot``, ``neon``; else the machine in lower case.
    """
    have = set(flags)
    table = (
        ("amx", {"amx_int8", "amx_tile"}),
        ("avx512vnni", {"avx512_vnni"}),
        ("avx512", {"avx512f", "avx512bw"}),
        ("avxvnni", {"avx_vnni"}),
        ("avx2", {"avx2"}),
        ("avx", {"avx"}),
        ("sse", {"sse2"}),
        ("neon-i8mm", {"i8mm"}),
        ("neon-dot", {"asimddp"}),
        ("neon", {"asimd"}),
    )
    return next((name for name, needed in table if needed <= have), machine.lower() or "unknown")


def _cpu_flags() -> list[str]:
    listing = Path("/proc/cpuinfo")
    if not os.access(listing, os.R_OK):
        return []
    found = re.search(r"^(?:flags|Features)\s*: (.*)$", listing.read_text(errors="replace"), re.MULTILINE)
    return found[1].split() if found else []
