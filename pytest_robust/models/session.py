"""One ONNX Runtime session with its image input, fed batches of exactly one size."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.models.providers import CPU, CUDA, CudaMode, cuda_options, on_cuda
from pytest_robust.models.runtime import quiet, telling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch
    from numpy.typing import NDArray

    from pytest_robust.models.files import ModelFile

_DTYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}
_AXES = {"nchw": (1, (2, 3)), "nhwc": (3, (1, 2))}


@dataclass(frozen=True, slots=True)
class ImageInput:
    """The one image input of a model.

    Attributes:
        name: as the graph calls it.
        dtype: float32, float16 or uint8.
        shape: four sides, None where the model leaves one free.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]

    def channels(self, layout: str) -> int | None:
        """Number of channels if the input is read in that layout, None if free."""
        return self.shape[_AXES[layout][0]]

    def sides(self, layout: str) -> tuple[int | None, int | None]:
        """Height and width if the input is read in that layout, None where free."""
        first, second = _AXES[layout][1]
        return self.shape[first], self.shape[second]

    @property
    def described(self) -> str:
        """`(N, 3, 224, 224)`, with `any` for free sides."""
        return f"({', '.join('any' if side is None else str(side) for side in self.shape)})"


class Network:
    """A model in ONNX Runtime on one device.

    Attributes:
        input: its image input.
        outputs: the session's outputs (`name`, `type`, `shape`).
        gpu: number of the GPU it runs on, None for the CPU.
        batch: how many images every run gets: the model's own if it fixes one, else as asked.
        providers: what ONNX Runtime says it uses, in order.
    """

    def __init__(
        self, runtime: Any, file: ModelFile, gpu: int | None, threads: int, batch: int, mode: CudaMode = "exact"
    ) -> None:
        """Load the model.

        Args:
            runtime: the onnxruntime module.
            file: the file that was read.
            gpu: number of the GPU, None for the CPU.
            threads: threads of one operator.
            batch: images per run where the model leaves it free.
            mode: how a GPU computes.

        Raises:
            CudaUnavailableError: a GPU was asked for and the model does not run there.
            RobustError: ONNX Runtime refuses the model, or it has no single image input.
        """
        self._file = file
        self._session = _session(runtime, file, gpu, threads, mode)
        self.gpu = gpu
        self.input = _image_input(self._session.get_inputs(), file)
        self.outputs = self._session.get_outputs()
        self.batch = self.input.shape[0] or batch
        self.providers = tuple(str(name) for name in self._session.get_providers())

    def run(self, tensor: NDArray[Any], output: str) -> NDArray[Any]:
        """Run over a tensor of any length, `batch` rows at a time.

        The last row is repeated up to a full batch and what that gives is dropped, so that the shapes that
        ONNX Runtime sees, and with them the kernels it chooses, never vary.

        Raises:
            RobustError: the model fails, or gives another number of rows than it got.
        """
        return self.run_all(tensor, [output])[0]

    def run_all(self, tensor: NDArray[Any], outputs: Sequence[str]) -> list[NDArray[Any]]:
        """`run` for several outputs of one and the same run."""
        parts, batch = [], self.batch  # another thread may have to lessen it meanwhile
        for start in range(0, len(tensor), batch):
            rows = tensor[start : start + batch]
            missing = batch - len(rows)
            full = np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)]) if missing else rows
            parts.append([made[: len(rows)] for made in self._once(full, outputs)])
        return parts[0] if len(parts) == 1 else [np.concatenate(one) for one in zip(*parts, strict=True)]

    def run_bound(self, tensor: torch.Tensor, output: str) -> torch.Tensor:
        """The same over a tensor on the network's own device, which is read where it lies; so is the result.

        Raises:
            RobustError: as `run`.
        """
        return self.run_bound_all(tensor, [output])[0]

    def run_bound_all(self, tensor: torch.Tensor, outputs: Sequence[str]) -> list[torch.Tensor]:
        """`run_bound` for several outputs of one and the same run."""
        import torch

        from pytest_robust.models.binding import padded, run_bound

        parts = []
        for start in range(0, len(tensor), self.batch):
            rows = tensor[start : start + self.batch]
            full = padded(rows, self.batch)
            with self._explained(tuple(full.shape)):
                made = run_bound(self._session, self.input.name, full, outputs)
            for one in made:
                self._check_rows(tuple(one.shape), len(full))
            parts.append([one[: len(rows)] for one in made])
        return parts[0] if len(parts) == 1 else [torch.cat(one) for one in zip(*parts, strict=True)]

    def at_most(self, batch: int) -> None:
        """Give every run fewer images from now on, where the model leaves their number free."""
        if self.input.shape[0] is None:
            self.batch = min(self.batch, batch)

    def _once(self, tensor: NDArray[Any], outputs: Sequence[str]) -> list[NDArray[Any]]:
        with self._explained(tensor.shape):
            made = [np.asarray(one) for one in self._session.run(list(outputs), {self.input.name: tensor})]
        for one in made:
            self._check_rows(one.shape, len(tensor))
        return made

    @contextmanager
    def _explained(self, shape: tuple[int, ...]) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # ONNX Runtime's exceptions share no base of their own
            raise self._file.error(f"failed on an input of shape {shape}: {telling(str(error))}") from error

    def _check_rows(self, made: tuple[int, ...], images: int) -> None:
        if made[:1] != (images,):
            raise self._file.error(
                f"gave an output of shape {made} for {images} images: export it with a batch "
                "dimension that reaches the output"
            )


def _session(runtime: Any, file: ModelFile, gpu: int | None, threads: int, mode: CudaMode) -> Any:
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    # Idle threads that spin steal the cores on which the next batch is made.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if gpu is not None:
        providers = [(CUDA, {"device_id": str(gpu), **cuda_options(mode)}), CPU]
        return on_cuda(
            lambda: runtime.InferenceSession(str(file.path), options, providers=providers, enable_fallback=0),
            gpu,
        )
    try:
        with quiet():
            return runtime.InferenceSession(str(file.path), options, providers=[CPU])
    except Exception as error:  # see Network._explained
        raise file.error(
            f"is refused by onnxruntime {runtime.__version__} ({telling(str(error))}): export it again, or "
            "install another onnxruntime"
        ) from error


def _image_input(inputs: list[Any], file: ModelFile) -> ImageInput:
    listed = ", ".join(f"{one.name!r} {one.type} {one.shape}" for one in inputs)
    if len(inputs) != 1:
        raise file.error(f"has {len(inputs)} inputs ({listed}): an image classifier with exactly one is needed")
    one = inputs[0]
    if one.type not in _DTYPES:
        raise file.error(f"takes {listed}: float32, float16 or uint8 is needed")
    if len(one.shape) != 4:
        what = f"{len(one.shape)} dimensions" if one.shape else "no declared number of dimensions"
        raise file.error(f"takes {listed} with {what}: images need four, (N, 3, H, W) or (N, H, W, 3)")
    shape = tuple(side if isinstance(side, int) and side > 0 else None for side in one.shape)
    return ImageInput(one.name, np.dtype(_DTYPES[one.type]), shape)
