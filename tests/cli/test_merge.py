"""`pytest-robust merge`: shards as one report, proven complete, with the aggregates judged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_robust.report.schema import report_schema
from tests.cli.conftest import CI_VARIABLES
from tests.folder import Folder
from tests.plugin.project import NET

Command = Callable[..., tuple[int, str, str]]

COMPARE = "aggregates:\n  - {compare: {model: weak, against: net, suite: imagenet-c}, min_gain: -0.5}\n"
TWO_MODELS = "  net: {path: ../net.onnx}\n  weak: {like: net, path: ../weak.onnx}"


@pytest.fixture(scope="module")
def sharded(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Two models and an aggregate over both, run whole (whole.json) and in two parts (one.json, two.json)."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (*CI_VARIABLES, "GITHUB_STEP_SUMMARY"):
            patch.delenv(name, raising=False)
        folder = Folder(tmp_path_factory.mktemp("sharded"))
        folder.model("weak", bias=12)
        folder.edit("  net: {path: ../net.onnx}", TWO_MODELS)
        folder.spec((folder.path / "specs/small.yaml").read_text() + COMPARE)
        assert folder.run("--robust-update").code == 0
        folder.model("weak", bias=12.01)
        assert folder.report("whole.json").code == 0
        folder.report("one.json", "-k", "imagenet-c.gaussian or clean")
        folder.report("two.json", "-k", "contrast or scaling")
    return folder


@pytest.fixture
def shards(sharded: Folder, tmp_path: Path) -> Folder:
    return sharded.copy(tmp_path)


def stable(report: dict[str, Any]) -> dict[str, Any]:
    """Without what differs between any two runs."""
    for cell in report["cells"]:
        cell["seconds"] = None
    run = {name: value for name, value in report["run"].items() if name not in ("started", "duration_s")}
    return {"run": run, "cells": report["cells"], "aggregates": report["aggregates"], "npz": report["npz_sha256"]}


def test_shards_merge_into_what_one_run_would_have_written(command: Command, shards: Folder) -> None:
    code, out, err = command(shards.path, "merge", "two.json", "one.json", "--out", "all.json", "--out", "all.md")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "2 reports, 14 cells, 1 aggregate merged"
    merged, whole = shards.json("all.json"), shards.json("whole.json")
    assert merged["run"]["complete"] is True
    assert merged["run"]["planned"] == whole["run"]["planned"]
    assert stable(merged) == stable(whole)
    assert all(cell["flips"]["p_holm"] is not None for cell in merged["cells"])
    jsonschema.validate(merged, report_schema())
    assert (shards.path / "all.md").read_text().startswith("## Robustness: passed\n")
    assert command(shards.path, "diff", "all.json", "whole.json")[0] == 0


def test_cells_measured_twice_alike_are_no_trouble(command: Command, shards: Folder) -> None:
    assert command(shards.path, "merge", "one.json", "whole.json", "two.json", "--out", "all.json")[0] == 0
    assert stable(shards.json("all.json")) == stable(shards.json("whole.json"))


def test_parts_by_model_merge_alike_in_any_order(command: Command, shards: Folder) -> None:
    shards.report("one.json", "-k", "net")
    shards.report("two.json", "-k", "weak")
    for order in (("one.json", "two.json"), ("two.json", "one.json")):
        assert command(shards.path, "merge", *order, "--out", "all.json")[0] == 0
        assert stable(shards.json("all.json")) == stable(shards.json("whole.json"))


def test_a_failed_aggregate_fails_the_merge(command: Command, shards: Folder) -> None:
    shards.edit("min_gain: -0.5", "min_gain: 0.5")
    shards.report("one.json", "-k", "imagenet-c.gaussian or clean")
    shards.report("two.json", "-k", "contrast or scaling")
    code, out, _ = command(shards.path, "merge", "one.json", "two.json", "--out", "all.json")
    assert code == 1
    assert "FAILED specs/small.yaml::_all::" in out
    assert (
        list(shards.json("all.json")["run"]["failed"])
        == shards.json("all.json")["run"]["specs"]["specs/small.yaml"]["aggregates"]
    )


def test_a_failed_cell_fails_the_merge(command: Command, shards: Folder) -> None:
    shards.model("weak", bias=30)
    shards.report("one.json", "-k", "imagenet-c.gaussian or clean")
    shards.report("two.json", "-k", "contrast or scaling")
    code, out, _ = command(shards.path, "merge", "one.json", "two.json", "--out", "all.json")
    assert code == 1
    assert "FAILED specs/small.yaml::weak::clean - " in out


def test_aggregates_that_cannot_be_judged_are_named_and_count_as_not_run(command: Command, shards: Folder) -> None:
    (shards.path / "specs/small.yaml").unlink()
    code, _, err = command(shards.path, "merge", "one.json", "two.json", "--out", "all.json")
    assert code == 1
    assert err.startswith("not judged: specs/small.yaml::_all::")
    merged = shards.json("all.json")
    assert merged["run"]["complete"] is False
    assert merged["run"]["not_run"] == merged["run"]["specs"]["specs/small.yaml"]["aggregates"]


def missing_shard(folder: Folder) -> list[str]:
    return ["one.json"]


def other_model(folder: Folder) -> list[str]:
    folder.model("weak", bias=1)
    folder.report("two.json", "-k", "contrast or scaling")
    return ["one.json", "two.json"]


def measured_twice(folder: Folder) -> list[str]:
    report = folder.json("two.json")
    report["cells"][0]["canvas_digest"] = "f" * 64
    (folder.path / "three.json").write_text(json.dumps(report))
    (folder.path / "three.npz").write_bytes((folder.path / "two.npz").read_bytes())
    return ["one.json", "two.json", "three.json"]


def other_spec(folder: Folder) -> list[str]:
    folder.edit("min_accuracy: 0.5", "min_accuracy: 0.4")
    folder.report("two.json", "-k", "contrast or scaling")
    return ["one.json", "two.json"]


def other_samples(folder: Folder) -> list[str]:
    import numpy as np

    with np.load(folder.path / "data.npz") as arrays:
        x, y = arrays["x"], arrays["y"]
    x[0] ^= 1
    np.savez(folder.path / "data.npz", x=x, y=y)
    folder.report("two.json", "-k", "contrast or scaling")
    return ["one.json", "two.json"]


def smoke(folder: Folder) -> list[str]:
    folder.report("two.json", "--robust-limit=20")
    return ["one.json", "two.json"]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (missing_shard, "8 of 15 were not measured: specs/small.yaml::net::imagenet-c.contrast-1, "),
        (other_model, "the cells of specs/small.yaml::weak come from 2 model files"),
        (measured_twice, "net::imagenet-c.contrast-1 was measured twice, with different results: two.json and three"),
        (other_spec, "one.json and two.json were run with different versions of specs/small.yaml"),
        (other_samples, "the shards were measured on different samples of one data set: "),
        (smoke, "two.json is of a smoke run"),
    ],
)
def test_what_is_not_one_run_is_not_merged(
    command: Command, shards: Folder, make: Callable[[Folder], list[str]], sentence: str
) -> None:
    names = make(shards)
    code, out, err = command(shards.path, "merge", *names, "--out", "all.json")
    assert (code, out) == (1, "")
    assert sentence in err
    assert not (shards.path / "all.json").exists()
    assert not (shards.path / "all.npz").exists()


def test_an_input_is_never_overwritten(command: Command, shards: Folder) -> None:
    before = (shards.path / "one.json").read_bytes()
    code, _, err = command(shards.path, "merge", "one.json", "two.json", "--out", "./one.json")
    assert code == 2
    assert "is one of the reports to merge" in err
    assert (shards.path / "one.json").read_bytes() == before
    assert command(shards.path, "merge", "one.json", "two.json", "--out", "all.html")[0] == 2


def test_a_spec_of_which_nothing_was_selected_is_missing_too(command: Command, tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.edit("  - {max_regression: 0.02, max_negative_flips: 0.05}\n", "")
    folder.spec((folder.path / "specs/small.yaml").read_text(), name="specs/other.yaml")
    run = folder.report("one.json", "--robust-spec=specs/other.yaml", "-k", "small")
    assert run.line("INCOMPLETE") == "Gate INCOMPLETE: 7 of 14 not run"
    assert folder.json("one.json")["run"]["planned"][:7] == NET
    code, _, err = command(folder.path, "merge", "one.json", "--out", "all.json")
    assert code == 1
    assert "7 of 14 were not measured: specs/other.yaml::net::clean" in err


def test_a_waiver_that_no_shard_needed_fails_the_merge(command: Command, shards: Folder) -> None:
    waiver = "{where: {model: net, suite: imagenet-c}, until: 2999-12-31, owner: ann, reason: old}"
    shards.edit("golden: ../golden", f"golden: ../golden\nwaivers:\n  - {waiver}")
    for name, words in (("one.json", "imagenet-c.gaussian or clean"), ("two.json", "contrast or scaling")):
        shards.report(name, "-k", words)
        assert shards.json(name)["run"]["unused_waivers"] == [], "a part cannot tell"
    code, _, err = command(shards.path, "merge", "one.json", "two.json", "--out", "all.json")
    assert code == 1
    assert err.endswith(": this waiver of ann is unused, none of its 4 cases failed; remove it\n")
    jsonschema.validate(shards.json("all.json"), report_schema())


def test_shards_under_a_profile_that_one_of_two_specs_has(command: Command, shards: Folder) -> None:
    text = (shards.path / "specs/small.yaml").read_text()
    shards.spec(text.replace("../golden", "../golden-2"), "specs/second.yaml")
    shards.spec(text + "profiles:\n  quick: {severities: [1]}\n")
    both = ("--robust-spec=specs/second.yaml", "--robust-profile=quick")
    assert shards.run("--robust-spec=specs/second.yaml", "--robust-update", spec=False).code == 0
    shards.report("one.json", *both, "-k", "net")
    shards.report("two.json", *both, "-k", "weak or _all")
    code, out, err = command(shards.path, "merge", "one.json", "two.json", "--out", "all.json")
    assert (code, err) == (0, ""), out
    merged = shards.json("all.json")
    assert {name: spec["profile"] for name, spec in merged["run"]["specs"].items()} == {
        "specs/small.yaml": "quick",
        "specs/second.yaml": None,
    }
    assert len(merged["aggregates"]) == 2
