"""What counts of an attack: canvases of whole grey levels, judged by ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_robust.attacks import rounding
from pytest_robust.metrics.attacked import turned
from pytest_robust.metrics.distortion import NORMS, sizes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from pytest_robust.attacks.craft import Crafted, Samples

OVERSHOOT = (1.02, 1.05, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0, 20.0)
"""How far beyond its end a perturbation is followed, as multiples of it.

The largest are for images so fragile that their whole perturbation rounds to nothing.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Confirmed:
    """An attack's outcome; every array has one entry per sample.

    Attributes:
        attacked: which samples were attacked, bool.
        success: which of them ONNX Runtime confirms, bool.
        reached: which of them the attack itself believed in, before rounding, bool; never to be shown alone.
        canvases: what was judged, uint8 (N, H, W, 3); clean where not attacked, the attack's own where it failed.
        predicted: what ONNX Runtime says of them, uint16.
        distortions: l0, l1, l2 and linf of the canvas's change, pixels counting from 0 to 1, NaN without success.
        queries: how often the attack showed each sample to the classifier, int64.
    """

    attacked: NDArray[np.bool_]
    success: NDArray[np.bool_]
    reached: NDArray[np.bool_]
    canvases: NDArray[np.uint8]
    predicted: NDArray[np.uint16]
    distortions: dict[str, NDArray[np.float64]]
    queries: NDArray[np.int64]


def confirm(
    predict: Callable[[NDArray[np.uint8]], NDArray[np.uint16]], crafted: Crafted, samples: Samples
) -> Confirmed:
    """Show every crafted canvas to the model itself, and count what it says of that.

    An attack of least distortion, or one that stops at its first success, ends on the decision boundary, where rounding
    undoes half of it. Its perturbation is then followed a little farther, by the multiples of `OVERSHOOT`, until the
    model confirms a rounded canvas. That canvas keeps the attack's budget, and the distortion is its own: a distance at
    which the model does fail.

    Args:
        predict: canvases (N, H, W, 3) -> classes, uint16 (N,), by ONNX Runtime.
        crafted: what the attack made of the samples.
        samples: the batch.

    Raises:
        RobustError: the model refuses the canvases.
    """
    canvases, predicted = crafted.canvases.copy(), np.asarray(samples.predicted).astype(np.uint16)
    chosen = np.flatnonzero(crafted.attacked)
    if len(chosen):
        predicted[chosen] = predict(canvases[chosen])
    if crafted.change is not None:
        for multiple in OVERSHOOT:
            rest = np.flatnonzero(crafted.reached & ~_fooled(predicted, crafted, samples))
            if not len(rest):
                break
            change = crafted.change[rest] * np.float32(multiple)
            farther = rounding.rounded(samples.canvases[rest], change, crafted.budget)
            said = predicted.copy()
            said[rest] = predict(farther)
            fooled = _fooled(said, crafted, samples)[rest]
            canvases[rest[fooled]], predicted[rest[fooled]] = farther[fooled], said[rest[fooled]]
    success = _fooled(predicted, crafted, samples)
    found = sizes(samples.canvases, canvases)
    distortions = {norm: np.where(success, found[norm], np.nan) for norm in NORMS}
    return Confirmed(crafted.attacked, success, crafted.reached, canvases, predicted, distortions, crafted.queries)


def _fooled(predicted: NDArray[np.uint16], crafted: Crafted, samples: Samples) -> NDArray[np.bool_]:
    return crafted.attacked & turned(predicted, samples.labels, samples.targets)
