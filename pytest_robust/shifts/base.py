"""What a pixel shift is.

A pixel shift is a deterministic function of a canvas, a sample id and parameters. It draws from a
counter-based generator keyed by (seed, shift name and parameters, sample id), so its bytes do not depend on
batch size, order, process or subset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from pytest_robust.spec.plan import Json


class Bits(Protocol):
    """The random bits of one sample: a stateless stream of uint16, the same on every machine."""

    def uint16(self, count: int, *, lane: int = 0) -> NDArray[np.uint16]:
        """The first `count` values of a lane; two lanes are independent, one lane always begins anew."""
        ...


Apply = Callable[..., "NDArray[np.uint8]"]
"""``apply(images, bits, **parameters)``: uint8 (N, H, W, 3) and one `Bits` per image -> uint8 (N, H', W', 3).

The images are C-contiguous. Never changes its input; one image's result never depends on its neighbours in the batch.
One of the user's own is called by one thread at a time, and its result is copied before the next call.
"""

DeviceApply = Callable[..., "torch.Tensor"]
"""``device_apply(images, bits, **parameters)``: the same on a device, where a batch is one tensor.

The images are a contiguous uint8 tensor (N, H, W, 3), N at least 1, and the bits a
`pytest_robust.shifts.on_device.bits.BatchBits`. It imports torch only when it is called.
"""

Groups = Callable[..., Mapping[str, Sequence[str]]]
"""``groups(bits, **parameters)``: one `Bits` per image -> column -> one value per image."""


@dataclass(frozen=True, slots=True)
class PixelShift:
    """One shift: its name, what it draws and what it does.

    Attributes:
        name: the shift's name within its suite.
        suite: the suite that first defined it.
        version: raised whenever its bytes change.
        source: where the rule comes from (paper, released code), or that it is ours.
        severities: the values that `severity` may take, in rising strength; empty where any number is
            allowed.
        resolve: ``resolve(parameters, height, width)`` -> the concrete numbers for a canvas of that size,
            JSON values only; they key the generator and are recorded. `parameters` holds `severity` and any
            of `options`; ValueError, with a sentence, for what the shift does not take. Empty numbers say
            that the shift is the exact identity (severity 0, multiple 1).
        apply: see `Apply`; called with the resolved numbers, never with empty ones.
        options: what the shift takes beside `severity`, with the defaults.
        changes_size: the shifted canvas has another size and is meant to reach the model so.
        device_apply: `apply` on a device; None where it is made on the host, whatever the device.
        groups: ``groups(bits, **numbers)`` -> columns of what each sample draws, one value per sample, by which the
            report counts; None where all samples are shifted alike.
    """

    name: str
    suite: str
    version: int
    source: str
    severities: Sequence[int | float]
    resolve: Callable[[Mapping[str, Json], int, int], dict[str, Any]]
    apply: Apply
    options: Mapping[str, Json] = field(default_factory=dict)
    changes_size: bool = False
    device_apply: DeviceApply | None = None
    groups: Groups | None = None
