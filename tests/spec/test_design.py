"""A spec that uses the whole language, and what it is in numbers; and how quickly large ones are read."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pytest_robust.registry import catalog as real_catalog
from pytest_robust.spec.build import load_plan
from tests.spec.conftest import Load

SPEC = """\
# yaml-language-server: $schema=robust.schema.json
format: 1
dataset:
  source: folder            # folder | manifest | npz | cutouts | digits; stored sets are a shift's own
  path: ${IMAGENET_VAL}     # environment variables resolve when the run starts, never while collecting;
                            # every other path is relative to the spec file
  geometry: {resize: 256, crop: 224}
  limit: 5000               # a fixed subset: the samples with the smallest hash of (seed, id); absent = all
models:
  resnet50:
    path: models/resnet50.onnx
    sha256: PIN
    # input = (pixel * scale - mean) / std, scale 1/255 unless given
    preprocess: {size: 224, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225], channels: rgb, layout: nchw}
    output: {name: null, label_offset: 0}   # null: the only output of shape (N, classes)
  resnet50-int8: {like: resnet50, path: models/resnet50_int8.onnx}
  resnet50-288: {like: resnet50, path: models/dyn.onnx, geometry: {resize: 329, crop: 288}, preprocess: {size: 288}}
  resnet50-dyntta: {like: resnet50, enhancer: {path: models/dyntta.onnx}}
shifts:
  - {suite: imagenet-c}                                  # all 15 x severities 1 to 5
  - {name: mild, suite: imagenet-c, corruptions: [fog, snow], severities: [1, 3]}
  - {suite: scaling, multiples: [0.25, 0.5, 2, 4], mode: down_up}
  - {suite: lp-noise, norms: {inf: [0.01, 0.03], 2: [0.5, 1], 0: [0.01]}}
  - {name: published-c, suite: imagenet-c, stored: "${IMAGENET_C}"}
  - {name: sketch, dataset: {source: folder, path: ../data/sketch}}
exclude: [{model: resnet50-288, suite: lp-noise}]
thresholds:                                              # every row that matches applies
  - {where: {shift: clean}, min_accuracy: 0.75}
  - {where: {suite: imagenet-c, severity: [1, 2, 3]}, max_drop: 0.30}             # from clean, same model
  - {where: {model: resnet50}, max_regression: 0.02, max_negative_flips: 0.05}    # from golden
aggregates:
  - {mce: {suite: imagenet-c, reference: alexnet}, max: 0.80, max_regression: 0.005}
  - {trend: {suite: scaling, mode: down_up}, min_spearman: 0.8}
  - {compare: {model: resnet50-dyntta, against: resnet50, suite: imagenet-c}, min_gain: 0.0, max_clean_loss: 0.01}
gate: {alpha: 0.01, inconclusive: warn}
golden: ../golden/resnet
""".replace("PIN", "9f3c" * 16)


def test_the_whole_language_in_one_spec(load: Load) -> None:
    plan = load(SPEC, file="resnet.yaml")
    # clean, 75 + 4 of imagenet-c, 4 of scaling, 5 of lp-noise, 75 stored, 1 natural
    columns = 1 + 75 + 4 + 4 + 5 + 75 + 1
    assert len(plan.shifts) == columns
    assert len(plan.cells) == 4 * columns - 5
    assert len({cell.id for cell in plan.cells}) == len(plan.cells)
    for key in (
        "clean",
        "imagenet-c.fog-3",
        "scaling.down_up-0.5",
        "mild.fog-1",
        "lp-noise.linf-0.03",
        "sketch.natural",
    ):
        assert ("resnet50", key) in plan.cell
    assert ("resnet50-288", "lp-noise.linf-0.03") not in plan.cell
    mce = [f"{model}::imagenet-c.mce" for model in ("resnet50", "resnet50-int8", "resnet50-dyntta")]
    trend = [f"{model.name}::scaling.down_up.trend" for model in plan.models]
    assert [aggregate.id for aggregate in plan.aggregates] == [*mce, *trend, "_all::imagenet-c.compare"]
    assert plan.aggregates[0].options["left_out"] == ["resnet50-288"]
    assert plan.family == {"resnet50": columns + 1, "resnet50-int8": 1, "resnet50-288": 0, "resnet50-dyntta": 1}
    cell = plan.cell["resnet50", "imagenet-c.fog-3"]
    assert [row.mark.line for row in cell.thresholds] == [29, 30]
    assert [row.mark.line for row in plan.cell["resnet50-288", "clean"].thresholds] == [28]
    assert (plan.name, plan.golden) == ("resnet", plan.path.parent / "../golden/resnet")
    models = {model.name: model for model in plan.models}
    assert models["resnet50-dyntta"].sha256 == models["resnet50"].sha256 == "9f3c" * 16
    assert models["resnet50-int8"].sha256 is None
    assert models["resnet50-288"].geometry.crop == models["resnet50-288"].preprocess.size == 288


MATRIX = "format: 1\nmodels:\n" + "".join(f"  m{i}: {{path: m{i}.onnx}}\n" for i in range(50))
ROWS = "thresholds:\n" + "".join(f"- {{where: {{model: m{i}}}, min_accuracy: 0.5}}\n" for i in range(50))


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        (
            MATRIX
            + "shifts: [{suite: scaling, multiples: ["
            + ",".join(f"{i / 100}" for i in range(1, 201))
            + "]}]\n"
            + ROWS,
            10_050,
        ),
        (
            "format: 1\nmodels: {a: {path: a.onnx}}\nshifts:\n"
            + "".join(f"- {{suite: imagenet-c, name: e{i}}}\n" for i in range(134))
            + "thresholds:\n"
            + "".join(f"- {{where: {{severity: {i % 5 + 1}}}, min_accuracy: 0.5}}\n" for i in range(50)),
            10_051,
        ),
    ],
)
def test_ten_thousand_cells_are_planned_in_a_moment(text: str, cells: int, load: Load) -> None:
    spent = []
    for _ in range(3):
        start = time.process_time()
        plan = load(text)
        spent.append(time.process_time() - start)
        assert len(plan.cells) == cells
    assert min(spent) < 0.35


def test_the_suites_of_this_package_are_read(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "format: 1\nmodels: {a: {path: a.onnx}}\nshifts:\n"
        "- {suite: imagenet-c, corruptions: [gaussian_noise, jpeg_compression], severities: [5, 1]}\n"
        "- {suite: scaling, multiples: [0.5, 2], mode: down_up}\n"
    )
    keys = [cell.key for cell in load_plan(path, real_catalog()).cells]
    names = [
        f"imagenet-c.{shift}-{severity}" for shift in ("gaussian_noise", "jpeg_compression") for severity in (1, 5)
    ]
    assert keys == ["clean", *names, "scaling.down_up-0.5", "scaling.down_up-2"]
