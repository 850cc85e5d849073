"""Square attack: random search by what a model says of canvases (Andriushchenko et al., arXiv 1912.00049)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from pytest_robust.attacks.norms import check_epsilon
from pytest_robust.attacks.square_moves import Patches, Signs
from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pytest_robust.attacks.goal import Goal
    from pytest_robust.attacks.norms import Norm
    from pytest_robust.shifts.base import Bits

_HALVED_AT = np.array([10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000]) / 10000
"""After these shares of the queries the squares' area is halved."""


@dataclass(frozen=True, slots=True)
class Square:
    """Changes one square of the canvas at a time and keeps what brings the goal nearer.

    It needs no gradient and sees whole canvases only, so nothing is lost by rounding. On models with gradients it is
    weaker than an attack that uses them: report it as another kind, with its queries.

    Attributes:
        epsilon: radius of the ball, pixels counting from 0 to 1; in linf its whole grey levels are used.
        norm: `linf` or `l2`.
        queries: how often each sample may be shown to the model.
        initial_share: of the canvas's area, that the first squares have; 0.8 as in AutoAttack (arXiv 2003.01690).
    """

    epsilon: float
    norm: Norm = "linf"
    queries: int = 5000
    initial_share: float = 0.8
    name: ClassVar[str] = "square"

    def search(
        self,
        logits: Callable[[NDArray[np.uint8]], NDArray[np.floating]],
        canvases: NDArray[np.uint8],
        goal: Goal,
        bits: Sequence[Bits],
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.int64]]:
        """Attack a batch; a sample leaves it as soon as its goal is reached.

        Where epsilon is too small for one grey level the canvas stays as it is and nothing is asked.

        Args:
            logits: canvases -> scores, (N, outputs).
            canvases: clean, uint8 (N, H, W, 3).
            goal: what the model is to say.
            bits: every sample's own random bits.

        Returns:
            The canvases, whether each reaches its goal, and the queries of each.

        Raises:
            RobustError: a norm, epsilon, number of queries or share that it does not take.
        """
        self._check(canvases[0].size)
        best, asked = canvases.copy(), np.zeros(len(canvases), np.int64)
        gaps = np.full(len(canvases), np.inf)
        if self.epsilon * 255 < 1:
            return best, gaps < 0, asked
        kind = Signs if self.norm == "linf" else Patches
        moves = [kind(canvas, self.epsilon, own, self.queries) for canvas, own in zip(canvases, bits, strict=True)]
        for query in range(self.queries):
            rows = np.flatnonzero(gaps >= 0)
            if not len(rows):
                break
            tried = np.stack([moves[row].propose(query, self._side(query, canvases.shape[1:3])) for row in rows])
            scores = torch.from_numpy(np.asarray(logits(tried), np.float32))
            own = type(goal)(goal.columns[torch.from_numpy(rows)], goal.targeted)
            found = own.gap(scores).numpy()
            asked[rows] += 1
            better = found < gaps[rows]
            for row, canvas in zip(rows[better], tried[better], strict=True):
                moves[row].accept()
                best[row] = canvas
            gaps[rows] = np.minimum(gaps[rows], found)
        return best, gaps < 0, asked

    def _side(self, query: int, sides: tuple[int, ...]) -> int:
        share = self.initial_share / 2 ** int(np.count_nonzero(query / self.queries > _HALVED_AT))
        return int(np.clip(round((share * sides[0] * sides[1]) ** 0.5), 1, max(1, min(sides) - 1)))

    def _check(self, values: int) -> None:
        if self.norm not in ("linf", "l2"):
            raise RobustError(f"the square attack does not know the norm {self.norm!r}: take linf or l2")
        check_epsilon(self.epsilon, self.norm, values)
        if self.queries < 1 or not 0 < self.initial_share <= 1:
            raise RobustError(
                f"the square attack was given {self.queries} queries and the initial share {self.initial_share:g}: it "
                "needs a query or more and a share above 0 and up to 1"
            )
