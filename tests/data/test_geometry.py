"""Known sizes and offsets of torchvision's Resize and CenterCrop, and Pillow itself as the oracle for pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pytest_robust.data import canvas
from pytest_robust.errors import RobustError
from pytest_robust.spec.plan import Geometry


def places(height: int, width: int) -> np.ndarray:
    """An image whose pixels say where they are: (row, column, 0)."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows, columns, 0 * rows], axis=2).astype(np.uint8)


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((375, 500), 256, (256, 341)),  # 341.33
        ((500, 375), 256, (341, 256)),
        ((333, 500), 256, (256, 384)),  # 384.38
        ((300, 599), 256, (256, 511)),  # 511.15
        ((301, 600), 256, (256, 510)),  # 510.30
        ((399, 400), 224, (224, 224)),  # 224.56: cut off, not rounded
        ((90, 100), 180, (180, 200)),
        ((64, 64), 256, (256, 256)),
    ],
)
def test_the_short_side_is_met_and_the_long_side_cut_off(size, side, expected):
    assert canvas(np.zeros((*size, 3), np.uint8), Geometry(resize=side), "a").shape == (*expected, 3)


@pytest.mark.parametrize(
    ("size", "crop", "top", "left"),
    [
        ((10, 10), 4, 3, 3),
        ((11, 13), 4, 4, 4),  # 3.5 and 4.5: halves go to the even side
        ((9, 7), 4, 2, 2),  # 2.5 and 1.5
        ((5, 4), 4, 0, 0),  # 0.5
        ((4, 4), 4, 0, 0),
    ],
)
def test_the_crop_begins_where_torchvision_begins(size, crop, top, left):
    cut = canvas(places(*size), Geometry(crop=crop), "a")
    assert cut.shape == (crop, crop, 3)
    assert cut[0, 0].tolist() == [top, left, 0]
    assert cut[-1, -1].tolist() == [top + crop - 1, left + crop - 1, 0]


@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
def test_pixels_are_those_of_pillow(method):
    noise = np.random.default_rng(3).integers(0, 256, (60, 91, 3), np.uint8)
    resample = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}[method]
    whole = np.asarray(Image.fromarray(noise).resize((36, 24), resample))
    np.testing.assert_array_equal(canvas(noise, Geometry(24, None, method), "a"), whole)
    np.testing.assert_array_equal(canvas(noise, Geometry(24, 20, method), "a"), whole[2:22, 8:28])


def test_shrinking_is_antialiased():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert abs(canvas(stripes, Geometry(16), "a").astype(int) - 127).max() <= 32


def test_nothing_to_do_changes_nothing():
    image = places(256, 300)
    for geometry in (Geometry(), Geometry(resize=256), Geometry(resize=256, interpolation="bicubic")):
        np.testing.assert_array_equal(canvas(image, geometry, "a"), image)


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.none() | st.integers(1, 60),
    st.none() | st.integers(1, 60),
    st.booleans(),
)
def test_any_size(height, width, resize, crop, sliced):
    image = places(height, 2 * width)[:, ::2] if sliced else places(height, width)
    before = image.copy()
    short = resize or min(height, width)
    if crop is not None and crop > short:
        with pytest.raises(RobustError, match="smaller than the crop"):
            canvas(image, Geometry(resize, crop), "a")
        return
    made = canvas(image, Geometry(resize, crop), "a")
    assert made.dtype == np.uint8
    assert made.flags.c_contiguous
    long_side = short * max(height, width) // min(height, width)
    expected = (crop, crop) if crop else ((short, long_side) if height <= width else (long_side, short))
    assert made.shape == (*expected, 3)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("geometry", "size"),
    [(Geometry(crop=224), "200 x 180 pixels,"), (Geometry(200, 224), "222 x 200 pixels after the resize,")],
)
def test_an_image_smaller_than_the_crop_is_an_error_with_a_remedy(geometry, size):
    with pytest.raises(RobustError) as caught:
        canvas(places(180, 200), geometry, "dog/a.jpg")
    assert str(caught.value) == (
        f"dog/a.jpg is {size} smaller than the crop of 224; set geometry {{resize: 224, crop: 224}} or a larger resize"
    )


@pytest.mark.parametrize(
    ("size", "shape"), [((399, 400), (224, 225)), ((375, 500), (224, 299)), ((300, 599), (224, 447))]
)
def test_nearest_rounds_the_long_side(size, shape):
    geometry = Geometry(resize=224, rounding="nearest")
    assert canvas(np.zeros((*size, 3), np.uint8), geometry, "a").shape == (*shape, 3)


@pytest.mark.parametrize(("size", "begin"), [((10, 11), (3, 3)), ((11, 13), (3, 4)), ((4, 9), (0, 2))])
def test_nearest_truncates_the_offset_of_the_crop(size, begin):
    cut = canvas(places(*size), Geometry(crop=4, rounding="nearest"), "a")
    assert tuple(cut[0, 0, :2]) == begin
