"""Mean corruption error (Hendrycks and Dietterich, arXiv 1903.12261, section 4.2), plain and relative."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

ALEXNET_ERROR = {
    "gaussian_noise": 0.886428,
    "shot_noise": 0.894468,
    "impulse_noise": 0.922640,
    "defocus_blur": 0.819880,
    "glass_blur": 0.826268,
    "motion_blur": 0.785948,
    "zoom_blur": 0.798360,
    "snow": 0.866816,
    "frost": 0.826572,
    "fog": 0.819324,
    "brightness": 0.564592,
    "contrast": 0.853204,
    "elastic_transform": 0.646056,
    "pixelate": 0.717840,
    "jpeg_compression": 0.606500,
}
"""AlexNet's error per corruption, mean of five severities (facebookresearch/augmentation-corruption)."""

ALEXNET_CLEAN_ERROR = 0.4348
"""AlexNet's error on clean ImageNet (google-research/robustness_metrics)."""

SEVERITIES = (1, 2, 3, 4, 5)

Cell = tuple[str, int | float]
"""A corruption at a severity."""

Errors = Mapping[Cell, float]
"""Error in [0, 1] by cell."""


class Weights(NamedTuple):
    """How much the error of each cell, and the error on clean images, counts in a corruption error."""

    cells: Mapping[Cell, float]
    clean: float


def mean_corruption_error(errors: Errors, reference: Errors | None = None) -> float:
    """mCE: the mean over corruptions of CE = sum of errors / sum of the reference's errors over severities.

    Args:
        errors: the model's errors.
        reference: the reference model's errors on the same cells; AlexNet's if None.

    Returns:
        The mCE as a fraction: 0.767 where papers print 76.7.

    Raises:
        ValueError: as in `corruption_weights`.
    """
    weights = corruption_weights(errors, reference)
    return sum(weights.cells[cell] * error for cell, error in errors.items())


def relative_mean_corruption_error(
    errors: Errors,
    clean: float,
    reference: Errors | None = None,
    reference_clean: float = ALEXNET_CLEAN_ERROR,
) -> float:
    """Relative mCE: as mCE, of the errors beyond the error on clean images, of model and reference alike.

    Args:
        errors: the model's errors.
        clean: the model's error on clean images.
        reference: the reference model's errors on the same cells; AlexNet's if None.
        reference_clean: the reference model's error on clean images.

    Raises:
        ValueError: as in `corruption_weights`.
    """
    weights = corruption_weights(errors, reference, reference_clean)
    return sum(weights.cells[cell] * error for cell, error in errors.items()) + weights.clean * clean


def corruption_weights(
    cells: Collection[Cell], reference: Errors | None = None, reference_clean: float | None = None
) -> Weights:
    """The weights whose sum with a model's errors is its mCE, or with `reference_clean` its relative mCE.

    Args:
        cells: the cells that the model was measured on.
        reference: the reference model's errors; AlexNet's if None.
        reference_clean: the reference model's error on clean images, for the relative mCE.

    Raises:
        ValueError: a cell is missing: of the reference, or of the 15 corruptions at 5 severities that AlexNet's
            errors are the means of; or the reference makes no (further) error on a corruption, so that nothing can
            be divided by it.
    """
    if not cells:
        raise ValueError("a corruption error needs at least one cell")
    if reference is None:
        _check_published(cells)
        reference = {(corruption, severity): ALEXNET_ERROR[corruption] for corruption, severity in cells}
    clean = 0.0 if reference_clean is None else reference_clean
    corruptions = dict.fromkeys(name for name, _ in cells)
    weights: dict[Cell, float] = {}
    of_clean = 0.0
    for corruption in corruptions:
        own = [cell for cell in cells if cell[0] == corruption]
        absent = [severity for _, severity in own if (corruption, severity) not in reference]
        if absent:
            raise ValueError(f"the reference was not measured on {corruption} at severity {absent[0]}")
        theirs = sum(reference[cell] - clean for cell in own)
        if theirs <= 0:
            more = "" if reference_clean is None else " beyond its clean error"
            raise ValueError(f"the reference makes no error{more} on {corruption}; a corruption error is undefined")
        weights |= dict.fromkeys(own, 1 / (theirs * len(corruptions)))
        of_clean -= len(own) / (theirs * len(corruptions))
    return Weights(weights, of_clean if reference_clean is not None else 0.0)


def _check_published(cells: Collection[Cell]) -> None:
    wanted = {(corruption, severity) for corruption in ALEXNET_ERROR for severity in SEVERITIES}
    if missing := sorted(wanted.difference(cells)):
        raise ValueError(f"mCE against AlexNet needs {missing[0][0]} at severity {missing[0][1]}")
    if more := sorted(set(cells) - wanted):
        raise ValueError(f"mCE against AlexNet does not count {more[0][0]} at severity {more[0][1]}")
