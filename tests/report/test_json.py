"""The JSON report against its schema, on real runs of every kind."""

import datetime
import hashlib
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from pytest_robust.report.family import adjust
from pytest_robust.report.schema import report_schema
from tests.folder import Folder
from tests.plugin.project import COUNT, NET

SCHEMA = report_schema()
LATER = datetime.date.today() + datetime.timedelta(days=30)


def healthy(project: Folder) -> None:
    project.model("net")


def worse(project: Folder) -> None:
    pass


def errors(project: Folder) -> None:
    (project.path / "net.onnx").write_bytes(b"")


def no_golden(project: Folder) -> None:
    project.edit("golden: ../golden", "golden: ../elsewhere")


def without_golden_folder(project: Folder) -> None:
    project.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\n", "")
    project.edit("golden: ../golden", "")


def aggregates(project: Folder) -> None:
    project.edit("multiples: [0.5, 2]", "multiples: [0.25, 0.5, 2, 4]")
    project.edit(
        "golden: ../golden",
        "golden: ../golden\naggregates:\n  - {trend: {suite: scaling, mode: down_up}, min_spearman: 0.1}",
    )


def waivers(project: Folder) -> None:
    project.edit(
        "golden: ../golden",
        f"golden: ../golden\nwaivers:\n  - {{where: {{shift: contrast}}, until: {LATER}, owner: me, reason: known}}",
    )


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (healthy, []),
        (worse, []),
        (worse, ["-k", "contrast"]),
        (worse, ["--robust-limit=20"]),
        (worse, ["--robust-model=net=other.onnx"]),
        (worse, ["-x"]),
        (worse, ["-n2"]),
        (errors, []),
        (no_golden, []),
        (without_golden_folder, []),
        (aggregates, []),
        (waivers, []),
    ],
)
def test_every_run_writes_what_the_schema_says(
    project: Folder, make: Callable[[Folder], None], options: list[str]
) -> None:
    project.model("other", bias=1)
    make(project)
    project.report("out.json", *options)
    report = project.json("out.json")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(report, SCHEMA)
    assert hashlib.sha256((project.path / "out.npz").read_bytes()).hexdigest() == report["npz_sha256"]
    run = report["run"]
    assert run["complete"] == (not run["not_run"])
    assert [cell["id"] for cell in report["cells"]] == [
        name for name in run["planned"] if name in {cell["id"] for cell in report["cells"]}
    ]
    with np.load(project.path / "out.npz", allow_pickle=False) as arrays:
        for cell in report["cells"]:
            if cell["samples_digest"]:
                predicted = arrays[f"predicted/cpu/{cell['id']}"]
                labels = arrays[f"labels/{cell['samples_digest'][:12]}"]
                assert int((predicted == labels).sum()) == cell["correct"]


def test_the_schema_refuses_what_is_not_a_report(project: Folder) -> None:
    for change in (
        lambda report: report["run"].pop("planned"),
        lambda report: report["cells"][0].update(verdict="FINE"),
        lambda report: report["cells"][0].update(extra=1),
        lambda report: report["cells"][0].update(accuracy=1.5),
        lambda report: report["run"].update(complete="yes"),
    ):
        report = project.json("same.json")
        change(report)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(report, SCHEMA)


def test_what_failed_and_what_is_waived_is_in_the_report(project: Folder) -> None:
    waivers(project)
    project.report("out.json")
    run = project.json("out.json")["run"]
    assert list(run["waived"]) == [name for name in NET if "contrast" in name]
    assert list(run["failed"]) == [name for name in NET if "contrast" not in name]
    assert all(text.endswith(f"(waived: known, me, until {LATER})") for text in run["waived"].values())
    assert all(text.startswith("-") for text in run["failed"].values())


def test_a_complete_run_adjusts_p_over_the_cells_that_have_a_max_regression(project: Folder) -> None:
    project.edit("  - {max_regression: 0.02,", "  - {where: {suite: imagenet-c}, max_regression: 0.02,")
    project.model("net", bias=4.5)
    project.report("out.json")
    cells = project.json("out.json")["cells"]
    family = [cell["flips"] for cell in cells if cell["suite"] == "imagenet-c"]
    expected = multipletests([flips["p"] for flips in family], method="holm")[1]
    assert [flips["p_holm"] for flips in family] == pytest.approx(list(expected), rel=1e-12)
    assert all(cell["flips"]["p_holm"] is None for cell in cells if cell["suite"] != "imagenet-c")
    project.report("out.json", "-k", "contrast")
    assert all(cell["flips"]["p_holm"] is None for cell in project.json("out.json")["cells"])


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=12))
def test_a_test_that_could_not_be_made_counts_as_one(values: list[float | None]) -> None:
    """Against statsmodels; what is missing never makes the others look better."""
    names = [f"s::m::{position}" for position in range(len(values))]
    report: dict[str, Any] = {
        "run": {"complete": True, "smoke": False, "specs": {"s": {"tests": {"m": names}}}},
        "cells": [
            {"id": name, "flips": None if p is None else {"p": p, "p_holm": None}}
            for name, p in zip(names, values, strict=True)
        ],
    }
    expected = multipletests([1.0 if p is None else p for p in values], method="holm")[1]
    for cell, p, adjusted in zip(adjust(report)["cells"], values, expected, strict=True):
        if p is not None:
            assert cell["flips"]["p_holm"] == pytest.approx(adjusted, abs=1e-12)


def test_a_report_holds_what_goldens_are_made_from(project: Folder) -> None:
    project.report("out.json")
    report = project.json("out.json")
    declared = report["run"]["specs"]["specs/small.yaml"]
    assert declared["golden"] == "../golden"
    assert declared["name"] == project.golden()["spec"]
    assert [f"specs/small.yaml::net::{key}" for key in declared["keys"]["net"]] == NET
    assert declared["tests"]["net"] == NET
    assert set(declared["datasets"].values()) == {0}
    made = report["run"]["provenance"][report["cells"][0]["provenance"]]
    assert made["model_sha256"] == hashlib.sha256((project.path / "net.onnx").read_bytes()).hexdigest()
    assert report["cells"][0]["n"] == COUNT
    assert str(project.path) not in json.dumps(report), "a path of the machine is of no use elsewhere"
