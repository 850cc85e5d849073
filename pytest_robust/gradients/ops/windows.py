"""Strides, dilations and padding of sliding windows, as convolutions and pooling share them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_robust.gradients.registry import Node

Pads = list[tuple[int, int]]
"""Places added before and after, per spatial axis."""


def flat(pads: Pads) -> list[int]:
    """As `torch.nn.functional.pad` wants them: last axis first."""
    return [side for pair in reversed(pads) for side in pair]


class Window:
    """The window attributes of a node.

    Attributes:
        auto: NOTSET, VALID, SAME_UPPER or SAME_LOWER.
        ceil: the last window may reach over the end.
    """

    def __init__(self, node: Node) -> None:
        self._strides = node.get("strides")
        self._dilations = node.get("dilations")
        self._pads = node.get("pads")
        self.auto: str = node.get("auto_pad", "NOTSET")
        self.ceil = bool(node.get("ceil_mode", 0))

    def strides(self, rank: int) -> list[int]:
        """One per spatial axis."""
        return self._strides or [1] * rank

    def dilations(self, rank: int) -> list[int]:
        """One per spatial axis."""
        return self._dilations or [1] * rank

    def pads(self, sizes: Sequence[int], kernel: Sequence[int]) -> Pads:
        """Padding of an input of those spatial sizes."""
        rank = len(sizes)
        if self.auto.startswith("SAME"):
            # As many windows as strides fit into the input, the last one begun but not always full.
            return self.shares(
                [
                    max(0, (-(-size // stride) - 1) * stride + (width - 1) * dilation + 1 - size)
                    for size, width, stride, dilation in zip(
                        sizes, kernel, self.strides(rank), self.dilations(rank), strict=True
                    )
                ]
            )
        if self.auto == "VALID" or not self._pads:
            return [(0, 0)] * rank
        return list(zip(self._pads[:rank], self._pads[rank:], strict=True))

    def shares(self, totals: Sequence[int]) -> Pads:
        """Split each axis's padding into before and after; only SAME_UPPER puts the odd place after."""
        lower = self.auto != "SAME_UPPER"
        return [(total - total // 2, total // 2) if lower else (total // 2, total - total // 2) for total in totals]

    def overhang(self, sizes: Sequence[int], kernel: Sequence[int], pads: Pads) -> list[int]:
        """Places beyond the padding that `ceil_mode` reaches into, per axis."""
        rank = len(sizes)
        over = []
        for size, width, stride, dilation, (before, after) in zip(
            sizes, kernel, self.strides(rank), self.dilations(rank), pads, strict=True
        ):
            span = (width - 1) * dilation + 1
            windows = -(-(size + before + after - span) // stride) + 1
            # A window that would begin in the padding at the end sees no input and is left out.
            if (windows - 1) * stride >= size + before:
                windows -= 1
            over.append(max(0, (windows - 1) * stride + span - (size + before + after)) if self.ceil else 0)
        return over
