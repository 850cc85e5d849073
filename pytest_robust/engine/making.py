"""Gathers what an attack makes of a data set into a pack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.views.packs import NORMS, Pack, canvas_sha256

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_robust.attacks import Confirmed
    from pytest_robust.measurement import Samples


class Making:
    """The arrays of a pack, filled batch by batch; see `Pack`.

    Args:
        count: samples, n.
        tried: which of them are attacked, bool (n,).
        shape: of a canvas: height, width, 3.
        targeted: whether the attack aims at a class.
    """

    def __init__(self, count: int, tried: NDArray[np.bool_], shape: Sequence[int], *, targeted: bool) -> None:
        attacked = int(tried.sum())
        self._tried = tried
        self._success = np.zeros(count, np.bool_)
        self._queries = np.zeros(count, np.uint32)
        self._distortions = {norm: np.full(count, np.nan, np.float32) for norm in NORMS}
        self._targets = np.zeros(count, np.uint16) if targeted else None
        self._canvases = np.empty((attacked, *shape), np.uint8)
        self._clean = np.empty((attacked, 32), np.uint8)

    def take(
        self,
        here: slice,
        at: NDArray[np.intp],
        images: NDArray[np.uint8],
        done: Confirmed,
        targets: NDArray[np.int64] | None,
    ) -> None:
        """Take in one batch.

        Args:
            here: its place among the attacked samples.
            at: their positions among all.
            images: the clean canvases, uint8 (N, H, W, 3).
            done: the outcome.
            targets: the classes aimed at, (N,); None where any wrong one would do.
        """
        self._canvases[here] = done.canvases
        self._clean[here] = [canvas_sha256(image) for image in images]
        self._success[at], self._queries[at] = done.success, done.queries
        for norm in NORMS:
            self._distortions[norm][at] = done.distortions[norm]
        if self._targets is not None and targets is not None:
            self._targets[at] = targets

    def pack(self, samples: Samples, notes: list[str], parameters: dict[str, Any], **origin: str) -> Pack:
        """All of it; samples whose target is their label were not attacked.

        Args:
            samples: the n samples.
            notes: sentences that a reader of a result must know.
            parameters: all that the images are made by.
            origin: what a pack says of the models behind it: ``source``, ``source_sha256``, ``source_reading`` and
                ``jointly``.
        """
        tried = self._tried
        if self._targets is not None:
            aimed = tried & (self._targets != samples.labels)
            if same := int((tried & ~aimed).sum()):
                notes = [*notes, f"{same} samples are not attacked: their target is their own label"]
            kept, tried = aimed[tried], aimed
            self._canvases, self._clean = self._canvases[kept], self._clean[kept]
        return Pack(
            samples.ids,
            samples.labels,
            tried,
            self._success,
            self._canvases,
            self._clean,
            self._distortions,
            self._queries,
            self._targets,
            parameters,
            **origin,
            notes=tuple(notes),
        )
