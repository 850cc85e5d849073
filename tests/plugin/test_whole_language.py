"""One spec that uses nearly all of the language, with its files put in place, runs without error or warning."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.onnx_models import classifier, enhancer
from tests.plugin.project import Run

SPEC = """\
format: 1
dataset:
  source: folder
  path: ${IMAGENET_VAL}
  geometry: {resize: 256, crop: 224}
  limit: 5000
models:
  resnet50:
    path: models/resnet50.onnx
    preprocess: {size: 224, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], channels: rgb, layout: nchw}
    output: {name: null, label_offset: 0}
  resnet50-int8: {like: resnet50, path: models/resnet50_int8.onnx}
  resnet50-288: {like: resnet50, path: models/resnet50_dyn.onnx, geometry: {resize: 329, crop: 288},
                 preprocess: {size: 288}}
  resnet50-dyntta: {like: resnet50, enhancer: {path: models/dyntta.onnx}}
shifts:
  - {suite: imagenet-c}
  - {name: mild, suite: imagenet-c, corruptions: [fog, snow], severities: [1, 3]}
  - {suite: scaling, multiples: [0.25, 0.5, 2, 4], mode: down_up}
  - {suite: lp-noise, norms: {inf: [0.01, 0.03], 2: [0.5, 1], 0: [0.01]}}
  - {name: published-c, suite: imagenet-c, corruptions: [fog], stored: "${IMAGENET_C}"}
  - {name: sketch, dataset: {source: folder, path: ../data/sketch}}
exclude: [{model: resnet50-288, suite: lp-noise}]
thresholds:
  - {where: {shift: clean}, min_accuracy: 0.75}
  - {where: {suite: imagenet-c, severity: [1, 2, 3]}, max_drop: 0.30}
  - {where: {model: resnet50}, max_regression: 0.02, max_negative_flips: 0.05}
aggregates:
  - {mce: {suite: imagenet-c, reference: alexnet}, max: 0.80, max_regression: 0.005}
  - {trend: {suite: scaling, mode: down_up}, min_spearman: 0.8}
  - {compare: {model: resnet50-dyntta, against: resnet50, suite: imagenet-c}, min_gain: 0.0, max_clean_loss: 0.01}
gate: {alpha: 0.01, inconclusive: warn}
golden: ../golden/resnet
"""

CLASSES = ("blue", "green", "red")
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
WEIGHTS = np.diag(STD)[:, ::-1]
"""From normalised RGB means back to brightness, for the classes in the order of their names."""


def images(folder: Path, per_class: int, names: tuple[str, ...] = CLASSES) -> None:
    random = np.random.default_rng(0)
    for label, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(per_class):
            pixels = random.integers(70, 130, (300, 340, 1), np.uint8).repeat(3, axis=2)
            pixels[..., 2 - label] += 60
            Image.fromarray(pixels).save(folder / name / f"{number}.jpg")


@pytest.fixture
def release(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = pytester.path
    images(path / "val", 3)
    images(path / "data" / "sketch", 2)
    for severity in range(1, 6):
        images(path / "c" / "fog" / str(severity), 2)
    monkeypatch.setenv("IMAGENET_VAL", str(path / "val"))
    monkeypatch.setenv("IMAGENET_C", str(path / "c"))
    models = path / "specs" / "models"
    models.mkdir(parents=True)
    for name, size in (("resnet50", 224), ("resnet50_int8", 224), ("resnet50_dyn", None)):
        classifier(models / f"{name}.onnx", WEIGHTS, bias=MEAN[::-1], size=size)
    enhancer(models / "dyntta.onnx")
    (path / "specs" / "resnet.yaml").write_text(SPEC)
    return path


def test_it_runs_without_error_or_warning(release: Path, pytester: pytest.Pytester) -> None:
    pytester.makefile(".ini", pytest="[pytest]\nfilterwarnings = error\n")
    command = ("--robust-spec=specs/resnet.yaml", "-p", "no:cov", "--robust-report=out.json")
    recorded = Run(pytester.runpytest_subprocess(*command, "--robust-update"), release)
    assert recorded.code == 0, recorded.text[-3000:]
    run = Run(pytester.runpytest_subprocess(*command), release)
    assert run.code == 0, run.text[-3000:]
    report = json.loads((release / "out.json").read_text())
    assert report["run"]["complete"] is True
    # 4 models x (clean, 75, 4, 4, 5, 5 stored, sketch), less 5 that are excluded; mce for three models, trend for four
    assert len(report["cells"]) == 4 * 95 - 5
    assert len(report["aggregates"]) == 3 + 4 + 1
    assert run.outcomes == {"passed": len(report["cells"]) + len(report["aggregates"])}
    assert {cell["verdict"] for cell in report["cells"]} == {"PASS"}
    assert "warnings summary" not in run.text
    stored = [cell for cell in report["cells"] if "published-c" in cell["id"]]
    assert {cell["generated_or_stored"] for cell in stored} == {"stored"}
    assert all(cell["n"] == 6 for cell in stored)
