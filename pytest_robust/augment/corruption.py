"""Training images under the corruptions that the model will be judged by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_robust.augment.base import CHOICE, check_probability
from pytest_robust.augment.shifted import ShiftTransform
from pytest_robust.errors import RobustError
from pytest_robust.shifts import imagenet_c

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_robust.augment.shifted import Share
    from pytest_robust.shifts.rng import Stream

(_DRAWN,) = (shift for shift in imagenet_c.SHIFTS if shift.name == imagenet_c.ONE_PER_SAMPLE)


@dataclass(frozen=True, kw_only=True)
class RandomCorruption(ShiftTransform):
    """Each image, with a probability, under one corruption of ImageNet-C at one severity, all equally likely.

    DynTTA (arXiv 2212.04681) trains so when it may see the corruptions, with the probability 15/16.

    Attributes:
        probability: that an image is corrupted at all.
        corruptions: which; empty means all 15, `frost` being `frost_procedural`.
        severities: which, of 1 to 5.
        table: whose parameters: `auto`, 224, 64 or 32.
    """

    probability: float = 15 / 16
    corruptions: tuple[str, ...] = ()
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    table: str | int = "auto"
    name: ClassVar[str] = "random_corruption"

    def __post_init__(self) -> None:
        """Refuse an unknown probability, corruption, severity or table; see `Transform`."""
        super().__post_init__()
        check_probability("RandomCorruption", self.probability)
        for key in ("corruptions", "severities"):
            listed = getattr(self, key)
            if isinstance(listed, str) or not isinstance(listed, Iterable):
                raise RobustError(f"RandomCorruption takes several {key}, as in ({listed!r},), not {listed!r}")
        self._numbers(1, 1)

    def shares(self, bits: Sequence[Stream], height: int, width: int) -> list[Share]:
        """See `ShiftTransform.shares`."""
        # the lane CHOICE says which corruption
        words = [int(one.uint16(1, lane=CHOICE + 1)[0]) for one in bits]
        struck = [position for position, word in enumerate(words) if word < self.probability * 65536]
        return [(_DRAWN, struck, self._numbers(height, width))] if struck else []

    def _numbers(self, height: int, width: int) -> dict[str, Any]:
        asked: dict[str, Any] = {"severities": list(self.severities), "table": self.table}
        if self.corruptions:
            asked["corruptions"] = list(self.corruptions)
        try:
            return _DRAWN.resolve(asked, height, width)
        except ValueError as error:
            raise RobustError(f"RandomCorruption: {error}") from error
