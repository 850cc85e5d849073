from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_robust.errors import RobustError
from pytest_robust.models.files import read_model
from pytest_robust.models.providers import (
    CPU,
    CUDA,
    CudaUnavailableError,
    cpu_class,
    cuda_options,
    cuda_reason,
    isa,
    on_cuda,
    parse_device,
    placement_fault,
    placements,
)
from pytest_robust.models.runtime import load_runtime
from tests.models.opening import opened, sentence, text_of
from tests.onnx_models import classifier, conv_classifier

cpu_build = pytest.mark.skipif(CUDA in load_runtime().get_available_providers(), reason="a build with CUDA")


def recorded_session(path: Path) -> object:
    runtime = load_runtime()
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return runtime.InferenceSession(str(path), options, providers=[CPU])


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("auto", ("auto", 0)),
        ("cpu", ("cpu", 0)),
        ("cuda", ("cuda", 0)),
        ("cuda:0", ("cuda", 0)),
        ("cuda:12", ("cuda", 12)),
    ],
)
def test_devices(text: str, parsed: tuple[str, int]) -> None:
    assert parse_device(text) == parsed


@pytest.mark.parametrize("text", ["", "gpu", "CUDA", "cpu:0", "auto:1", "cuda:", "cuda:x", "cuda:-1", "cuda:1\n"])
def test_an_unknown_device_is_an_error(text: str, tmp_path: Path) -> None:
    with pytest.raises(RobustError, match="choose auto, cpu, cuda or cuda:N"):
        opened(classifier(tmp_path / "model.onnx"), device=text)


@cpu_build
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_cuda_is_never_replaced_by_the_cpu(tmp_path: Path, device: str) -> None:
    path = classifier(tmp_path / "model.onnx")
    with pytest.raises(RobustError) as caught:
        opened(path, device=device)
    assert sentence(caught, path) == (
        f"cannot run on {device}: this onnxruntime is built without CUDA; install pytest-robust[cuda]"
    )


@cpu_build
def test_auto_takes_the_cpu_where_there_is_no_cuda(tmp_path: Path) -> None:
    provenance = opened(classifier(tmp_path / "model.onnx"), device="auto").provenance
    assert (provenance.device, provenance.device_class, provenance.providers) == ("cpu", "cpu", (CPU,))


def test_a_session_that_came_up_on_the_cpu_is_refused(tmp_path: Path) -> None:
    path = conv_classifier(tmp_path / "model.onnx")
    with pytest.raises(CudaUnavailableError, match=r"^cuda:0 failed: "):
        on_cuda(lambda: recorded_session(path), 0)


def test_what_onnxruntime_raises_for_cuda_is_the_reason() -> None:
    def make() -> None:
        raise RuntimeError("[ONNXRuntimeError] : 1 : FAIL : CUDA failure 35: CUDA driver version is insufficient")

    with pytest.raises(CudaUnavailableError, match=r"^cuda:2 failed: CUDA failure 35: CUDA driver version is insuff"):
        on_cuda(make, 2)


def test_compute_nodes_off_a_provider_are_counted_and_named(tmp_path: Path) -> None:
    nodes = placements(recorded_session(conv_classifier(tmp_path / "model.onnx")))
    assert placement_fault(nodes, CPU) is None
    fault = placement_fault(nodes, CUDA)
    assert fault is not None
    assert re.fullmatch(
        r"onnxruntime placed 3 of the 3 compute nodes of this model on the CPU, for want of a CUDA kernel: "
        r"(Fused)?Conv \(2 nodes\), Gemm \(1 node\)",
        fault,
    )


def test_a_part_of_the_nodes_off_a_provider_is_a_fault_and_says_how_large() -> None:
    nodes = [(CUDA, "Conv"), (CUDA, "Conv"), (CPU, "Conv"), (CUDA, "Gemm"), (CPU, "Shape"), (CUDA, "Relu")]
    assert placement_fault(nodes, CUDA) == (
        "onnxruntime placed 1 of the 4 compute nodes of this model on the CPU, for want of a CUDA kernel: Conv (1 node)"
    )
    assert placement_fault([node for node in nodes if node != (CPU, "Conv")], CUDA) is None


