"""Frost: textures of a folder, pictures made by rule, and the blend."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pytest_robust.errors import RobustError
from pytest_robust.registry import pixel_shift
from pytest_robust.shifts import ice, textures
from pytest_robust.shifts.draws import Draws
from pytest_robust.shifts.rng import Streams
from pytest_robust.shifts.streams import make

FROST = pixel_shift("imagenet-c", "frost")
OWN = pixel_shift("imagenet-c", "frost_procedural")
CASES = [(table, severity) for table in (224, 64, 32) for severity in range(1, 6)]
SIZES = [(90, 120), (60, 100), (80, 80), (200, 64), (70, 90), (66, 66)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six textures under the names of ImageNet-C's, each of one grey level per row or column."""
    made = tmp_path_factory.mktemp("frost")
    for number, (rows, columns) in enumerate(SIZES):
        y, x = np.indices((rows, columns))
        picture = np.stack([y % 256, x % 256, np.full_like(y, 40 * number)], axis=-1).astype(np.uint8)
        Image.fromarray(picture).save(made / f"frost{number + 1}.{'png' if number < 3 else 'bmp'}")
    (made / "LICENSE.txt").write_text("no image")
    return made


def numbers(folder: Path, severity: int = 3, table: int = 224) -> dict[str, object]:
    return FROST.resolve({"severity": severity, "table": table, "textures": str(folder)}, 40, 56)


@pytest.mark.parametrize(("table", "severity"), CASES)
def test_it_is_the_weighted_sum_with_a_random_part_of_a_random_texture(
    folder: Path, pictures: NDArray[np.uint8], table: int, severity: int
) -> None:
    chosen = numbers(folder, severity, table)
    names = ["a", "b", "c", "d"]
    made = make(FROST, pictures, names, 3, chosen)
    choices = textures.scaled(str(chosen["digest"]), float(str(chosen["scale"])), 40, 56)
    streams = Streams(3, "frost", chosen)
    for one, image, name in zip(made, pictures, names, strict=True):
        draws = Draws(streams.for_id(name))
        texture = choices[draws.below(5)]
        top, left = draws.below(texture.shape[0] - 40), draws.below(texture.shape[1] - 56)
        part = texture[top : top + 40, left : left + 56]
        exact = np.minimum(float(str(chosen["keep"])) * image + float(str(chosen["add"])) * part, 255)
        rest = exact + 2**-10 - one
        assert rest.min() > -1e-3
        assert rest.max() < 1 + 1e-3


def test_of_six_textures_the_first_five_are_drawn(folder: Path) -> None:
    black = np.zeros((400, 8, 8, 3), np.uint8)
    made = make(FROST, black, [str(i) for i in range(400)], 0, numbers(folder, 1))
    # the third channel tells the texture
    seen, counts = np.unique(made[:, 0, 0, 2], return_counts=True)
    assert seen.tolist() == [0, 16, 32, 48, 64]
    assert counts.min() > 50


def test_places_are_uniform_and_leave_out_the_last_one(folder: Path) -> None:
    black = np.zeros((3000, 60, 60, 3), np.uint8)
    made = make(FROST, black[:, :30, :30], [str(i) for i in range(3000)], 0, numbers(folder, 1))
    third = made[:, 0, 0, :2][made[:, 0, 0, 2] == 32]
    # a texture of 80 pixels has places 0 to 49 for 30, at a weight of 0.4; the published code leaves out 50
    assert third.min() == 0
    assert third.max() == int(0.4 * 49)
    assert abs(third.mean() - np.floor(0.4 * np.arange(50)).mean()) < 0.8


