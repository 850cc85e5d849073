"""`pytest-robust preview`: sheets whose every picture is what a run measures."""

import hashlib
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pytest_robust import apply_shift, evaluate
from pytest_robust.cli.contact import Contact
from pytest_robust.data import digits_arrays
from pytest_robust.data.dataset import select
from pytest_robust.in_process import collect
from pytest_robust.report.sheet import COLUMNS, FONT, Strip, Tile, draw_sheet, thumbnail
from tests.onnx_models import classifier

Pixels = NDArray[np.uint8]
Command = Callable[..., tuple[int, str, str]]

SPEC = """\
format: 1
seed: 7
dataset: {source: digits, limit: 5}
models:
  net: {path: net.onnx}
  large: {like: net, geometry: {resize: 40, crop: 36}}
shifts:
  - {suite: imagenet-c, corruptions: [gaussian_noise, elastic_transform], severities: [5, 1, 3], table: 224}
  - {name: pads, suite: scaling, mode: [shrink_pad, feed_scaled], multiples: [0.5, 1.5]}
exclude: [{model: large, suite: scaling}]
"""
PAPER, INK = (244, 244, 244), (20, 20, 20)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a spec; there is no model file, because no model is opened."""
    (tmp_path / "a.yaml").write_text(SPEC)
    return tmp_path


@pytest.fixture
def sheet(command: Command, folder: Path) -> Callable[..., Pixels]:
    """Draw a sheet of the spec and read it."""

    def draw(*options: str) -> Pixels:
        code, out, err = command(folder, "preview", "a.yaml", "--out", "s.png", *options)
        assert (code, err) == (0, ""), err
        assert out.startswith("s.png written: ")
        return np.array(Image.open(folder / "s.png"))

    return draw


@pytest.fixture(scope="module")
def digits() -> dict[str, Pixels]:
    """The canvases of the embedded test digits, by id."""
    images, _, ids = digits_arrays("test")
    return dict(zip(ids, images, strict=True))


def find(sheet: Pixels, patch: Pixels) -> list[tuple[int, int]]:
    """Every place (y, x) where the patch stands in the sheet, pixel by pixel."""
    height, width = patch.shape[:2]
    far = np.abs(patch.astype(int) - PAPER).sum(2)
    y, x = np.unravel_index(far.argmax(), far.shape)
    room = sheet[y : len(sheet) - height + 1 + y, x : sheet.shape[1] - width + 1 + x]
    places = np.argwhere((room == patch[y, x]).all(2))
    random = np.random.default_rng(0)
    for y, x in zip(random.integers(0, height, 40), random.integers(0, width, 40), strict=True):
        places = places[(sheet[places[:, 0] + y, places[:, 1] + x] == patch[y, x]).all(1)]
    return [(y, x) for y, x in places.tolist() if np.array_equal(sheet[y : y + height, x : x + width], patch)]


def words(text: str) -> Pixels:
    """The text as ink on paper."""
    font = ImageFont.load_default(FONT)
    room = Image.new("RGB", (int(font.getlength(text)) + 4, 2 * FONT), PAPER)
    ImageDraw.Draw(room).text((0, 0), text, INK, font)
    drawn = np.array(room)
    rows, columns = np.nonzero((drawn != PAPER).any(2))
    return drawn[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def shown(sheet: Pixels, text: str) -> int:
    """How often a text stands in the sheet."""
    return len(find(sheet, words(text)))


def title(name: str, sample: str, side: int = 32) -> str:
    """What stands above a row of one of the embedded digits."""
    _, labels, ids = digits_arrays("test")
    return f"{name}   {sample}, class {labels[ids.index(sample)]}   {side} x {side}"


def first_ids(digits: dict[str, Pixels], folder: Path) -> list[str]:
    """The ids that the spec's limit keeps, in their order."""
    ids = list(digits)
    return [ids[position] for position in select(ids, 5, 7)]


