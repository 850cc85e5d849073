"""Attacks spread over workers and shards: crafted once where a cache is shared, and the same everywhere."""

import json

import pytest

from pytest_robust.cli import main
from tests.plugin.attacked import SPEC, WRITES_DOWN, cells, crafted
from tests.plugin.project import Project


def test_workers_share_what_is_crafted(attacked: Project, crafting: list[str]) -> None:
    attacked.spec(SPEC % ", source: each")
    alone = cells(attacked, "--robust-no-cache")
    assert len(crafting) == 2
    attacked.pytester.makeconftest(WRITES_DOWN)
    together = cells(attacked, "--robust-no-cache", "-n2", process=True)
    assert len(crafted(attacked)) == 2
    for cell, one in alone.items():
        assert (together[cell]["labels_digest"], together[cell]["correct"]) == (one["labels_digest"], one["correct"])


def test_shards_merged_are_one_run(attacked: Project, crafting: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Each shift is crafted by the shard that has it, though its clean cells are the other's."""
    attacked.spec(SPEC % ", source: each")
    whole = cells(attacked, "--robust-no-cache")
    made = sorted(crafting)
    crafting.clear()
    for part in "12":
        run = attacked.run(
            f"--robust-shard={part}/2", f"--robust-report=s{part}.json", "--robust-device=cpu", "--robust-no-cache"
        )
        assert run.code == 0, run.text
    parts = [json.loads((attacked.path / f"s{part}.json").read_text())["cells"] for part in "12"]
    assert [any(one["attack"] for one in part) for part in parts] == [True, True], "both shards attack"
    assert sorted(crafting) == made
    assert main(["merge", "s1.json", "s2.json", "--out", "merged.json"]) == 0, capsys.readouterr().err
    merged = json.loads((attacked.path / "merged.json").read_text())["cells"]
    assert [one["id"].removeprefix("specs/small.yaml::") for one in merged] == list(whole)
    for one in merged:
        assert untimed(one) == untimed(whole[one["id"].removeprefix("specs/small.yaml::")])


def untimed(cell: dict) -> dict:
    return {name: value for name, value in cell.items() if name not in ("seconds", "cached")}
