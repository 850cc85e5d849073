"""A pack for tests, and a pack in the way that others would write it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_robust.data.mapped import Images
from pytest_robust.views.packs import CANVASES, NORMS, Pack, canvas_sha256


def made(images: NDArray[np.uint8], tried: list[bool], targets: Any = None, **changed: Any) -> Pack:
    """A pack in which every attacked canvas is the clean one, inverted."""
    count = len(images)
    chosen = images[np.array(tried)]
    values: dict[str, Any] = {
        "ids": tuple(f"{i:06d}" for i in range(count)),
        "labels": (np.arange(count) % 3).astype(np.uint16),
        "tried": np.array(tried),
        "success": np.array(tried),
        "canvases": Images.of(255 - chosen),
        "clean": np.stack([canvas_sha256(one) for one in chosen]) if len(chosen) else np.empty((0, 32), np.uint8),
        "distortions": {norm: np.arange(count, dtype=np.float32) for norm in NORMS},
        "queries": np.arange(count, dtype=np.uint32),
        "targets": targets,
        "parameters": {"attack": "pgd", "epsilon": 0.1},
        "source": "net",
        "source_sha256": "ab" * 32,
    }
    return Pack(**{**values, **changed})


def arrays_of(pack: Pack) -> dict[str, NDArray[Any]]:
    """All of a pack as numpy would hold it."""
    canvases = np.array([*pack.canvases]) if len(pack.canvases) else np.empty(pack.canvases.shape, np.uint8)
    return {**pack.arrays(), CANVASES: canvases}


def save(path: Path, pack: Pack, *, compressed: bool) -> Path:
    """The pack as a plain call of numpy would store it."""
    (np.savez_compressed if compressed else np.savez)(path, **arrays_of(pack))
    return path
