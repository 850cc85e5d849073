"""The shifts in torch against their definitions in NumPy and OpenCV, on torch's own CPU device.

No device adds in another order or with other last bits than these twins allow for, so what holds here holds elsewhere,
up to the Fourier filters' last bits; `benchmarks/device.py` measures a GPU itself.
"""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode

from pytest_robust.api import list_shifts
from pytest_robust.errors import RobustError
from pytest_robust.registry import Registry
from pytest_robust.shifts import spatter
from pytest_robust.shifts.base import PixelShift
from pytest_robust.shifts.fog import plasma
from pytest_robust.shifts.on_device import canny, pixels, streams
from pytest_robust.shifts.on_device import spatter as twin_spatter
from pytest_robust.shifts.on_device.bits import BatchBits
from pytest_robust.shifts.on_device.filters import Stencil
from pytest_robust.shifts.on_device.resample import resized
from pytest_robust.shifts.on_device.streams import make_on_device
from pytest_robust.shifts.rng import Stream
from pytest_robust.shifts.streams import make

# frost with photographs of a folder has a test of its own
TWINS = [one for one in Registry().shifts() if one.device_apply and one.name != "frost"]
ON_HOST = [one for one in Registry().shifts() if not one.device_apply]
ANY: dict[str, tuple[float | None, ...]] = {
    "clean": (None,),
    "one-per-sample": (None,),
    "down_up": (0.1, 0.37, 0.5, 1.3, 4),
    "zoom_crop": (1.1, 2, 3.3),
    "shrink_pad": (0.1, 0.25, 0.9),
    "feed_scaled": (0.3, 2),
    "l0": (0.001, 0.01, 0.3, 1),
    "l0.5": (5e4, 1e7),
    "l1": (25, 800),
    "l2": (0.5, 15),
    "linf": (0.01, 0.15),
    "low_pass": (0.1, 0.5),
}
"""Severities of the shifts that take any number; 0.02 and 0.3 of the others."""
EVERY = pytest.mark.parametrize("shift", TWINS, ids=lambda shift: shift.name)
FOURIER = {"low_pass", "high_pass", "blue_noise_sample", "brownish_noise"}
"""What goes through a Fourier transform of real numbers, whose last bits nobody rounds away."""