def test_a_row_shows_clean_and_every_severity_with_the_bytes_of_apply_shift(
    sheet: Callable[..., Pixels], digits: dict[str, Pixels], folder: Path
) -> None:
    drawn = sheet()
    sample = first_ids(digits, folder)[0]
    canvas = digits[sample]
    for name in ("gaussian_noise", "elastic_transform"):
        places = []
        for severity in (None, 1, 3, 5):
            made = canvas[None]
            if severity:
                made = apply_shift(made, f"imagenet-c.{name}", severity, ids=[sample], seed=7, table=224)
                assert shown(drawn, f"{name}-{severity}") == 1
            places.append(find(drawn, thumbnail(made[0], 224)))
        (row,) = {y for place in places[1:] for y, _ in place}
        columns = [next(x for y, x in place if y == row) for place in places]
        assert columns == sorted(columns)
        assert all(len(place) == 1 for place in places[1:])
        assert shown(drawn, title(f"imagenet-c.{name}", sample)) == 1
    assert shown(drawn, "clean") == 4
    assert shown(drawn, "a.yaml   seed 7") == shown(drawn, "net: images as they are") == 1


def test_canvases_of_other_sizes_fit_and_tell_their_size(
    sheet: Callable[..., Pixels], digits: dict[str, Pixels], folder: Path
) -> None:
    drawn = sheet("--select", "feed_scaled")
    sample = first_ids(digits, folder)[0]
    for multiple, side in ((0.5, 16), (1.5, 48)):
        (made,) = apply_shift(digits[sample][None], "feed_scaled", multiple)
        assert made.shape == (side, side, 3)
        assert len(find(drawn, thumbnail(made, 224))) == 1
        assert shown(drawn, f"feed_scaled-{multiple:g}  {side} x {side}") == 1
    assert shown(drawn, title("pads.feed_scaled", sample)) == 1


VIEWS = """\
format: 1
dataset: {source: digits, limit: 2}
models: {net: {path: net.onnx}}
shifts:
  - {suite: imagenet-c, corruptions: [snow], severities: [2]}
  - {suite: scaling, mode: feed_scaled, multiples: [2]}
  - {suite: fourier, amplitude_swap: [0.5], phase_swap: [1]}
  - {suite: si-score, factors: {size: [0.2], rotation: [21]}}
"""


