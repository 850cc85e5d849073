"""The corruptions at 224 pixels against the package imagecorruptions, where both mean the same picture.

Its release asks for names that newer libraries no longer have; they are put back around each call, so that its rules
themselves run as they were published. Where it goes its own way it says nothing about ours, which
`tests/shifts/test_paper.py` holds to the paper's rule:

- elastic_transform bends by a rule of its own, without the paper's random affine map, and is told apart here;
- frost enlarges its photographs by a tenth or more before it cuts from them, where the paper takes them as they are;
- glass_blur is the paper's, swapped pixel by pixel in a loop that is too slow to be compared here.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_robust import apply_shift
from tests.shifts.likeness import compare
from tests.shifts.test_paper import coloured

Corrupt = Callable[..., NDArray[np.uint8]]
SIDE = 224
EXACT = (
    "brightness",
    "contrast",
    "saturate",
    "defocus_blur",
    "gaussian_blur",
    "zoom_blur",
    "pixelate",
    "jpeg_compression",
)
RANDOM = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "speckle_noise",
    "motion_blur",
    "snow",
    "fog",
    "spatter",
)


@pytest.fixture(scope="module")
def corrupt() -> Iterator[Corrupt]:
    """Its `corrupt`, with what numpy, SciPy, scikit-image and setuptools have dropped since put back."""
    if importlib.util.find_spec("imagecorruptions") is None:
        pytest.skip("no package imagecorruptions; it wants opencv-python, so: pip install --no-deps imagecorruptions")
    pytest.importorskip("skimage", reason="imagecorruptions needs scikit-image")
    from scipy import ndimage
    from skimage import filters

    gaussian = filters.gaussian

    def gaussian_of_channels(image: Any, sigma: Any = 1, *, multichannel: bool = False, **options: Any) -> Any:
        return gaussian(image, sigma, channel_axis=-1 if multichannel else None, **options)

    resources, interpolation = types.ModuleType("pkg_resources"), types.ModuleType("scipy.ndimage.interpolation")
    resources.resource_filename = lambda package, name: str(  # type: ignore[attr-defined]
        Path(sys.modules[package].__file__ or "").parent / name
    )
    interpolation.map_coordinates = ndimage.map_coordinates  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pkg_resources", resources)
        patch.setitem(sys.modules, "scipy.ndimage.interpolation", interpolation)
        patch.setattr(filters, "gaussian", gaussian_of_channels)
        patch.setattr(np, "float_", np.float64, raising=False)
        yield importlib.import_module("imagecorruptions").corrupt
        for name in [name for name in sys.modules if name.partition(".")[0] == "imagecorruptions"]:
            del sys.modules[name]


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    """Sixteen: of fewer than eleven the permutation test could not find p at or below 0.001."""
    return coloured(16, SIDE, 1.6)


@pytest.mark.parametrize("severity", [1, 3, 5])
@pytest.mark.parametrize("name", EXACT)
def test_what_draws_nothing_is_the_same_picture(
    corrupt: Corrupt, images: NDArray[np.uint8], name: str, severity: int
) -> None:
    given = images[:4]
    theirs = np.stack([corrupt(one, severity, name) for one in given])
    apart = np.abs(apply_shift(given, name, severity, table=SIDE).astype(int) - theirs)
    # it truncates without a guard, so a level that is whole but for rounding may fall by one
    assert apart.max() <= (0 if name in ("pixelate", "jpeg_compression") else 1)
    assert apart.mean() < 0.2


def theirs_of(corrupt: Corrupt, images: NDArray[np.uint8], name: str, severity: int) -> NDArray[np.uint8]:
    np.random.seed(severity)  # its only source of randomness
    return np.stack([corrupt(one, severity, name) for one in images])


@pytest.mark.parametrize("severity", [1, 3, 5])
@pytest.mark.parametrize("name", RANDOM)
def test_what_draws_follows_the_same_law(corrupt: Corrupt, images: NDArray[np.uint8], name: str, severity: int) -> None:
    made = apply_shift(images, name, severity, table=SIDE)
    found = compare(images, made, theirs_of(corrupt, images, name, severity))
    assert found.distance_p > 0.001
    assert found.power_p > 0.001


@pytest.mark.parametrize(
    ("name", "severity", "other"),
    [("elastic_transform", 1, 1), ("gaussian_noise", 1, 2), ("motion_blur", 2, 3), ("snow", 1, 2), ("fog", 1, 5)],
)
def test_another_law_is_told_apart(
    corrupt: Corrupt, images: NDArray[np.uint8], name: str, severity: int, other: int
) -> None:
    made = apply_shift(images, name, severity, table=SIDE)
    found = compare(images, made, theirs_of(corrupt, images, name, other))
    assert min(found.distance_p, found.power_p) <= 0.001
