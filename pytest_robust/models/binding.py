"""A session fed with a tensor where it lies: nothing is copied on the way in, the output stays on its device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.utils.dlpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np


def run_bound(session: Any, name: str, tensor: torch.Tensor, outputs: Sequence[str]) -> list[torch.Tensor]:
    """Run a session over a tensor on the session's device.

    Args:
        session: of ONNX Runtime, on the tensor's device.
        name: of its input.
        tensor: of the input's type; one that is not contiguous is copied on its device first.
        outputs: names of the outputs that are wanted.

    Returns:
        The outputs in memory of ONNX Runtime's on the same device, finished.

    Raises:
        RuntimeError: as ONNX Runtime says it: another type or shape than the model takes, or the run failed.
    """
    # A pointer carries no strides. The name holds the memory until the run has ended.
    held = tensor.contiguous()
    place = held.device.type, held.device.index or 0
    binding = session.io_binding()
    binding.bind_input(name, *place, _numpy_type(held), tuple(held.shape), held.data_ptr())
    for output in outputs:
        binding.bind_output(output, *place)
    if held.is_cuda:
        # ONNX Runtime works in a stream of its own, which waits for nothing that torch has under way; at the end of a
        # run it waits for itself.
        torch.cuda.current_stream(held.device).synchronize()
    session.run_with_iobinding(binding)
    return [torch.utils.dlpack.from_dlpack(one) for one in binding.get_outputs()]


def padded(rows: torch.Tensor, batch: int) -> torch.Tensor:
    """The rows with the last one repeated up to `batch`, on their device."""
    missing = batch - len(rows)
    return torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])]) if missing else rows


def _numpy_type(tensor: torch.Tensor) -> np.dtype[Any]:
    found: np.dtype[Any] = torch.empty(0, dtype=tensor.dtype).numpy().dtype
    return found
