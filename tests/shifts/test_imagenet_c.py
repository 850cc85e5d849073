"""What a spec entry may ask of ImageNet-C: textures, JPEG storage, one corruption per sample."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from pytest_robust.registry import catalog, pixel_shift
from pytest_robust.shifts.rng import Streams
from pytest_robust.shifts.streams import make
from pytest_robust.spec.catalog import Variant

PER_SAMPLE = pixel_shift("imagenet-c", "one-per-sample")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows, columns = np.indices((70, 80))
    for number in range(2):
        texture = np.stack([rows * 3, columns * 3, np.full_like(rows, number * 200)], axis=-1)
        Image.fromarray(texture.astype(np.uint8)).save(tmp_path / f"{number}.png")
    return tmp_path


def expand(**entry: Any) -> list[Variant]:
    suite = catalog()["imagenet-c"]
    return list(suite.expand(suite.options.model_validate_json(json.dumps(entry), strict=True)))


def test_without_textures_frost_goes_by_its_own_name() -> None:
    names = [one.shift for one in expand(severities=[3])]
    assert names.index("frost_procedural") == names.index("snow") + 1 == names.index("fog") - 1
    assert len(names) == 15
    assert "frost" not in names
    (one,) = expand(corruptions=["frost"], severities=[2])
    assert (one.shift, one.severity, one.parameters) == ("frost_procedural", 2, {"severity": 2, "table": "auto"})


def test_with_textures_it_is_frost_and_the_others_are_not_told(folder: Path) -> None:
    found = expand(corruptions=["frost", "fog"], severities=[2], textures="../frost", table=64)
    assert [(one.shift, one.parameters) for one in found] == [
        ("frost", {"severity": 2, "table": 64, "textures": "../frost"}),
        ("fog", {"severity": 2, "table": 64}),
    ]


def test_published_images_keep_the_papers_name() -> None:
    assert [one.shift for one in expand(corruptions=["frost"], severities=[1], stored="c")] == ["frost"]
    for other in ({"textures": "a"}, {"jpeg85": True}, {"draw": "one-per-sample"}):
        with pytest.raises(ValueError, match=f"{next(iter(other))}: says how images are made; those of `stored` are"):
            expand(stored="c", **other)


def test_textures_without_frost_are_refused() -> None:
    with pytest.raises(ValueError, match="textures are for frost, which this entry does not ask for"):
        expand(corruptions=["fog"], textures="a")


@pytest.mark.parametrize(
    "entry",
    [{"textures": ""}, {"textures": None}, {"jpeg85": "yes"}, {"jpeg85": 85}, {"draw": "two"}, {"textures": ["a"]}],
)
def test_entries_are_validated(entry: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        expand(**entry)


@pytest.mark.parametrize("name", ["defocus_blur", "gaussian_noise", "fog", "jpeg_compression"])
def test_jpeg85_stores_and_reads_again(pictures: NDArray[np.uint8], name: str) -> None:
    (one,) = expand(corruptions=[name], severities=[1], jpeg85=True)
    assert one.parameters == {"severity": 1, "table": "auto", "jpeg85": True}
    shift = pixel_shift("imagenet-c", name)
    numbers = shift.resolve(one.parameters, 40, 56)
    bits = [Streams(0, name, numbers).for_id(str(i)) for i in range(4)]
    plain = shift.apply(pictures, bits, **{key: value for key, value in numbers.items() if key != "jpeg85"})
    made = make(shift, pictures, ["0", "1", "2", "3"], 0, numbers)
    for found, image in zip(made, plain, strict=True):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=85)
        assert np.array_equal(found, np.asarray(Image.open(file)))
    without = shift.resolve({"severity": 1}, 40, 56)
    assert "jpeg85" not in without
    assert shift.resolve({"severity": 1, "jpeg85": False}, 40, 56) == without
    assert shift.resolve({"severity": 0, "jpeg85": True}, 40, 56) == {}
    with pytest.raises(ValueError, match=f"{name} takes true or false as jpeg85, not 1"):
        shift.resolve({"severity": 1, "jpeg85": 1}, 40, 56)


def test_one_per_sample_is_one_cell_without_severity(folder: Path) -> None:
    (one,) = expand(draw="one-per-sample")
    assert (one.shift, one.severity, one.version) == ("one-per-sample", None, PER_SAMPLE.version)
    names = [variant.shift for variant in expand(severities=[1])]
    assert one.parameters == {"corruptions": names, "severities": [1, 2, 3, 4, 5], "table": "auto"}
    (one,) = expand(draw="one-per-sample", corruptions=["fog", "frost"], severities=[4, 2], textures="t", jpeg85=True)
    assert one.parameters == {
        "corruptions": ["frost", "fog"],
        "severities": [2, 4],
        "table": "auto",
        "textures": "t",
        "jpeg85": True,
    }


def test_each_sample_has_one_corruption_and_severity(folder: Path) -> None:
    """The draw is uniform, and what is drawn is made as the shift itself makes it from the sample's bits."""
    image = np.random.default_rng(0).integers(0, 256, (1, 12, 14, 3), np.uint8)
    corruptions, severities = ["frost", "contrast", "gaussian_noise", "glass_blur"], [1, 3, 5]
    asked = {"corruptions": corruptions, "severities": severities, "textures": str(folder)}
    numbers = PER_SAMPLE.resolve(asked, 12, 14)
    ids = [str(i) for i in range(1200)]
    made = make(PER_SAMPLE, np.repeat(image, len(ids), axis=0), ids, 5, numbers)
    streams = Streams(5, "one-per-sample", numbers)
    counts = np.zeros((4, 3), int)
    for name, one in zip(ids, made, strict=True):
        bits = streams.for_id(name)
        cell = int(bits.uint16(1, lane=1 << 32)[0]) * 12 >> 16
        counts[divmod(cell, 3)] += 1
        if int(name) < 60:
            shift = pixel_shift("imagenet-c", corruptions[cell // 3])
            own = {"textures": str(folder)} if shift.name == "frost" else {}
            single = shift.resolve({"severity": severities[cell % 3], **own}, 12, 14)
            assert np.array_equal(one, shift.apply(image, [bits], **single)[0])
    assert np.sum((counts - 100) ** 2 / 100) < 31.3, "chi square, 11 degrees of freedom, 0.1 %"


def test_one_per_sample_hangs_on_the_sample_alone(pictures: NDArray[np.uint8]) -> None:
    numbers = PER_SAMPLE.resolve({}, 40, 56)
    assert len(numbers["corruptions"]) == 15
    assert numbers["table"] == 32
    ids = ["a", "b", "c", "d"]
    whole = make(PER_SAMPLE, pictures, ids, 1, numbers)
    for place in range(4):
        assert np.array_equal(make(PER_SAMPLE, pictures[[place]], [ids[place]], 1, numbers)[0], whole[place])
    assert make(PER_SAMPLE, pictures[:0], [], 1, numbers).shape == (0, 40, 56, 3)


def test_one_per_sample_with_jpeg(pictures: NDArray[np.uint8]) -> None:
    few: dict[str, Any] = {"corruptions": ["contrast"], "severities": [2]}
    plain, stored = (
        make(PER_SAMPLE, pictures, list("abcd"), 0, PER_SAMPLE.resolve({**few, "jpeg85": jpeg}, 40, 56))
        for jpeg in (False, True)
    )
    contrast = pixel_shift("imagenet-c", "contrast")
    assert np.array_equal(plain, make(contrast, pictures, list("abcd"), 0, contrast.resolve({"severity": 2}, 40, 56)))
    other = contrast.resolve({"severity": 2, "jpeg85": True}, 40, 56)
    assert np.array_equal(stored, make(contrast, pictures, list("abcd"), 0, other))


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"severity": 3}, "one-per-sample draws the severity; it takes none, not 3"),
        ({"corruptions": []}, r"one-per-sample takes a list as corruptions, not \[\]"),
        ({"severities": 3}, "one-per-sample takes a list as severities, not 3"),
        ({"severities": [0, 1]}, "one-per-sample takes severities from 1 to 5, not 0"),
        ({"severities": [6]}, "gaussian_noise takes a severity of 1, 2, 3, 4 or 5"),
        ({"corruptions": ["spatter"]}, "one-per-sample takes corruptions of imagenet-c, not 'spatter'"),
        ({"corruptions": [["fog"]]}, "one-per-sample takes corruptions of imagenet-c, not"),
        ({"corruptions": ["frost"]}, "frost needs textures"),
        ({"table": 48}, "has the tables auto"),
        ({"jpeg85": 1}, "takes true or false as jpeg85"),
        ({"std": 1}, "one-per-sample has no parameter 'std'; it takes corruptions, severities"),
    ],
)
def test_one_per_sample_refuses_what_it_cannot_do(parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        PER_SAMPLE.resolve(parameters, 40, 56)
