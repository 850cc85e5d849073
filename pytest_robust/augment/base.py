"""What the transforms share: the call, its checks, and a sample's random numbers."""

from __future__ import annotations

import operator
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, SupportsIndex, TypeVar

import numpy as np

from pytest_robust.errors import RobustError
from pytest_robust.shifts.rng import Streams

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import torch
    from numpy.typing import NDArray

    from pytest_robust.shifts.rng import Stream

    Images = TypeVar("Images", NDArray[np.uint8], torch.Tensor)

CHOICE = 1 << 32
"""The lane of a sample's stream that chooses what is done to it; shifts draw from the lowest ones."""


@dataclass(frozen=True, kw_only=True)
class Transform(ABC):
    """An augmentation of a batch.

    Attributes:
        seed: another seed, other draws.
        name: what the draws are keyed by.
    """

    seed: int = 0
    name: ClassVar[str]

    def __post_init__(self) -> None:
        """Refuse numbers that nothing can be drawn by.

        Raises:
            RobustError: the seed, or what else the transform takes, is none.
        """
        if not is_whole(self.seed):
            raise RobustError(f"{type(self).__name__} takes a whole number as seed, not {self.seed!r}")

    def __call__(self, images: Images, ids: Iterable[str | SupportsIndex], epoch: int = 0) -> Images:
        """Augment a batch.

        Args:
            images: uint8 (N, H, W, 3), RGB, an array or a tensor; never written to.
            ids: N sample ids, names or positions in the data set; 7, a tensor that holds 7 and "7" are the same sample.
            epoch: which pass over the data, a whole number; each draws anew.

        Returns:
            The same kind, shape, type and device.

        Raises:
            ValueError: the images, the ids or the epoch are not what is asked for.
            RobustError: the transform does not take canvases of this size.
        """
        names = _names(ids)
        _check(images, len(names))
        if not is_whole(epoch):
            raise ValueError(f"the epoch is a whole number, not {epoch!r}")
        streams = Streams(operator.index(self.seed), self.name, {"epoch": operator.index(epoch)})
        bits = [streams.for_id(one) for one in names]
        if isinstance(images, np.ndarray):
            return self.on_host(np.ascontiguousarray(images), bits)
        if images.device.type == "cpu":
            import torch

            return torch.from_numpy(self.on_host(np.ascontiguousarray(images.numpy()), bits))
        return self.on_device(images.contiguous(), bits)

    @abstractmethod
    def on_host(self, images: NDArray[np.uint8], bits: Sequence[Stream]) -> NDArray[np.uint8]:
        """The augmented batch, a new array; images are contiguous, and each has its own random bits."""

    def on_device(self, images: torch.Tensor, bits: Sequence[Stream]) -> torch.Tensor:
        """The same for a tensor on a GPU: made on the host and brought back, where a transform has nothing better."""
        import torch

        return torch.from_numpy(self.on_host(images.cpu().numpy(), bits)).to(images.device)


def generator(bits: Stream) -> np.random.Generator:
    """NumPy's distributions over a sample's own stream, from the lane `CHOICE`.

    Unlike the bits, NumPy's distributions may change with its version.
    """
    return np.random.Generator(np.random.Philox(key=bits.key, counter=CHOICE << 192))


def drawn(bits: Stream, count: int) -> int:
    """A whole number, uniform in 0 to ``count - 1`` up to 2**-32 of probability."""
    low, high = bits.uint16(2, lane=CHOICE).tolist()
    return int((high << 16 | low) * count >> 32)


def is_whole(value: object) -> bool:
    """Whether it is a whole number by its type, be it NumPy's or a tensor's."""
    try:
        operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return False
    return True


def is_number(value: object) -> bool:
    """Whether it is a real number by its type."""
    return isinstance(value, Real)


def check_probability(owner: str, value: float) -> None:
    """Refuse what is no probability.

    Raises:
        RobustError: it is none.
    """
    if not is_number(value) or not 0 <= value <= 1:
        raise RobustError(f"{owner} takes a probability from 0 to 1, not {value!r}")


def _names(ids: Iterable[str | SupportsIndex]) -> list[str]:
    if isinstance(ids, str) or not hasattr(ids, "__iter__") or getattr(ids, "shape", None) == ():
        raise ValueError(f"ids must be a sequence of names or whole numbers, not {ids!r}")
    return [_name(one) for one in ids]


def _name(one: Any) -> str:
    if isinstance(one, str):
        return str(one)
    if not is_whole(one):
        raise ValueError(f"a sample's id is a name or a whole number, not {one!r}")
    return str(operator.index(one))


def _check(images: Any, count: int) -> None:
    torch = sys.modules.get("torch")
    tensor = torch is not None and isinstance(images, torch.Tensor)
    if not tensor and not isinstance(images, np.ndarray):
        raise ValueError(f"images must be a uint8 array or tensor with values 0 to 255, not {type(images).__name__}")
    if str(images.dtype).removeprefix("torch.") != "uint8":
        raise ValueError(f"images must be uint8 with values 0 to 255, not {images.dtype}; augment before normalising")
    shape = tuple(images.shape)
    if len(shape) != 4 or shape[3] != 3 or 0 in shape[1:]:
        raise ValueError(f"images must have the shape (N, H, W, 3), not {shape}")
    if shape[0] != count:
        raise ValueError(f"there are {count} ids for {shape[0]} images")
