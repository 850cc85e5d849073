"""Which class a targeted attack aims at (the three kinds of arXiv 1808.01688)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from pytest_robust.errors import RobustError
from pytest_robust.shifts.rng import Streams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Target = Literal["top2", "random", "least_likely"]
"""The second most likely class, one uniform among all but the true one, the least likely one."""


def choose_targets(
    kind: Target,
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    ids: Sequence[str],
    seed: int,
    *,
    first: int = 0,
) -> NDArray[np.int64]:
    """The target of every sample.

    `top2` and `least_likely` may be the true class of an image that the model has wrong; `craft` skips these.

    Args:
        kind: which.
        scores: of the clean images, one column per class, shape (N, classes).
        labels: true classes, shape (N,).
        ids: the samples' ids, on which the random target depends with the seed.
        seed: the spec's seed.
        first: the class of the first column; those before it have none and are no target.

    Returns:
        Classes, shape (N,); of equal scores the lower class counts as the likelier one.

    Raises:
        RobustError: there is only one class.
    """
    classes = scores.shape[1]
    if classes < 2:
        raise RobustError(f"a targeted attack needs two classes or more, and the model has {classes}")
    if kind != "random":
        order = np.argsort(-scores, axis=1, kind="stable")
        return order[:, 1 if kind == "top2" else -1].astype(np.int64) + first
    streams = Streams(seed, "attack_target", {"classes": classes})
    words = np.array([streams.for_id(one).uint16(4).view("<u8")[0] for one in ids], np.uint64)
    drawn = (words % np.uint64(classes - 1)).astype(np.int64)
    return first + drawn + (drawn >= labels.astype(np.int64) - first)
