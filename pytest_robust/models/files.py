"""A model's file: found, hashed, its graph read, its external data kept inside its folder.

Nothing here imports onnxruntime, so that a run answered from the store can name a model by its hash.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from pytest_robust.errors import Mark, RobustError, shown
from pytest_robust.measurement import digest_of
from pytest_robust.models.endings import endings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_robust.spec.plan import ModelPlan, PathText

_INTEGER = ("QuantizeLinear", "DequantizeLinear", "ConvInteger", "MatMulInteger")
_INTEGER_PREFIXES = (
    "QLinear",
    "DynamicQuantize",
    "QGemm",
    "QAttention",
    "QMoE",
    "MatMulNBits",
    "MatMulInteger",
)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """An ONNX file that was read.

    Attributes:
        path: where it lies.
        mark: the line of the spec, or the option, that names it.
        sha256: sha256 of the file; with external data `digest_of` the hex sha256 of the file and of each
            external file in the order of their names.
        sidecars: the external data files, sorted by name.
        integer: the graph has quantized operators, whose results differ between CPU instruction sets.
        endings: what `endings.endings` says of the graph's outputs.
    """

    path: Path
    mark: Mark
    sha256: str
    sidecars: tuple[Path, ...]
    integer: bool
    endings: Mapping[str, str] = field(default_factory=dict)

    def error(self, what: str) -> RobustError:
        """One sentence on this model: `what` follows its path."""
        return model_error(self.mark, self.path, what)


def model_error(mark: Mark, path: Path, what: str) -> RobustError:
    """The error of the model at `path`, named by the line or option `mark`; `what` continues the sentence."""
    return RobustError(f"{mark}: the model {shown(path)} {what}")


def model_digest(plan: ModelPlan) -> str:
    """The sha256 that names what a model computes: its file, its external data and its enhancer.

    For a model of one file this is what `sha256sum` prints; the rule for external data is `ModelFile.sha256`;
    with an enhancer it is `digest_of` the two hex digests, model first.

    Raises:
        RobustError: a file is missing, no ONNX, or does not match its pin.
    """
    return joined_digest(*read_files(plan))


def read_files(plan: ModelPlan) -> tuple[ModelFile, ModelFile | None]:
    """The model's file and its enhancer's, both checked against their pins.

    A candidate put in by the command line is not checked against the pin of the file it replaces.
    """
    model = read_model(plan.path, None if plan.candidate else plan.sha256)
    return model, read_model(plan.enhancer.path, plan.enhancer.sha256) if plan.enhancer else None


def joined_digest(model: ModelFile, enhancer: ModelFile | None) -> str:
    """See `model_digest`."""
    return digest_of([model.sha256.encode(), enhancer.sha256.encode()]) if enhancer else model.sha256


def read_model(text: PathText, pin: str | None = None) -> ModelFile:
    """Read an ONNX file's graph and hash it with its external data.

    Args:
        text: the path as the spec writes it.
        pin: the sha256 it must have, 64 hex digits in either case; None does not check.

    Raises:
        RobustError: missing, a folder, empty, no ONNX, not pinned so, or external data outside its folder.
    """
    path, mark = text.resolve(), text.mark
    data = _read(path, mark)
    graph = _parse(data, path, mark)
    sidecars = tuple(_sidecar(path, mark, location) for location in sorted(_locations(graph)))
    sha256 = hashlib.sha256(data).hexdigest()
    if sidecars:
        sha256 = digest_of([sha256.encode(), *(_file_digest(one).encode() for one in sidecars)])
    if pin is not None and pin.strip().lower() != sha256:
        covers = " over the file and its external data" if sidecars else ""
        raise model_error(
            mark,
            path,
            f"has the sha256 {sha256}{covers}, not the pinned {pin}: put the pinned file back or write the "
            "new sha256, all 64 digits, into the spec",
        )
    integer = any(_is_integer(op) for op in _operators(graph))
    return ModelFile(path, mark, sha256, sidecars, integer, endings(graph.graph))


def _read(path: Path, mark: Mark) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise model_error(mark, path, "does not exist: correct the path or put the file there") from None
    except IsADirectoryError:
        raise model_error(mark, path, "is a folder: let the path name the .onnx file in it") from None
    except OSError as error:
        raise model_error(mark, path, f"cannot be read ({error.strerror}): check its permissions") from error
    if not data:
        raise model_error(mark, path, "is empty (0 bytes): export or copy it again")
    if data.startswith(b"version https://git-lfs"):
        raise model_error(mark, path, "is a Git LFS pointer and not the model itself: run git lfs pull")
    return data


def _parse(data: bytes, path: Path, mark: Mark) -> Any:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load_model_from_string(data)
    except DecodeError:
        model = None
    if model is None or not model.ir_version or not model.graph.node:
        raise model_error(mark, path, f"is no ONNX model, or is cut short ({len(data)} bytes): export or copy it again")
    return model


def _is_integer(operator: str) -> bool:
    return operator in _INTEGER or operator.startswith(_INTEGER_PREFIXES)


def _operators(model: Any) -> Iterator[str]:
    for node in _nodes(model):
        yield node.op_type


def _nodes(model: Any) -> Iterator[Any]:
    """Every node of the model: of the graph, of its subgraphs and of its functions."""
    stack = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while stack:
        node = stack.pop()
        yield node
        for graph in _subgraphs(node):
            stack.extend(graph.node)


def _subgraphs(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _locations(model: Any) -> set[str]:
    """The external data files that the model's tensors name; empty text for a tensor that names none."""
    import onnx

    external = onnx.TensorProto.EXTERNAL
    return {
        next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        for tensor in _tensors(model)
        if tensor.data_location == external
    }


def _tensors(model: Any) -> Iterator[Any]:
    nodes = list(_nodes(model))
    graphs = [model.graph, *(graph for node in nodes for graph in _subgraphs(node))]
    for graph in graphs:
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)


def _sidecar(path: Path, mark: Mark, location: str) -> Path:
    """The external data file at `location`, which must be a plain file below the model's own folder."""
    windows, posix = PureWindowsPath(location), PurePosixPath(location)
    if not location or windows.anchor or posix.anchor or ".." in windows.parts:
        raise model_error(
            mark,
            path,
            f"keeps weights in {location!r}, outside its own folder: export it again with its external data beside it",
        )
    inner = path.parent
    for part in posix.parts:
        inner /= part
        if inner.is_symlink():
            raise model_error(
                mark,
                path,
                f"keeps weights in {location!r}, and {inner} is a symbolic link, which may lead outside its "
                "folder: copy the real file there",
            )
    if not inner.is_file():
        raise model_error(
            mark, path, f"keeps weights in {location!r}, which is not in its folder: copy both files together"
        )
    return inner


def _file_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
