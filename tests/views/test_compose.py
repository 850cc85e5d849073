"""SI-Score's composition: placements by hand, an oracle step by step, and bytes that must not change."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pytest_robust.data.compose import Scene, compose, inside, mask_of, placed, resized, square

GREY = np.full((100, 100, 3), 90, np.uint8)


def block(width, height, colour=(255, 0, 0), alpha=255):
    return np.full((height, width, 4), (*colour, alpha), np.uint8)


def test_the_area_is_that_of_the_rectangle_and_sides_are_truncated():
    # sqrt(0.2 / (800 / 10000)) = 1.5811; 40 and 20 times that are 63.2 and 31.6
    assert resized((40, 20), 0.2, 100) == (63, 31)
    assert resized((100, 100), 1.0, 100) == (100, 100)
    # sqrt(0.5 * 512 * 512 / (424 * 512)) = 0.7770
    assert resized((424, 512), 0.5, 512) == (329, 397)
    assert resized((1, 400), 0.01, 32) == (1, 64)


@pytest.mark.parametrize(
    ("x", "y", "corner"),
    [
        (0.5, 0.5, (18, 34)),  # 50 - 31.5 and 50 - 15.5
        (0.0, 0.0, (-31, -15)),  # -31.5 and -15.5, towards 0
        (0.29, 1.0, (-3, 84)),  # 0.29 * 100 is 28.999...: 28, then -3.5; 100 - 15.5
        (0.33, 0.14, (1, -1)),  # 33 - 31.5 = 1.5; 14 - 15.5 = -1.5
    ],
)
def test_the_centre_is_truncated_and_then_the_corner(x, y, corner):
    assert placed((63, 31), Scene(x, y, 0.2), 100) == corner


@pytest.mark.parametrize(
    ("scene", "share"),
    [
        (Scene(0.5, 0.5, 0.2), 1.0),
        (Scene(0.0, 0.0, 0.2), 32 * 16 / (63 * 31)),
        (Scene(1.0, 0.5, 0.2), 32 / 63),
        (Scene(0.5, 0.5, 0.2, 90), 1.0),
        (Scene(0.0, 0.5, 0.2, 90), 16 / 31),
        # 141 x 70 on 100: the sides stick out
        (Scene(0.5, 0.5, 1.0), 100 * 70 / (141 * 70)),
    ],
)
def test_the_share_inside_is_that_of_the_rectangles(scene, share):
    assert inside((40, 20), scene, 100) == share


def test_a_rotation_widens_the_rectangle_and_so_lowers_the_share():
    assert inside((40, 40), Scene(area=1.0), 100) == 1
    # a square of 100 turned by 45 degrees is 142 wide and high
    assert inside((40, 40), Scene(area=1.0, rotation=45), 100) == 100 * 100 / 142**2


def test_an_opaque_block_covers_exactly_its_place():
    made = compose(block(40, 20), GREY, Scene(0.5, 0.5, 0.2))
    expected = GREY.copy()
    expected[34 : 34 + 31, 18 : 18 + 63] = (255, 0, 0)
    assert np.array_equal(made, expected)
    assert np.array_equal(mask_of(block(40, 20), Scene(0.5, 0.5, 0.2), 100), (expected != 90).any(axis=2))
    assert np.array_equal(GREY, np.full((100, 100, 3), 90))


def test_what_sticks_out_is_cut_off():
    made = compose(block(40, 20), GREY, Scene(0.0, 1.0, 0.2))
    expected = GREY.copy()
    expected[84:, :32] = (255, 0, 0)
    assert np.array_equal(made, expected)


def test_the_background_shows_through_by_the_alpha():
    made = compose(block(10, 10, (200, 0, 50), alpha=51), GREY, Scene(area=1.0))
    # a fifth of the object, four fifths of the background
    assert made[50, 50].tolist() == [112, 72, 82]


def test_a_rotation_is_counter_clockwise_and_comes_after_the_resize():
    flag = block(20, 40)
    flag[20:] = (0, 0, 255, 255)
    made = compose(flag, GREY, Scene(0.5, 0.5, 0.32, 90))
    # 40 x 80 becomes 80 x 40: its red top is now on the left
    assert made[50, 15].tolist() == [255, 0, 0]
    assert made[50, 85].tolist() == [0, 0, 255]
    assert made[50, 5].tolist() == made[25, 50].tolist() == [90, 90, 90]


def test_backgrounds_are_cut_at_their_top_left():
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, :10], wide[:, 10:] = (1, 2, 3), (200, 200, 200)
    assert np.array_equal(square(wide, 10), wide[:, :10])
    assert np.array_equal(square(wide.transpose(1, 0, 2), 16), np.full((16, 16, 3), (1, 2, 3)))


def released(cutout, background, scene, side):
    """The released generator's steps, in its order."""
    short = min(background.shape[:2])
    bg = Image.fromarray(background).crop((0, 0, short, short)).resize((side, side), Image.BILINEAR)
    fg = Image.fromarray(cutout)
    factor = np.sqrt(scene.area / ((fg.height * fg.width) / (bg.width * bg.height)))
    fg = fg.resize((int(fg.width * factor), int(fg.height * factor)), Image.BILINEAR)
    fg = fg.rotate(scene.rotation, resample=Image.BICUBIC, expand=True)
    left, top = int(int(scene.x * bg.width) - fg.width * 0.5), int(int(scene.y * bg.height) - fg.height * 0.5)
    right, bottom = min(left + fg.width, bg.width), min(top + fg.height, bg.height)
    share = (right - max(left, 0)) * (bottom - max(top, 0)) / (fg.width * fg.height)
    bg.paste(fg, box=(left, top), mask=fg)
    return np.array(bg), share


shares = st.integers(0, 100).map(lambda step: step / 100)


@settings(max_examples=60, deadline=None)
@given(
    st.builds(Scene, shares, shares, st.integers(2, 100).map(lambda step: step / 100), st.integers(0, 359)),
    st.integers(8, 60),
    st.integers(8, 60),
    st.integers(20, 90),
)
def test_every_scene_is_the_released_generators(scene, width, height, side):
    random = np.random.default_rng(width * 100 + height)
    cutout = random.integers(0, 256, (height, width, 4), np.uint8)
    background = random.integers(0, 256, (50, 70, 3), np.uint8)
    made, share = released(cutout, background, scene, side)
    assert np.array_equal(compose(cutout, square(background, side), scene), made)
    assert inside((width, height), scene, side) == share


def test_the_bytes_stay():
    random = np.random.default_rng(5)
    cutout = random.integers(0, 256, (37, 61, 4), np.uint8)
    background = square(random.integers(0, 256, (80, 120, 3), np.uint8), 64)
    scenes = [Scene(area=0.1), Scene(area=0.5, rotation=21), Scene(0.15, 0.9, 0.2), Scene(area=1.0, rotation=341)]
    found = [hashlib.sha256(compose(cutout, background, scene).tobytes()).hexdigest()[:16] for scene in scenes]
    assert found == DIGESTS, found


DIGESTS = ["d3a7c24785245c27", "6bba3d7973ceb0a2", "12f5569df41c6562", "226cfd2225a3d3b9"]
