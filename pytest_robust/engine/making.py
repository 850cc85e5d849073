"""Gathers what an attack makes of a data set into a pack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.metrics.distortion import NORMS
from pytest_robust.views.packs import Pack, canvas_sha256

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_robust.attacks import Confirmed
    from pytest_robust.data.mapped import Spool
    from pytest_robust.measurement import Samples


class Making:
    """The arrays of a pack, filled batch by batch; see `Pack`.

    Args:
        samples: all n of them.
        spool: takes the crafted canvases, so that memory holds no more of them than a batch.
        targeted: whether the attack aims at a class.
    """

    def __init__(self, samples: Samples, spool: Spool, *, targeted: bool) -> None:
        count = len(samples.ids)
        self._samples = samples
        self._spool = spool
        self._tried, self._success = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        self._queries = np.zeros(count, np.uint32)
        self._distortions = {norm: np.full(count, np.nan, np.float32) for norm in NORMS}
        self._targets = np.zeros(count, np.uint16) if targeted else None
        self._clean = [np.empty((0, 32), np.uint8)]
        self._spared = 0

    def take(
        self, at: NDArray[np.intp], images: NDArray[np.uint8], done: Confirmed, targets: NDArray[np.int64] | None
    ) -> None:
        """Take in one batch; samples whose target is their label were not attacked.

        Args:
            at: the positions of its samples among all, above those of the batch before.
            images: the clean canvases, uint8 (N, H, W, 3).
            done: the outcome.
            targets: the classes aimed at, (N,); None where any wrong one would do.

        Raises:
            RobustError: the disk has no room for the crafted canvases.
        """
        aimed = np.ones(len(at), np.bool_)
        if self._targets is not None and targets is not None:
            self._targets[at] = targets
            aimed = np.asarray(targets != self._samples.labels[at])
        crafted, clean = done.canvases[aimed], [canvas_sha256(image)[None] for image in images[aimed]]
        self._spool.add(crafted)
        self._clean += clean
        self._spared += int(np.count_nonzero(~aimed))
        self._tried[at], self._success[at], self._queries[at] = aimed, done.success, done.queries
        for norm in NORMS:
            self._distortions[norm][at] = done.distortions[norm]

    def pack(self, notes: list[str], parameters: dict[str, Any], **origin: str) -> Pack:
        """All of it.

        Args:
            notes: sentences that a reader of a result must know.
            parameters: all that the images are made by.
            origin: what a pack says of the models behind it: ``source``, ``source_sha256``, ``source_reading`` and
                ``jointly``.

        Raises:
            RobustError: the disk has no room for the crafted canvases.
        """
        if self._spared:
            notes = [*notes, f"{self._spared} samples are not attacked: their target is their own label"]
        return Pack(
            self._samples.ids,
            self._samples.labels,
            self._tried,
            self._success,
            self._spool.images(),
            np.concatenate(self._clean),
            self._distortions,
            self._queries,
            self._targets,
            parameters,
            **origin,
            notes=tuple(notes),
        )
