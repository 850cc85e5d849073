"""Errors relative to another error."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def imperceptible_corruption_error(errors: Collection[float], clean: float) -> float | None:
    """iCE: how much larger the mean error under imperceptible corruptions is than the clean error, relative to it.

    Source: Siedel et al., arXiv 2305.05400. 0.097 means that the error grows by 9.7 %; it can be negative.

    Args:
        errors: error in [0, 1] per imperceptible corruption.
        clean: error on clean images.

    Returns:
        The relative growth; None where the clean error is 0 and it is undefined.

    Raises:
        ValueError: there is no corruption.
    """
    if not errors:
        raise ValueError("iCE needs at least one corruption")
    return (sum(errors) / len(errors) - clean) / clean if clean else None


def relative_error_reduction(reference: float, error: float) -> float | None:
    """The share of the reference's error that a model avoids, ``(reference - error) / reference``.

    Source: Djolonga et al., arXiv 2007.08558, figure 3. Negative where the model is worse.

    Returns:
        At most 1; None where the reference makes no error.
    """
    return (reference - error) / reference if reference else None