def canvases(height: int, width: int) -> NDArray[np.uint8]:
    """A picture of soft colours, one of fine texture, a flat one, and one of blocks with sharp edges."""
    side = 1 << (max(height, width, 2) - 1).bit_length()
    heights = [plasma(Stream(0, "photo", {}, str(channel)), side, 1.5)[:height, :width] for channel in range(3)]
    soft = np.stack([np.interp(one, (one.min(), one.max()), (0, 255)) for one in heights], -1)
    texture = np.random.default_rng(7).integers(0, 256, (height, width, 3))
    rows, columns = np.indices((height, width))
    blocks = np.stack([rows // 9 * 61 % 256, columns // 7 * 97 % 256, (rows // 5 + columns // 5) % 2 * 255], -1)
    return np.stack([soft, texture, np.full_like(texture, 128), blocks]).astype(np.uint8)


def severities(shift: PixelShift) -> tuple[float | None, ...]:
    return tuple(shift.severities) or ANY.get(shift.name, (0.02, 0.3))


def both(
    shift: PixelShift, images: NDArray[np.uint8], severity: float | None, **options: Any
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """What the definition and what the twin makes."""
    names = [f"class/{number}.png" for number in range(len(images))]
    numbers = shift.resolve({"severity": severity, **options}, *images.shape[1:3])
    made = make_on_device(shift, torch.tensor(images), names, 3, numbers)
    assert made.dtype == torch.uint8
    assert made.is_contiguous()
    return make(shift, images, names, 3, numbers), made.numpy()


@settings(max_examples=60)
@given(st.integers(0, 2**128 - 1), st.integers(0, 700), st.integers(0, 2**64 - 1) | st.integers(0, 4))
def test_the_bits_are_those_of_the_definition(key: int, count: int, lane: int) -> None:
    some = [Stream.of_key(one) for one in (key, 0, 2**128 - 1, key ^ 1)]
    drawn = BatchBits(some, torch.device("cpu")).uint16(count, lane=lane)
    assert np.array_equal(drawn.numpy(), [one.uint16(count, lane=lane) for one in some])


def test_the_bits_of_a_whole_canvas() -> None:
    some = [Stream(0, "x", {}, str(number)) for number in range(3)]
    bits = BatchBits(some, torch.device("cpu"))
    assert np.array_equal(bits.uint16(150528).numpy(), [one.uint16(150528) for one in some])
    assert np.array_equal(bits.of([2, 0]).uint16(9).numpy(), [some[2].uint16(9), some[0].uint16(9)])


@EVERY
@pytest.mark.parametrize("size", [(224, 224), (32, 32)], ids=["224", "32"])
def test_a_twin_is_its_definition(shift: PixelShift, size: tuple[int, int]) -> None:
    images = canvases(*size)[: 2 if size[0] > 32 else 4]
    for severity in severities(shift):
        expected, made = both(shift, images, severity)
        assert made.shape == expected.shape
        off = np.abs(made.astype(int) - expected)
        same, near = (off == 0).mean(), (off <= 1).mean()
        print(f"{shift.name} {severity} at {size[0]}: {same:.5%} equal, {near:.5%} within one level")
        assert near >= 0.999 if shift.name in FOURIER else same == 1


@EVERY
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (5, 70), (60, 40)], ids=str)
def test_a_canvas_of_any_size(shift: PixelShift, size: tuple[int, int]) -> None:
    for severity in severities(shift)[-2:]:
        expected, made = both(shift, canvases(*size), severity)
        assert np.array_equal(made, expected)


@EVERY
def test_batches_parts_and_views_change_nothing(shift: PixelShift, monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.tensor(canvases(40, 56))
    names = list("abcd")
    severity = severities(shift)[-1]
    numbers = shift.resolve({"severity": severity}, 40, 56)
    before = images.clone()
    whole = make_on_device(shift, images, names, 1, numbers)
    assert torch.equal(images, before)
    assert whole.data_ptr() != images.data_ptr()
    for part in ([2], [3, 0], [1, 1, 2]):
        some = make_on_device(shift, images[part], [names[one] for one in part], 1, numbers)
        assert torch.equal(some, whole[part])
    # memory in another order, and every second column of a larger batch
    turned = images.permute(3, 0, 2, 1).contiguous().permute(1, 3, 2, 0)
    wide = images.repeat_interleave(2, dim=2)[:, :, ::2]
    monkeypatch.setattr(streams, "_PIXELS", 1)
    for view in (turned, wide):
        assert not view.is_contiguous()
        found = make_on_device(shift, view, names, 1, numbers)
        assert found.is_contiguous()
        assert torch.equal(found, whole)


class OneDevice(TorchDispatchMode):
    """Lets no operation mix tensors of the host with others; copies to the device alone may."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        places = set()
        for one in (*args, *(kwargs or {}).values(), made):
            several = one if isinstance(one, list | tuple) else (one,)
            places |= {part.device.type for part in several if isinstance(part, torch.Tensor)}
        assert len(places) < 2 or "copy" in str(func), f"{func} mixes {places}"
        return made


READS = {"l0", "l0linear", "saltpepper", "l0.5", "l1", "l2", "l5", "l10", "l50", "l200"}
"""What makes the host wait for numbers of the device."""


@EVERY
def test_no_twin_waits_for_the_device_or_mixes_it_with_the_host(shift: PixelShift) -> None:
    """On torch's device `meta` there are no values to read, so a twin that passes there reads none."""
    images = torch.empty((4, 40, 56, 3), dtype=torch.uint8, device="meta")
    # of spatter the first severities are water, the last ones mud
    for severity in severities(shift)[:: 4 if shift.name == "spatter" else 9]:
        asked = {"severity": severity}
        if shift.name == "one-per-sample":
            asked["corruptions"] = ["fog", "contrast"]  # type: ignore[assignment]
        numbers = shift.resolve(asked, 40, 56)
        reads = shift.name in READS or (shift.name == "spatter" and not numbers["mud"])
        try:
            with OneDevice():
                made = make_on_device(shift, images, list("abcd"), 0, numbers)
            assert not reads
            assert made.device.type == "meta"
            assert made.dtype == torch.uint8
        except (RuntimeError, NotImplementedError):
            assert reads


@pytest.mark.parametrize("name", ["fog", "gaussian_noise", "jpeg_compression"])
def test_a_result_that_goes_through_a_file(name: str) -> None:
    expected, made = both(Registry().find(name), canvases(64, 64), 2, jpeg85=True)
    assert np.array_equal(made, expected)


def test_one_corruption_per_sample_also_where_it_has_no_twin() -> None:
    shift = Registry().find("one-per-sample")
    images = np.concatenate([canvases(40, 40)] * 6)
    for reload in (False, True):
        options = {"corruptions": ["jpeg_compression", "fog", "frost_procedural"], "jpeg85": reload}
        expected, made = both(shift, images, None, **options)
        assert np.array_equal(made, expected)


def test_frost_of_a_folder(tmp_path: Path) -> None:
    for number, size in enumerate([(90, 300), (400, 80), (200, 200)]):
        noise = np.random.default_rng(number).integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number}.png")
    images = np.concatenate([canvases(64, 48)] * 3)
    for severity in range(1, 6):
        expected, made = both(Registry().find("frost"), images, severity, textures=str(tmp_path))
        assert np.array_equal(made, expected)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("pad", ["constant", "reflect", "edge"])
def test_every_way_to_scale(interpolation: str, pad: str) -> None:
    images = canvases(37, 50)
    for name, multiple in (("down_up", 0.3), ("zoom_crop", 1.7), ("feed_scaled", 0.05), ("shrink_pad", 0.11)):
        options = {"pad": pad, "fill": 9} if name == "shrink_pad" else {}
        expected, made = both(Registry().find(name), images, multiple, interpolation=interpolation, **options)
        assert np.array_equal(made, expected)


@settings(max_examples=150)
@given(
    st.tuples(*[st.integers(1, 40)] * 2),
    st.tuples(*[st.integers(1, 90)] * 2),
    st.sampled_from(["nearest", "box", "bilinear", "bicubic"]),
)
def test_resizing_is_that_of_pillow(size: tuple[int, int], new: tuple[int, int], interpolation: str) -> None:
    images = canvases(*size)
    made = resized(torch.tensor(images), *new, interpolation)
    method = Image.Resampling[interpolation.upper()]
    expected = [np.asarray(Image.fromarray(one).resize(new[::-1], method)) for one in images]
    assert np.array_equal(made.numpy(), expected)


@pytest.mark.parametrize("edge", [pixels.repeated, pixels.reflected, pixels.mirrored], ids=lambda edge: edge.__name__)
def test_a_stencil_sums_up_exactly(edge: Any) -> None:
    random = np.random.default_rng(1)
    dy, dx, weights = random.integers(-20, 21, (3, 40)), random.integers(-9, 30, (3, 40)), random.integers(0, 1639, 40)
    images = random.integers(0, 256, (3, 2, 31, 45))
    # the margin that NumPy adds by the same name
    mode = {"repeated": "edge", "reflected": "symmetric", "mirrored": "reflect"}[edge.__name__]
    framed = np.pad(images, ((0, 0), (0, 0), (30, 30), (30, 30)), mode=mode)  # type: ignore[call-overload]
    expected = np.zeros(images.shape, np.int64)
    for number in range(3):
        for y, x, weight in zip(dy[number], dx[number], weights, strict=True):
            expected[number] += weight * framed[number, :, 30 + y : 61 + y, 30 + x : 75 + x]
    found = Stencil(dy, dx, weights, (31, 45), edge)(torch.tensor(images, dtype=torch.float64))
    assert np.array_equal(found.numpy(), expected)


BLOBS = arrays(np.uint8, st.tuples(*[st.integers(3, 24)] * 2), elements=st.sampled_from([0, 0, 0, 40, 90, 180, 255]))


@settings(max_examples=150)
@given(BLOBS)
def test_edges_distances_and_equalised_levels_are_those_of_the_definition(levels: NDArray[np.uint8]) -> None:
    for image in (levels, cv2.GaussianBlur(levels, (5, 5), 0)):
        batch = torch.tensor(image.astype(np.int32))[None]
        expected = cv2.Canny(image, 50, 150) > 0
        found = canny.edges(batch, 50, 150)[0]
        assert np.array_equal(found.numpy(), expected)
        assert np.array_equal(twin_spatter.distances(found[None])[0].numpy(), spatter.distances(expected))
        assert np.array_equal(twin_spatter.equalised(batch)[0].numpy(), cv2.equalizeHist(image))


def test_an_edge_is_followed_all_the_way() -> None:
    """A spiral of a weak edge with one strong end, longer than the steps between two checks."""
    image = np.zeros((150, 150), np.uint8)
    for ring in range(5, 70, 10):
        cv2.rectangle(image, (ring, ring), (149 - ring, 149 - ring), 22, 1)
        cv2.line(image, (ring, ring + 3), (ring + 10, ring + 3), 22, 1)
    image[74, 70:80] = image[5, 5:9] = 255
    found = canny.edges(torch.tensor(image.astype(np.int32))[None], 50, 150)[0]
    assert np.array_equal(found.numpy(), cv2.Canny(image, 50, 150) > 0)


def test_ties_for_the_last_place_are_drawn_as_in_the_definition() -> None:
    """On canvases this large some words are tied on nearly every image, and a share near 1/2 cuts through them."""
    images = np.concatenate([canvases(224, 224)] * 2)
    for name, share in (("l0", 0.5), ("l0linear", 0.499), ("saltpepper", 0.4)):
        assert np.array_equal(*both(Registry().find(name), images, share))


def test_noise_of_a_large_p_on_few_pixels() -> None:
    """There the sum of powers is too coarse, and the values themselves go to the host."""
    for norm in ("l50", "l200"):
        assert np.array_equal(*both(Registry().find(norm), canvases(2, 2), 0.5, inside="hull"))


@pytest.mark.parametrize("norm", ["l1", "l10", "linf"])
def test_noise_on_the_hull(norm: str) -> None:
    epsilon = 100 if norm == "l1" else 0.2
    assert np.array_equal(*both(Registry().find(norm), canvases(33, 20), epsilon, inside="hull"))


def test_the_list_says_what_stays_on_the_host() -> None:
    rows = [row for row in list_shifts() if row.kind == "pixel"]
    staying = {row.name for row in rows if not row.on_device}
    assert staying == {"jpeg_compression", "caustic_refraction", "lines", "resize"}
    assert not any(row.on_device for row in list_shifts() if row.kind == "view")


@pytest.mark.parametrize("shift", ON_HOST, ids=lambda shift: shift.name)
def test_what_stays_on_the_host_is_made_there_and_copied(shift: PixelShift) -> None:
    severity = 3 if shift.severities else 24
    assert np.array_equal(*both(shift, canvases(40, 56), severity))


def test_no_strength_and_no_images(pictures: NDArray[np.uint8]) -> None:
    shift = Registry().find("fog")
    images = torch.tensor(pictures)
    same = make_on_device(shift, images, list("abcd"), 0, {})
    assert torch.equal(same, images)
    assert same.data_ptr() != images.data_ptr()
    assert make_on_device(shift, images[:0], [], 0, {"table": 32, "amount": 1, "decay": 2}).shape == (0, 40, 56, 3)


def test_a_shift_of_a_users_own_may_bring_a_twin() -> None:
    def dim(images: torch.Tensor, bits: BatchBits, by: int) -> torch.Tensor:
        return images // by

    shift = replace(TWINS[0], device_apply=dim)
    images = torch.full((2, 3, 3, 3), 90, dtype=torch.uint8)
    assert make_on_device(shift, images, ["a", "b"], 0, {"by": 2}).unique().tolist() == [45]


def test_nothing_imports_torch_before_a_twin_is_called() -> None:
    code = (
        "import sys, pytest_robust.registry, pytest_robust.api as api; api.list_shifts(); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
@EVERY
def test_a_gpu_gives_what_the_definition_gives(shift: PixelShift) -> None:
    images = np.concatenate([canvases(224, 224)] * 2)
    names = [str(number) for number in range(len(images))]
    for severity in severities(shift):
        numbers = shift.resolve({"severity": severity}, 224, 224)
        expected = make(shift, images, names, 0, numbers).astype(int)
        made = make_on_device(shift, torch.tensor(images, device="cuda"), names, 0, numbers).cpu().numpy()
        assert (np.abs(made - expected) <= 1).mean() >= 0.999
        assert math.isclose((made == expected).mean(), 1, abs_tol=1e-6)


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (lambda images: images.float(), r"torch.float32 \(2, 8, 8, 3\)"),
        (lambda images: images[:1], r"torch.uint8 \(1, 8, 8, 3\)"),
        (lambda images: images.numpy(), "ndarray"),
    ],
)
def test_what_a_twin_returns_is_checked(returned: Any, said: str) -> None:
    own = replace(TWINS[1], suite="mine", name="dim", device_apply=lambda images, bits, **_: returned(images))
    with pytest.raises(RobustError, match=rf"^the shift mine\.dim must return uint8 \(2, H, W, 3\) .* not {said}; "):
        make_on_device(own, torch.zeros((2, 8, 8, 3), dtype=torch.uint8), ["a", "b"], 0, {"std": 0.1})