def test_the_modes_differ_in_precision_and_in_how_kernels_are_chosen() -> None:
    exact, fast = cuda_options("exact"), cuda_options("fast")
    assert {name for name in exact if exact[name] != fast[name]} == {"use_tf32", "cudnn_conv_algo_search"}
    assert (exact["use_tf32"], exact["cudnn_conv_algo_search"]) == ("0", "HEURISTIC")


def test_shape_arithmetic_on_the_cpu_is_no_fallback(tmp_path: Path) -> None:
    session = recorded_session(classifier(tmp_path / "model.onnx", layout="nhwc", softmax=True))
    nodes = placements(session)
    assert {"Transpose", "Softmax", "Gemm"} <= {operator for _, operator in nodes}
    assert str(placement_fault(nodes, CUDA)).endswith(": Gemm (1 node)")


LIBRARY_MISSING = """\
\x1b[0;93m2026-11-21 20:09:17.362 [W:onnxruntime:Default, onnxruntime_pybind_state.cc:856 operator()] No EP
\x1b[1;31m2026-11-21 20:09:17.364 [E:onnxruntime:Default, provider_bridge_ort.cc:2458 operator()] /onnxruntime_src/\
onnxruntime/core/session/provider_bridge_ort.cc:2043 onnxruntime::Provider& onnxruntime::ProviderLibrary::Get() \
[ONNXRuntimeError] : 1 : FAIL : Failed to load library /site/onnxruntime/capi/libonnxruntime_providers_cuda.so with \
error: libcublasLt.so.13: cannot open shared object file: No such file or directory
\x1b[m
"""


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (LIBRARY_MISSING, "the CUDA library libcublasLt.so.13 cannot be loaded; install pytest-robust[cuda]"),
        (
            'Error loading "C:\\onnxruntime_providers_cuda.dll" which depends on "cublasLt64_13.dll" which is missing.',
            "the CUDA library cublasLt64_13.dll cannot be loaded; install pytest-robust[cuda]",
        ),
        (
            "2026-11-21 20:09:17.1 [W:onnxruntime:Default, a.cc:1 f] first\n"
            "2026-11-21 20:09:17.2 [E:onnxruntime:Default, b.cc:2 g] CUDA failure 100: no CUDA-capable device\n",
            "CUDA failure 100: no CUDA-capable device",
        ),
        ("", "onnxruntime gave no reason"),
    ],
)
def test_the_reason_is_read_from_the_log(log: str, reason: str) -> None:
    assert cuda_reason(log) == reason


@pytest.mark.parametrize(
    ("flags", "machine", "name"),
    [
        ("fpu sse2 avx avx2 avx512f avx512bw avx512_vnni avx_vnni amx_tile amx_int8", "x86_64", "amx"),
        ("fpu sse2 avx avx2 avx512f avx512bw avx512_vnni avx_vnni", "x86_64", "avx512vnni"),
        ("fpu sse2 avx avx2 avx512f avx512bw", "x86_64", "avx512"),
        ("fpu sse2 avx avx2 avx512f", "x86_64", "avx2"),
        ("fpu sse2 avx avx2 avx_vnni", "x86_64", "avxvnni"),
        ("fpu sse2 avx", "x86_64", "avx"),
        ("fpu sse2", "x86_64", "sse"),
        ("fp asimd asimddp i8mm", "aarch64", "neon-i8mm"),
        ("fp asimd asimddp", "aarch64", "neon-dot"),
        ("fp asimd", "aarch64", "neon"),
        ("", "arm64", "arm64"),
        ("", "AMD64", "amd64"),
        ("", "", "unknown"),
    ],
)
def test_the_instruction_set_is_a_function_of_the_flags(flags: str, machine: str, name: str) -> None:
    assert isa(flags.split(), machine) == name


def test_only_graphs_with_integer_kernels_depend_on_the_instruction_set(tmp_path: Path) -> None:
    assert opened(conv_classifier(tmp_path / "float.onnx")).provenance.device_class == "cpu"
    quantized = conv_classifier(tmp_path / "int8.onnx", quantized=True)
    name = opened(quantized).provenance.device_class
    assert name == cpu_class(read_model(text_of(quantized)).integer)
    assert name.startswith("cpu-")