def test_a_folder_of_another_number_is_taken_whole(folder: Path, tmp_path: Path) -> None:
    for name in ("frost1.png", "frost6.bmp"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    digest = textures.digest_of(str(tmp_path))
    assert [one.shape[:2] for one in textures.scaled(digest, 1, 20, 20)] == [SIZES[0], SIZES[5]]


def test_the_digest_tells_names_and_bytes_and_not_the_place(folder: Path, tmp_path: Path) -> None:
    digest = numbers(folder)["digest"]
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert numbers(copy)["digest"] == digest
    (copy / "frost6.bmp").write_bytes(b"never drawn")
    assert numbers(copy)["digest"] == digest
    (copy / "frost5.bmp").rename(copy / "frost50.bmp")
    renamed = numbers(copy)["digest"]
    content = (copy / "frost50.bmp").read_bytes()
    (copy / "frost50.bmp").write_bytes(content[:-1] + b"\x07")
    assert len({digest, renamed, numbers(copy)["digest"]}) == 3
    expected = hashlib.sha256()
    for file in sorted(folder.glob("frost*"))[:5]:
        expected.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    assert digest == expected.hexdigest()[:16]


def test_mistakes_are_answered_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frost needs textures, the folder of its photographs, not None; frost_proc"):
        FROST.resolve({"severity": 1}, 8, 8)
    with pytest.raises(ValueError, match="frost has no parameter 'texture'; it takes table, textures, jpeg85"):
        FROST.resolve({"severity": 1, "texture": "a"}, 8, 8)
    assert FROST.resolve({"severity": 0}, 8, 8) == {}
    missing = tmp_path / "none"
    with pytest.raises(RobustError, match=rf"the frost textures in {missing} cannot be read \(No such file"):
        FROST.resolve({"severity": 1, "textures": str(missing)}, 8, 8)
    with pytest.raises(RobustError, match=f"the folder {tmp_path} holds no frost texture; put .png"):
        FROST.resolve({"severity": 1, "textures": str(tmp_path)}, 8, 8)
    broken = tmp_path / "frost1.png"
    broken.write_bytes(b"not a picture")
    resolved = FROST.resolve({"severity": 1, "textures": str(tmp_path)}, 8, 8)
    with pytest.raises(RobustError, match=f"the frost texture {broken} cannot be read as an image; remove it"):
        make(FROST, np.zeros((1, 8, 8, 3), np.uint8), ["a"], 0, resolved)


@pytest.mark.parametrize("scale", [0.2, 0.3])
@pytest.mark.parametrize("size", [(315, 560), (350, 527), (900, 601)])
def test_scaling_is_opencvs(scale: float, size: tuple[int, int]) -> None:
    texture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    expected = cv2.resize(texture, (0, 0), fx=scale, fy=scale)
    found = textures.fitted(texture, scale, 32, 32)
    assert found.shape == expected.shape
    # twice a rounding to whole levels where OpenCV rounds once
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("scale", "size"), [(1, (89, 119)), (1, (90, 120)), (1, (300, 20)), (0.2, (224, 224)), (0.2, (18, 1))]
)
def test_a_texture_is_enlarged_where_it_leaves_no_room(scale: float, size: tuple[int, int]) -> None:
    texture = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    found = textures.fitted(texture, scale, *size)
    assert found.shape[0] > size[0]
    assert found.shape[1] > size[1]
    assert np.abs(found.shape[1] / found.shape[0] - 120 / 90) < 0.1
    if size == (89, 119):
        assert found is texture


def test_kinds_of_images_are_read_as_rgb(tmp_path: Path) -> None:
    grey = Image.fromarray(np.full((30, 30), 90, np.uint8))
    grey.save(tmp_path / "a.png")
    Image.fromarray(np.dstack([np.full((30, 30, 3), 80, np.uint8), np.zeros((30, 30), np.uint8)])).save(
        tmp_path / "b.png"
    )
    grey.convert("P").save(tmp_path / "c.png")
    grey.save(tmp_path / "d.JPEG", quality=95)
    found = textures.scaled(textures.digest_of(str(tmp_path)), 1, 20, 20)
    assert [one[0, 0].tolist() for one in found] == [[90] * 3, [80] * 3, [90] * 3, [90] * 3]


def test_the_own_pictures_look_like_ice() -> None:
    pictures = ice.pictures()
    assert len(pictures) == 5
    for picture in pictures:
        assert picture.shape == (ice.SIDE, ice.SIDE, 3)
        assert not picture.flags.writeable
        red, _, blue = picture.reshape(-1, 3).mean(axis=0)
        assert 50 < red < blue < 220, "cool, neither black nor burnt out"
        assert np.mean(picture == 255) < 0.1
        grey = picture.mean(axis=-1)
        assert grey.std() > 20
        assert np.abs(np.diff(grey, axis=0)).mean() > 5, "crystals have edges"
    assert len({picture.tobytes() for picture in pictures}) == 5


def test_frost_by_rule_blends_its_own_pictures(pictures: NDArray[np.uint8]) -> None:
    chosen = OWN.resolve({"severity": 3, "table": 224}, 40, 56)
    assert "digest" not in chosen
    made = make(OWN, pictures, ["a", "b", "c", "d"], 0, chosen)
    draws = Draws(Streams(0, "frost_procedural", chosen).for_id("b"))
    texture = ice.pictures()[draws.below(5)]
    top, left = draws.below(ice.SIDE - 40), draws.below(ice.SIDE - 56)
    exact = np.minimum(0.7 * pictures[1] + 0.7 * texture[top : top + 40, left : left + 56], 255)
    assert np.abs(made[1] + 0.5 - exact).max() < 0.51