def test_the_pictures_have_the_digest_that_a_run_records(tmp_path: Path) -> None:
    classifier(tmp_path / "net.onnx", np.random.default_rng(0).normal(size=(3, 10)).astype(np.float32))
    path = tmp_path / "a.yaml"
    path.write_text(VIEWS)
    report = evaluate(path, device="cpu")
    (plan,) = collect([path]).plans.values()
    assert len(report["cells"]) == len(plan.shifts) == 7
    for cell, shift in zip(report["cells"], plan.shifts, strict=True):
        assert cell["id"].endswith(f"::{shift.label}")
        strips = Contact(plan, plan.models[0].geometry, cell["n"], [], 64).strips([shift])
        pictures = [tile.picture for strip in strips for tile in strip.tiles if tile.caption != "clean"]
        side = 64 if shift.changes_size else 32
        shifted = np.stack(pictures)[:, :: 64 // side, :: 64 // side]
        assert len(shifted) == cell["n"]
        assert hashlib.sha256(repr((side, side, 3)).encode() + shifted.tobytes()).hexdigest() == cell["canvas_digest"]


def test_select_takes_a_piece_of_the_label_or_a_pattern(
    sheet: Callable[..., Pixels], digits: dict[str, Pixels]
) -> None:
    drawn = sheet("--select", "noise", "*-0.5", "--size", "192")
    for text in (
        "gaussian_noise-1",
        "gaussian_noise-3",
        "gaussian_noise-5",
        "shrink_pad-0.5",
        "feed_scaled-0.5  16 x 16",
    ):
        assert shown(drawn, text) == 1, text
    assert shown(drawn, "elastic_transform-1") == shown(drawn, "feed_scaled-1.5  48 x 48") == 0
    assert shown(drawn, "clean") == 3
    only = sheet("--select", "imagenet-c.*-[35]", "--size", "32")
    assert [shown(only, f"gaussian_noise-{severity}") for severity in (1, 3, 5)] == [0, 1, 1]
    assert shown(only, "clean") == 2


def test_a_shift_without_severities_shows_its_images_side_by_side(
    sheet: Callable[..., Pixels], digits: dict[str, Pixels], folder: Path
) -> None:
    drawn = sheet("--select", "clean", "--images", "4", "--size", "32")
    ids = first_ids(digits, folder)[:4]
    ((row, first),) = find(drawn, digits[ids[0]])
    places = [find(drawn, digits[sample]) for sample in ids]
    assert places == [[(row, first + 152 * position)] for position in range(4)]
    assert [shown(drawn, sample) for sample in ids] == [1] * 4


def test_images_and_samples_choose_what_is_shown(
    sheet: Callable[..., Pixels], digits: dict[str, Pixels], folder: Path
) -> None:
    ids = first_ids(digits, folder)
    two = sheet("--images", "2", "--select", "noise", "--size", "32")
    assert [shown(two, title("imagenet-c.gaussian_noise", sample)) for sample in ids] == [1, 1, 0, 0, 0]
    asked = sheet("--sample", ids[4], ids[2], "--select", "noise", "--size", "32")
    assert [shown(asked, title("imagenet-c.gaussian_noise", sample)) for sample in ids] == [0, 0, 1, 0, 1]
    above, below = (find(asked, digits[sample])[0][0] for sample in (ids[4], ids[2]))
    assert above < below
    assert sheet("--images", "99", "--select", "noise-1", "--size", "32").shape[0] > two.shape[0]


def test_a_model_has_its_geometry_and_its_cells(
    sheet: Callable[..., Pixels], digits: dict[str, Pixels], folder: Path
) -> None:
    drawn = sheet("--model", "large", "--size", "36")
    assert shown(drawn, "large: resize 40 (bilinear), crop 36") == 1
    assert shown(drawn, "pads.shrink_pad") == 0
    sample = first_ids(digits, folder)[0]
    assert shown(drawn, title("imagenet-c.gaussian_noise", sample, 36)) == 1
    large = np.array(Image.fromarray(digits[sample]).resize((40, 40), Image.Resampling.BILINEAR))[2:38, 2:38]
    (noisy,) = apply_shift(large[None], "gaussian_noise", 3, ids=[sample], seed=7, table=224)
    assert len(find(drawn, noisy)) == 1


def test_views_show_images_of_their_own(command: Command, folder: Path) -> None:
    for name in ("0", "1"):
        (folder / "other" / name).mkdir(parents=True)
        Image.new("RGB", (32, 32), (200, 40 + int(name), 10)).save(folder / "other" / name / "x.png")
    (folder / "a.yaml").write_text(
        "format: 1\ndataset: {source: digits, limit: 2}\nmodels: {net: {path: net.onnx}}\nshifts:\n"
        "  - {name: other, dataset: {source: folder, path: other}, classes_map: {'0': 4, '1': 2}}\n"
        "  - {suite: si-score, factors: {location: [[0.5, 0.5]]}}\n"
        "  - {suite: fourier, phase_swap: [1]}\n"
    )
    code, _, err = command(folder, "preview", "a.yaml", "--out", "s.png", "--images", "2", "--size", "32")
    assert code == 0, err
    drawn = np.array(Image.open(folder / "s.png"))
    assert shown(drawn, "0/x.png") == shown(drawn, "1/x.png") == 1
    for green in (40, 41):
        assert len(find(drawn, np.full((32, 32, 3), (200, green, 10), np.uint8))) == 1
    assert shown(drawn, "si-score.location-0.50x0.50   32 x 32") == 1
    assert shown(drawn, "phase_swap-1") == 2
    assert shown(drawn, "clean") == 2, "only the swapped images are samples that have a clean one"


def test_published_images_stand_beside_the_clean_ones_of_the_same_ids(command: Command, folder: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), np.uint8)
    np.savez(folder / "data.npz", x=images, y=[0, 1])
    np.save(folder / "fog.npy", np.concatenate([images // step for step in range(1, 6)]))
    np.save(folder / "labels.npy", np.array([0, 1] * 5))
    (folder / "a.yaml").write_text(
        "format: 1\ndataset: {source: npz, path: data.npz, classes: 2}\nmodels: {net: {path: net.onnx}}\n"
        "shifts: [{suite: imagenet-c, corruptions: [fog], severities: [2, 5], stored: .}]\n"
    )
    code, _, err = command(folder, "preview", "a.yaml", "--out", "s.png", "--images", "2", "--size", "32")
    assert code == 0, err
    drawn = np.array(Image.open(folder / "s.png"))
    for image in images:
        ((row, column),) = find(drawn, image)
        assert [find(drawn, image // step) for step in (2, 5)] == [[(row, column + 152)], [(row, column + 304)]]


def test_another_set_with_ids_of_the_same_names_gets_no_clean_image(command: Command, folder: Path) -> None:
    for place, red in (("mine", 10), ("other", 200)):
        for name in ("0", "1"):
            (folder / place / name).mkdir(parents=True)
            Image.new("RGB", (32, 32), (red, 0, 0)).save(folder / place / name / "x.png")
    (folder / "a.yaml").write_text(
        "format: 1\ndataset: {source: folder, path: mine}\nmodels: {net: {path: net.onnx}}\n"
        "shifts: [{name: other, dataset: {source: folder, path: other}}]\n"
    )
    code, _, err = command(folder, "preview", "a.yaml", "--out", "s.png", "--images", "2", "--size", "32")
    assert code == 0, err
    drawn = np.array(Image.open(folder / "s.png"))
    assert len(find(drawn, np.full((32, 32, 3), (200, 0, 0), np.uint8))) == 2
    assert shown(drawn, "clean") == 0


def test_what_a_severity_leaves_out_is_an_empty_frame(command: Command, folder: Path) -> None:
    (folder / "si" / "backgrounds").mkdir(parents=True)
    for name in ("sea", "sky"):
        Image.new("RGB", (24, 24), (0, 0, 90)).save(folder / "si" / "backgrounds" / f"{name}.png")
    Image.new("RGBA", (27, 9), (90, 0, 0, 255)).save(folder / "si" / "long.png")
    Image.new("RGBA", (9, 9), (90, 0, 0, 255)).save(folder / "si" / "square.png")
    (folder / "si" / "labels.csv").write_text("file,label\nlong.png,0\nsquare.png,1\n")
    (folder / "a.yaml").write_text(
        "format: 1\ndataset: {source: cutouts, path: si}\nmodels: {net: {path: net.onnx}}\n"
        "shifts: [{suite: si-score, background: 24, min_inside: 1, factors: {size: [0.1, 0.5]}}]\n"
    )
    ids = ["--sample", "long.png+sky.png", "square.png+sky.png"]
    code, _, err = command(folder, "preview", "a.yaml", "--out", "s.png", "--size", "32", "--select", "size", *ids)
    assert code == 0, err
    drawn = np.array(Image.open(folder / "s.png"))
    assert shown(drawn, "size-0.1") == 2
    assert shown(drawn, "size-0.5: left out") == 1
    frame = np.full((32, 32, 3), PAPER, np.uint8)
    frame[[0, -1]] = frame[:, [0, -1]] = 160
    assert len(find(drawn, frame)) == 1


def test_a_shift_that_a_conftest_registers_is_drawn(command: Command, folder: Path, digits: dict[str, Pixels]) -> None:
    (folder / "conftest.py").write_text(
        """
from pytest_robust.shifts.base import PixelShift

def pytest_robust_register(registry):
    registry.add(PixelShift(
        name="invert", suite="mine", version=1, source="ours", severities=[1],
        resolve=lambda parameters, height, width: {"strength": 1},
        apply=lambda images, bits, strength: 255 - images,
    ))
"""
    )
    (folder / "a.yaml").write_text(
        "format: 1\ndataset: {source: digits}\nmodels: {net: {path: net.onnx}}\nshifts: [{suite: mine}]\n"
    )
    assert command(folder, "preview", "a.yaml", "--out", "s.png", "--size", "32")[0] == 0
    assert len(find(np.array(Image.open(folder / "s.png")), 255 - next(iter(digits.values())))) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--out", "s.jpg"], "--out s.jpg: a sheet is a .png file"),
        (["--out", "there/s.png"], "there/s.png cannot be written"),
        (
            ["--select", "gausian_noise"],
            "--select gausian_noise: net has no such shift, did you mean 'gaussian_noise'?",
        ),
        (["--select", "imagenet-c.*-4"], "--select imagenet-c.*-4: net has no such shift"),
        (["--model", "nett"], "--model nett: a.yaml has no such model, did you mean 'net'?"),
        (["--sample", "digits-9999"], "--sample digits-9999: no image of these shifts has this id, did you mean"),
        (["--images", "0"], "--images 0: show 1 or more"),
        (["--size", "8"], "--size 8: take 16 to 2048 pixels"),
        (["--images", "900", "--size", "600"], "8100 pictures of 600 x 600 pixels are more than a sheet can hold"),
    ],
)
def test_a_wrong_option_is_one_sentence_and_writes_nothing(
    command: Command, folder: Path, options: list[str], said: str
) -> None:
    (folder / "there").write_text("a file")
    (folder / "s.png").write_bytes(b"the last one")
    before = sorted(folder.iterdir())
    out = [] if "--out" in options else ["--out", "s.png"]
    code, printed, err = command(folder, "preview", "a.yaml", *out, *options)
    assert (code, printed) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert [path for path in sorted(folder.iterdir()) if path.name != "__pycache__"] == before
    assert (folder / "s.png").read_bytes() == b"the last one"


def test_a_wrong_spec_and_missing_images_are_told(command: Command, folder: Path) -> None:
    assert command(folder, "preview", "none.yaml", "--out", "s.png")[::2] == (2, "there is no file none.yaml\n")
    (folder / "a.yaml").write_text(SPEC.replace("source: digits", "source: folder, path: nowhere"))
    code, _, err = command(folder, "preview", "a.yaml", "--out", "s.png")
    assert code == 2
    assert "a.yaml:3:" in err
    assert "nowhere does not exist" in err
    (folder / "a.yaml").write_text(SPEC.replace("severities", "severites"))
    code, _, err = command(folder, "preview", "a.yaml", "--out", "s.png")
    assert code == 1
    assert "a.yaml:8:" in err
    assert not (folder / "s.png").exists()


def test_no_model_runtime_is_imported(folder: Path) -> None:
    code = (
        "import sys; from pytest_robust.cli import main; main(['preview', 'a.yaml', '--out', 's.png']); "
        "print(sorted({'torch', 'onnxruntime', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_thumbnail_is_whole_pixels_or_an_average() -> None:
    small = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    assert np.array_equal(thumbnail(small, 10), np.kron(small, np.ones((3, 3, 1), np.uint8)))
    assert thumbnail(small, 3) is not small or np.array_equal(thumbnail(small, 3), small)
    board = np.indices((64, 32)).sum(0) % 2 * 200
    large = board[..., None].repeat(3, axis=2).astype(np.uint8)
    assert np.array_equal(thumbnail(large, 16), np.full((16, 8, 3), 100))


def test_a_long_strip_goes_on_below_and_a_long_caption_loses_its_beginning() -> None:
    pictures = [np.full((16, 16, 3), value, np.uint8) for value in range(0, 14 * 7, 7)]
    captions = [f"a_shift_with_a_long_name-{number}" for number in range(14)]
    strips = [Strip("many", [Tile(*both) for both in zip(captions, pictures, strict=True)])]
    drawn = np.array(Image.open(io.BytesIO(draw_sheet(["head"], strips, 16))))
    places = [find(drawn, picture) for picture in pictures]
    assert all(len(place) == 1 for place in places)
    rows = [place[0][0] for place in places]
    assert rows[:COLUMNS] == [rows[0]] * 12
    assert rows[12:] == [rows[12]] * 2
    assert rows[12] >= rows[0] + 16 + FONT
    assert [place[0][1] for place in places[12:]] == [place[0][1] for place in places[:2]]
    assert shown(drawn, "name-13") == 1
    assert shown(drawn, captions[13]) == 0
    assert drawn.shape[1] < 12 * 160
