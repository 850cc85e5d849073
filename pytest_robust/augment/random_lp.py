"""Training images with random Lp noise (arXiv 2305.05400)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_robust.augment.base import drawn
from pytest_robust.augment.shifted import ShiftTransform
from pytest_robust.errors import RobustError
from pytest_robust.shifts import lp
from pytest_robust.shifts.lp_sets import SETS, SIDES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_robust.augment.shifted import Share
    from pytest_robust.shifts.base import PixelShift
    from pytest_robust.shifts.rng import Stream

_SHIFTS = {shift.name: shift for shift in lp.SHIFTS}


def _smallest(count: int, names: Sequence[str] = ()) -> dict[str, dict[str, tuple[float, ...]]]:
    """The `count` smallest epsilons of the named norms, all by default, of the paper's test set."""
    return {
        data: {name: epsilons[:count] for name, epsilons in test.items() if not names or name in names}
        for (test_set, data), test in SETS.items()
        if test_set == "lp-test"
    }


TRAINING_SETS: Mapping[str, Mapping[str, Mapping[str, tuple[float, ...]]]] = {
    "C1": _smallest(10),
    "C2": _smallest(10, ("linf", "l2", "l0")),
    "C3": _smallest(5),
    "C1C1": {"cifar": {"linf": (0.02,), "l2": (1,), "l0": (0.01,), "l0linear": (0.03,)}},
}
"""Name -> data set -> shift -> epsilons.

Of the paper's version 3 (VISAPP 2024) C1, all 90 corruptions of its test set; C2, the 30 of L-infinity, L2 and L0; C3,
the 45 with the five smallest epsilons of each norm. Of version 1 (May 2023) C1C1.
"""


@dataclass(frozen=True, kw_only=True)
class RandomLp(ShiftTransform):
    """Each image with noise of one norm and epsilon, drawn evenly among those of a set.

    The paper draws both the corruption and the noise once for a mini-batch of 8; here each image has its own, so
    that it does not hang on its batch.

    Attributes:
        noise: a set of the paper, see `TRAINING_SETS`, or shifts of `lp-noise` with epsilons of your own, as in
            ``{"l2": (0.5, 1), "l0": (0.01,)}``; an epsilon of 0 is the clean image.
        data: the data set that a paper's set is for: cifar, 32 x 32 pixels, or tinyimagenet, 64 x 64.
    """

    noise: str | Mapping[str, Sequence[float]] = "C1"
    data: str = "cifar"
    name: ClassVar[str] = "random_lp"

    def __post_init__(self) -> None:
        """Refuse unknown sets, shifts and epsilons; see `Transform`."""
        super().__post_init__()
        if not self._choices(1, 1):
            raise RobustError("RandomLp has no epsilon to draw; name one, as in {'l2': (0.5, 1)}")

    def shares(self, bits: Sequence[Stream], height: int, width: int) -> Iterator[Share]:
        """See `ShiftTransform.shares`.

        Raises:
            RobustError: the set's epsilons are for images of another size.
        """
        if isinstance(self.noise, str) and {height, width} != {side := SIDES[self.data]}:
            raise RobustError(
                f"the set {self.noise} has its epsilons for {self.data}, {side}x{side} pixels, and the images have "
                f"{width}x{height}; give shifts and epsilons of your own as noise"
            )
        choices = self._choices(height, width)
        picks = [drawn(one, len(choices)) for one in bits]
        for pick in sorted(set(picks)):
            shift, numbers = choices[pick]
            if numbers:
                yield shift, [position for position, own in enumerate(picks) if own == pick], numbers

    def _choices(self, height: int, width: int) -> list[tuple[PixelShift, dict[str, Any]]]:
        choices = []
        for name, epsilons in self._asked().items():
            if name not in _SHIFTS:
                raise RobustError(f"RandomLp has no noise {name!r}; it has {', '.join(_SHIFTS)}")
            if not isinstance(epsilons, Iterable):
                raise RobustError(f"RandomLp takes several epsilons of {name}, as in ({epsilons!r},), not {epsilons!r}")
            for epsilon in epsilons:
                try:
                    choices.append((_SHIFTS[name], _SHIFTS[name].resolve({"severity": epsilon}, height, width)))
                except ValueError as error:
                    raise RobustError(f"RandomLp: {error}") from error
        return choices

    def _asked(self) -> Mapping[str, Sequence[float]]:
        if isinstance(self.noise, Mapping):
            return self.noise
        if not isinstance(self.noise, str):
            raise RobustError(
                f"RandomLp takes a set of the paper or epsilons by norm, as in {{'l2': (0.5, 1)}}, not {self.noise!r}"
            )
        found = TRAINING_SETS.get(self.noise)
        if found is None:
            raise RobustError(f"RandomLp has no set {self.noise!r}; it has {', '.join(TRAINING_SETS)}")
        if self.data not in tuple(found):
            raise RobustError(f"the set {self.noise} is for {' and '.join(found)}, not {self.data!r}")
        return found[self.data]
