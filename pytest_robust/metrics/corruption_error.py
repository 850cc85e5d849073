"""Mean corruption error (Hendrycks and Dietterich, arXiv 1903.12261, section 4.2)."""

from __future__ import annotations

from collections.abc import Mapping

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

Errors = Mapping[tuple[str, int | float], float]
"""Error in [0, 1] by (corruption, severity)."""


def mean_corruption_error(errors: Errors, reference: Errors | None = None) -> float:
    """mCE: the mean over corruptions of CE = sum of errors / sum of the reference's errors over severities.

    Args:
        errors: the model's errors.
        reference: the reference model's errors on the same cells; AlexNet's if None.

    Returns:
        The mCE as a fraction: 0.767 where papers print 76.7.

    Raises:
        ValueError: a cell is missing in the reference, or the reference makes no error on a corruption.
    """
    ratios = []
    for corruption in dict.fromkeys(name for name, _ in errors):
        ours = {severity: error for (name, severity), error in errors.items() if name == corruption}
        if reference is None:
            theirs = ALEXNET_ERROR[corruption] * len(ours)
        else:
            absent = [severity for severity in ours if (corruption, severity) not in reference]
            if absent:
                raise ValueError(f"the reference was not measured on {corruption} at severity {absent[0]}")
            theirs = sum(reference[corruption, severity] for severity in ours)
        if theirs == 0:
            raise ValueError(f"the reference makes no error on {corruption}; a corruption error is undefined")
        ratios.append(sum(ours.values()) / theirs)
    return sum(ratios) / len(ratios)
