"""`pytest-robust init`: a first spec that is valid, runs, and says what it guessed."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.folder import Folder, Stand
from tests.onnx_models import BRIGHTEST, classifier, identity_model
from tests.plugin.project import Run

Command = Callable[..., tuple[int, str, str]]


def pictures(folder: Path, count: int = 8, size: tuple[int, int] = (40, 48)) -> None:
    """Class folders of real JPEGs, tinted red, green or blue."""
    random = np.random.default_rng(1)
    for channel, name in enumerate(("ant", "bee", "cat")):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(60, 120, (*size, 1), np.uint8).repeat(3, axis=2)
            pixels[..., channel] += 60
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def arrays(path: Path, size: int = 16, **names: str) -> None:
    random = np.random.default_rng(0)
    labels = np.arange(30) % 3
    images = random.integers(60, 120, (30, size, size, 3), np.uint8)
    images[np.arange(30), :, :, labels] += 60
    np.savez(path, **{names.get("x", "x"): images, names.get("y", "y"): labels})


def manifest(folder: Path, labels: list[str]) -> Path:
    pictures(folder)
    path = folder / "labels.csv"
    with path.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["file", "label"])
        for name, label in zip(("ant", "bee", "cat"), labels, strict=True):
            rows.writerows([f"{name}/{number}.png", label] for number in range(8))
    return path


def spec_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def runs_green(folder: Path, spec: str, command: Command) -> None:
    """What the command prints to do next works as printed."""
    assert command(folder, "check", spec)[0] == 0
    project = Folder(folder, new=False)
    first: Run = project.run(f"--robust-spec={spec}", "--robust-update-new", spec=False)
    assert first.code == 0, first.text
    again = project.run(f"--robust-spec={spec}", spec=False)
    assert again.code == 0, again.text
    assert isinstance(project.pytester, Stand)


def test_class_folders_and_a_model_of_a_fixed_size(command: Command, tmp_path: Path) -> None:
    pictures(tmp_path / "images")
    classifier(tmp_path / "net.onnx", BRIGHTEST, size=32)
    code, out, err = command(tmp_path, "init", "net.onnx", "--data", "images")
    assert (code, err) == (0, "")
    spec = spec_of(tmp_path / "specs/net.yaml")
    assert spec["dataset"] == {"source": "folder", "path": "../images", "geometry": {"resize": 37, "crop": 32}}
    assert spec["models"]["net"]["path"] == "../net.onnx"
    assert spec["models"]["net"]["preprocess"]["size"] == 32
    assert spec["models"]["net"]["preprocess"]["layout"] == "nchw"
    text = (tmp_path / "specs/net.yaml").read_text()
    for place in (out, text):
        assert "mean, std and channels are a guess" in place
        assert "100 %  pixels from 0 to 1" in place
        assert "resize 37 before the crop of 32 is the usual 7/8" in place
    runs_green(tmp_path, "specs/net.yaml", command)


def test_arrays_of_other_names_and_a_uint8_model_with_channels_last(command: Command, tmp_path: Path) -> None:
    arrays(tmp_path / "val data.npz", x="images", y="labels")
    classifier(tmp_path / "net.onnx", BRIGHTEST, size=16, layout="nhwc", dtype="uint8", batch=4)
    code, out, _ = command(tmp_path, "init", "net.onnx", "--data", "val data.npz", "--out", "deep/er/my.yaml")
    assert code == 0
    spec = spec_of(tmp_path / "deep/er/my.yaml")
    assert spec["dataset"] == {
        "source": "npz",
        "path": "../../val data.npz",
        "arrays": {"x": "images", "y": "labels"},
        "classes": 3,
    }
    assert spec["models"]["net"]["preprocess"] == {"size": 16, "scale": 1, "channels": "rgb", "layout": "nhwc"}
    assert "model input (4, 16, 16, 3) uint8" in out
    assert "scales pixels itself" in out
    runs_green(tmp_path, "deep/er/my.yaml", command)


def test_a_csv_of_named_labels_says_that_their_order_is_a_guess(command: Command, tmp_path: Path) -> None:
    manifest(tmp_path / "images", ["red", "yes", "blue"])
    # alphabet: blue, red, yes
    classifier(tmp_path / "net.onnx", np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]], np.float32))
    code, out, _ = command(tmp_path, "init", "net.onnx", "--data", "images/labels.csv")
    assert code == 0
    assert "the order of the classes is a guess" in out
    spec = spec_of(tmp_path / "specs/net.yaml")
    assert spec["dataset"]["classes"] == ["blue", "red", "yes"]
    assert (spec["dataset"]["path"], spec["dataset"]["labels"]) == ("../images", "../images/labels.csv")
    runs_green(tmp_path, "specs/net.yaml", command)


def test_scaling_of_pixels_is_found_where_it_matters(command: Command, tmp_path: Path) -> None:
    arrays(tmp_path / "data.npz")
    # class 0 wins unless red exceeds green by 30 grey levels of 255: only true of pixels from 0 to 255
    weights = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    classifier(tmp_path / "net.onnx", weights, bias=[30, 0, 0])
    code, _, _ = command(tmp_path, "init", "net.onnx", "--data", "data.npz")
    assert code == 0
    preprocess = spec_of(tmp_path / "specs/net.yaml")["models"]["net"]["preprocess"]
    assert preprocess["scale"] == 1
    assert "mean" not in preprocess


def test_a_background_class_and_several_outputs_are_written_down(command: Command, tmp_path: Path) -> None:
    pictures(tmp_path / "images")
    weights = np.array([[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], np.float32)
    classifier(tmp_path / "net.onnx", weights, also=[("features", 7)])
    code, out, _ = command(tmp_path, "init", "net.onnx", "--data", "images")
    assert code == 0, out
    assert "output 0 is taken for a background class" in out
    assert spec_of(tmp_path / "specs/net.yaml")["models"]["net"]["output"] == {"name": "scores", "label_offset": 1}
    runs_green(tmp_path, "specs/net.yaml", command)


def test_an_existing_spec_is_left_as_it_is(command: Command, tmp_path: Path) -> None:
    arrays(tmp_path / "data.npz")
    classifier(tmp_path / "net.onnx", BRIGHTEST)
    (tmp_path / "mine.yaml").write_text("mine\n")
    code, _, err = command(tmp_path, "init", "net.onnx", "--data", "data.npz", "--out", "mine.yaml")
    assert (code, err) == (2, "mine.yaml exists and is left as it is; choose another place with --out\n")
    assert (tmp_path / "mine.yaml").read_text() == "mine\n"


@pytest.mark.parametrize(
    ("model", "data", "sentence"),
    [
        ("net.onnx", "nowhere", "there is no folder or file "),
        ("none.onnx", "data.npz", "none.onnx does not exist"),
        ("data.npz", "data.npz", "is no ONNX model"),
        ("net.onnx", "net.onnx", "is no folder, .npz or .csv"),
        ("net.onnx", "empty", "has no class sub-folders"),
        ("grey.onnx", "data.npz", "an input with three channels is needed"),
        ("wide.onnx", "images", "a geometry only makes squares"),
        ("ten.onnx", "images", "has 10 outputs for 3 classes"),
        ("two.onnx", "data.npz", "has 2 inputs"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_nothing_is_written(
    command: Command, tmp_path: Path, model: str, data: str, sentence: str
) -> None:
    arrays(tmp_path / "data.npz")
    pictures(tmp_path / "images", count=2)
    (tmp_path / "empty").mkdir()
    classifier(tmp_path / "net.onnx", BRIGHTEST)
    classifier(tmp_path / "wide.onnx", BRIGHTEST, size=(32, 64))
    classifier(tmp_path / "ten.onnx", np.ones((3, 10), np.float32))
    identity_model(tmp_path / "grey.onnx", [["N", 1, 28, 28]])
    identity_model(tmp_path / "two.onnx", [["N", 3, 8, 8], ["N", 3, 8, 8]])
    code, out, err = command(tmp_path, "init", model, "--data", data)
    assert (code, out) == (2, ""), err
    assert sentence in err
    assert err.count("\n") == 1
    assert "init:1:1" not in err
    assert not (tmp_path / "specs").exists()


def test_two_specs_of_one_model_have_goldens_of_their_own(command: Command, tmp_path: Path) -> None:
    classifier(tmp_path / "net.onnx", BRIGHTEST)
    arrays(tmp_path / "val.npz")
    for name in ("day", "night"):
        code, _, err = command(tmp_path, "init", "net.onnx", "--data", "val.npz", "--out", f"specs/{name}.yaml")
        assert code == 0, err
        assert yaml.safe_load((tmp_path / f"specs/{name}.yaml").read_text())["golden"] == f"../golden/{name}"
