"""Every rule of the decoding table, on files that Pillow, OpenCV or the test itself wrote."""

import io
import struct
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile, ImageOps

from pytest_robust.data.decode import MAX_PIXELS, decode, decode_bytes
from pytest_robust.errors import RobustError

# One IFD entry that claims more data than there is: Pillow warns "Corrupt EXIF data".
CORRUPT_EXIF = b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06"


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def grey3(grey: np.ndarray) -> np.ndarray:
    return np.stack([grey] * 3, axis=2)


def png_start(width: int, height: int) -> bytes:
    """A PNG up to the first bytes of its pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + b"\0\0\x20\0IDAT"
    )


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_rgb_comes_back_as_it_is(kind, colours, tmp_path):
    path = tmp_path / "image.any"
    path.write_bytes(encoded(Image.fromarray(colours), kind))
    image = decode(path)
    np.testing.assert_array_equal(image, colours)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert image.flags.writeable


def test_grey_and_bits_fill_three_channels(colours):
    grey = colours[:, :, 0]
    np.testing.assert_array_equal(decode_bytes(encoded(Image.fromarray(grey), "PNG"), "a"), grey3(grey))
    bits = Image.fromarray(grey > 100).convert("1")
    expected = grey3(np.where(grey > 100, 255, 0))
    np.testing.assert_array_equal(decode_bytes(encoded(bits, "PNG"), "a"), expected)


@pytest.mark.parametrize(("kind", "order"), [("PNG", "<u2"), ("TIFF", "<u2"), ("TIFF", ">u2"), ("PPM", "<u2")])
def test_every_16_bit_grey_value_is_scaled_and_rounded(kind, order):
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    mode = "I;16B" if order == ">u2" else "I;16"
    image = Image.frombytes(mode, (256, 256), values.astype(order).tobytes())
    np.testing.assert_array_equal(decode_bytes(encoded(image, kind), "a"), grey3(np.rint(values / 257)))


def test_16_bit_grey_is_turned_upright():
    values = np.array([[0, 257, 514], [771, 1028, 65535]], np.uint16)
    exif = Image.Exif()
    exif[0x0112] = 6
    image = decode_bytes(encoded(Image.fromarray(values), "PNG", exif=exif), "a")
    np.testing.assert_array_equal(image[:, :, 0], [[3, 0], [4, 1], [255, 2]])


def test_16_bit_colours_keep_their_high_byte():
    wide = np.array([[[0x01FF, 0x8000, 0xFFFF], [0x00FF, 0x7F80, 0xFE01]]], np.uint16)
    written, data = cv2.imencode(".png", wide[:, :, ::-1])
    assert written
    np.testing.assert_array_equal(decode_bytes(data.tobytes(), "a"), wide >> 8)


def test_alpha_is_dropped_not_composited(colours):
    alpha = np.arange(35, dtype=np.uint8).reshape(5, 7, 1) * 7
    rgba = Image.fromarray(np.concatenate([colours, alpha], axis=2), "RGBA")
    np.testing.assert_array_equal(decode_bytes(encoded(rgba, "PNG"), "a"), colours)
    grey = colours[:, :, :1]
    la = Image.merge("LA", [Image.fromarray(grey[:, :, 0]), Image.fromarray(alpha[:, :, 0])])
    np.testing.assert_array_equal(decode_bytes(encoded(la, "PNG"), "a"), grey3(grey[:, :, 0]))


@pytest.mark.parametrize("transparency", [None, 1, bytes([0, 128, 255])])
def test_palette_colours_show_even_where_transparent(transparency):
    image = Image.frombytes("P", (3, 1), bytes([0, 1, 2]))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    options = {} if transparency is None else {"transparency": transparency}
    pixels = decode_bytes(encoded(image, "PNG", **options), "a")
    np.testing.assert_array_equal(pixels, [[[10, 20, 30], [40, 50, 60], [70, 80, 90]]])


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize(
    ("ink", "colour"),
    [
        ((255, 0, 0, 0), (0, 255, 255)),
        ((0, 255, 255, 0), (255, 0, 0)),
        ((0, 0, 0, 255), (0, 0, 0)),
        ((0, 0, 0, 0), (255, 255, 255)),
    ],
)
def test_cmyk_inks_become_the_colours_they_print(kind, ink, colour):
    pixels = decode_bytes(encoded(Image.new("CMYK", (16, 16), ink), kind), "a")
    assert abs(pixels.astype(int) - colour).max() <= 2


def test_cmyk_without_adobes_marker_is_taken_as_inverted_too():
    data = encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG")
    start = data.index(b"\xff\xee")
    length = struct.unpack(">H", data[start + 2 : start + 4])[0]
    assert data[start + 4 : start + 9] == b"Adobe"
    pixels = decode_bytes(data[:start] + data[start + 2 + length :], "a")
    assert abs(pixels.astype(int) - (0, 255, 255)).max() <= 2


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_frame_of_several(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    lossless = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **lossless)
    with Image.open(io.BytesIO(data)) as image:
        assert image.n_frames == 2
    np.testing.assert_array_equal(decode_bytes(data, "a"), np.broadcast_to((255, 0, 0), (8, 8, 3)))


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied_as_pillow_does(kind, orientation, colours):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(colours), kind, exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    np.testing.assert_array_equal(decode_bytes(data, "a"), expected)


def test_orientation_six_turns_a_quarter_clockwise(colours):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decode_bytes(encoded(Image.fromarray(colours), "PNG", exif=exif), "a")
    np.testing.assert_array_equal(turned, np.rot90(colours, -1))


@pytest.mark.parametrize("exif", [CORRUPT_EXIF, b"Exif\0\0what?", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff"])
def test_unreadable_exif_changes_nothing_and_warns_of_nothing(exif, colours):
    image = Image.fromarray(colours)
    np.testing.assert_array_equal(
        decode_bytes(encoded(image, "JPEG", exif=exif), "a"), decode_bytes(encoded(image, "JPEG"), "a")
    )


def test_corrupt_exif_does_warn_in_pillow(colours):
    data = encoded(Image.fromarray(colours), "JPEG", exif=CORRUPT_EXIF)
    with pytest.warns(UserWarning, match="Corrupt EXIF"):
        Image.open(io.BytesIO(data)).getexif()


def test_warnings_stay_inside_while_another_thread_swaps_the_filters(colours):
    data = encoded(Image.fromarray(colours), "JPEG", exif=CORRUPT_EXIF)
    expected = decode_bytes(data, "a")
    stop = threading.Event()

    def work() -> int:
        done = 0
        while not stop.is_set():
            np.testing.assert_array_equal(decode_bytes(data, "a"), expected)
            done += 1
        return done

    before = warnings.filters
    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(work) for _ in range(4)]
        for _ in range(2000):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
        stop.set()
    assert all(future.result() > 0 for future in running)
    assert warnings.filters is before


@pytest.mark.parametrize("moment", ["before opening", "after opening"])
def test_a_swap_at_the_worst_moment_loses_neither_image_nor_orientation(moment, monkeypatch, colours):
    # Orientation 6, then a text said to lie behind the end, of which Pillow warns.
    entries = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack("<HHII", 0x010E, 2, 100, 9999)
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + entries + struct.pack("<I", 0)
    data = encoded(Image.fromarray(colours), "JPEG" if moment == "before opening" else "PNG", exif=exif)
    expected = decode_bytes(data, "a")
    assert expected.shape == (7, 5, 3)
    swaps = []
    original = Image.open

    def open_and_swap(*args, **options):
        swaps.append(moment)
        if swaps == ["before opening"]:
            warnings.simplefilter("error")
        image = original(*args, **options)
        if swaps == ["after opening"]:
            warnings.simplefilter("error")
        return image

    with warnings.catch_warnings():
        monkeypatch.setattr(Image, "open", open_and_swap)
        np.testing.assert_array_equal(decode_bytes(data, "a"), expected)
    assert len(swaps) == 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_a_file_cut_short_is_an_error_naming_it(kind, share, tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    path = tmp_path / "cut.jpg"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(RobustError, match=r"cut\.jpg"):
        decode(path)


def test_lenient_pillow_is_refused(monkeypatch, colours):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(RobustError, match="LOAD_TRUNCATED_IMAGES is set"):
        decode_bytes(encoded(Image.fromarray(colours), "PNG"), "a.png")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "a.jpg is an empty file; replace or remove it"),
        (b"file,label\n", "a.jpg is not an image in a known format .AVIF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n", "a.jpg is not an image"),
        (png_start(30_000, 30_000), "a.jpg cannot be decoded: .*could be decompression bomb"),
        (png_start(10_000, 9_000), "a.jpg has 10000 x 9000 pixels, more than 89,478,485 are refused"),
    ],
)
def test_what_is_no_usable_image_is_named(data, sentence):
    with pytest.raises(RobustError, match=sentence):
        decode_bytes(data, "a.jpg")


def test_the_largest_size_is_the_one_pillow_trusts():
    assert Image.MAX_IMAGE_PIXELS == MAX_PIXELS


@pytest.mark.parametrize(("mode", "words"), [("F", "floating-point"), ("I", "32-bit integer"), ("LAB", "Lab")])
def test_pixels_without_a_known_range_are_refused(mode, words):
    with pytest.raises(RobustError, match=f"a.tif has {words} pixels; store it as 8- or 16-bit"):
        decode_bytes(encoded(Image.new(mode, (4, 3)), "TIFF"), "a.tif")


def test_unreadable_paths_are_named(tmp_path):
    with pytest.raises(RobustError, match=r"gone\.png cannot be read: No such file"):
        decode(tmp_path / "gone.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(RobustError, match=r"folder\.png cannot be read"):
        decode(tmp_path / "folder.png")


SAMPLES = [
    encoded(Image.fromarray(np.arange(105, dtype=np.uint8).reshape(5, 7, 3)), kind, exif=exif)
    for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP")
    for exif in [Image.Exif()]
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6))
def test_damaged_bytes_give_an_image_or_one_sentence(data, damage):
    broken = bytearray(data)
    for place, value in damage:
        broken[place % len(broken)] = value
    try:
        image = decode_bytes(bytes(broken), "a.png")
    except RobustError as error:
        sound = str(error).startswith("a.png ") and "\n" not in str(error)
    else:
        sound = image.dtype == np.uint8 and image.shape[2:] == (3,)
    assert sound


def test_the_same_bytes_from_any_thread(tmp_path: Path):
    noise = np.random.default_rng(2).integers(0, 256, (40, 50, 3), np.uint8)
    paths = [tmp_path / f"{number}.jpg" for number in range(24)]
    for number, path in enumerate(paths):
        Image.fromarray(np.roll(noise, number, axis=0)).save(path, quality=80)
    alone = [decode(path) for path in paths]
    with ThreadPoolExecutor(8) as pool:
        for expected, image in zip(alone, pool.map(decode, paths), strict=True):
            np.testing.assert_array_equal(image, expected)
