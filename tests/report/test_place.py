"""A report is written as a whole, in the place that was found good before the first case ran, and over nothing else."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pytest_robust.errors import RobustError
from pytest_robust.golden.arrays import pack
from pytest_robust.report.place import check_beside, check_place
from pytest_robust.report.reading import read_report
from pytest_robust.report.structure import write_json
from tests.folder import Folder
from tests.plugin.attacked import SPEC
from tests.test_whole_file import small_disk


def test_the_npz_of_a_process_that_was_killed_is_no_hindrance(project: Folder) -> None:
    project.model("net")
    assert project.report("r.json", "-k", "clean").code == 0
    (project.path / "r.json").unlink()
    run = project.report("r.json", "-k", "clean")
    assert run.code == 0, run.text
    assert read_report(project.path / "r.json").measurements.keys() == {"specs/small.yaml::net::clean"}
    check_beside(project.path / "r.json")


def test_arrays_of_the_users_are_never_replaced(project: Folder) -> None:
    mine = project.path / "r.npz"
    for content in ({"x": np.zeros(3)}, {"ids/mine": np.zeros(3), "y": np.ones(2)}):
        mine.write_bytes(pack(content))
        before = mine.read_bytes()
        run = project.report("r.json")
        assert run.code == 4
        assert run.has(r"ERROR: --robust-report: the report \S+r\.json would replace \S+r\.npz, which is no report's")
        assert mine.read_bytes() == before
    mine.write_bytes(b"no zip at all")
    with pytest.raises(RobustError, match="which is no report's; choose another name"):
        check_place(project.path / "r.json")
    check_place(project.path / "r.md")
    with zipfile.ZipFile(mine, "w"):
        pass
    check_place(project.path / "r.json")


def test_every_array_of_a_report_is_known_as_one(project: Folder) -> None:
    project.model("net")
    project.spec(SPEC.replace("  other: {path: ../other.onnx}\n", "") % "" + "scores: true\n")
    assert project.report("r.json", "--robust-device=cpu").code == 0
    with zipfile.ZipFile(project.path / "r.npz") as archive:
        kinds = {name.partition("/")[0] for name in archive.namelist()}
    assert {"ids", "labels", "predicted", "attack_tried", "nll"} <= kinds
    (project.path / "r.json").unlink()
    check_place(project.path / "r.json")


def test_a_disk_too_small_for_one_half_leaves_both_halves_of_the_last_report(project: Folder) -> None:
    path = project.path / "same.json"
    stored = read_report(path)
    before = {one: one.read_bytes() for one in (path, path.with_suffix(".npz"))}
    assert len(before[path]) > len(before[path.with_suffix(".npz")]) + 100
    structure = {**stored.structure, "more": "x" * 100}
    with (
        small_disk(len(before[path.with_suffix(".npz")]) + 100),
        pytest.raises(RobustError, match=r"the report \S+same\.json cannot be written \(File too large\)"),
    ):
        write_json(path, structure, dict(list(stored.measurements.items())[:1]), stored.samples)
    assert {one: one.read_bytes() for one in before} == before
    assert not list(path.parent.glob(".*.tmp"))


def test_a_half_without_the_other_says_so(project: Folder) -> None:
    path = project.path / "same.json"
    (project.path / "worse.npz").replace(project.path / "same.npz")
    with pytest.raises(RobustError, match=r"same\.json and same\.npz are not of one run, or one was changed; run agai"):
        read_report(path)
    (project.path / "same.npz").unlink()
    with pytest.raises(RobustError, match=r"same\.npz is missing, the other half of \S+same\.json; run again"):
        read_report(path)


@pytest.mark.parametrize("place", ["blocked/out.json", "blocked/out.md", "folder.json", "folder.md", "half.json"])
@pytest.mark.parametrize("workers", [[], ["-n2"]])
def test_a_report_that_cannot_be_written_is_refused_before_the_first_case(
    project: Folder, place: str, workers: list[str]
) -> None:
    (project.path / "blocked").write_text("")
    for name in ("folder.json", "folder.md", "half.npz"):
        (project.path / name).mkdir()
    run = project.report(place, *workers)
    assert run.code == 4
    assert run.has(r"ERROR: --robust-report: the report \S+ cannot be written \(.*\); choose another place")
    assert "passed" not in run.text
    assert "Traceback" not in run.text


def test_a_report_of_the_ini_file_is_checked_too(project: Folder) -> None:
    ini = project.path / "pyproject.toml"
    ini.write_text(ini.read_text() + "robust_report = ['blocked/out.json']\nrobust_files = ['specs/*.yaml']\n")
    (project.path / "blocked").write_text("")
    for found in (True, False):
        run = project.run(spec=found)
        assert run.code == 4, run.text
        assert run.has(r"--robust-report: the report \S+out\.json cannot be written \(Not a directory\)")
        assert "passed" not in run.text
    assert project.run("--collect-only").code == 0, "nothing is written then"


def test_nothing_is_made_by_looking(project: Folder) -> None:
    run = project.report("deep/down/r.json", "--collect-only")
    assert run.code == 0
    check_place(project.path / "deep" / "down" / "r.json")
    assert not (project.path / "deep").exists()
    assert json.loads((project.path / "same.json").read_text())["format"] == 1


def test_merge_is_refused_before_it_reads_the_shards(project: Folder, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    from pytest_robust.cli import main

    monkeypatch.chdir(project.path)
    Path("blocked").write_text("")
    Path("m.npz").write_bytes(pack({"x": np.zeros(3)}))
    for place, said in (("blocked/m.md", "cannot be written (Not a directory)"), ("m.json", "which is no report's")):
        assert main(["merge", "not-there.json", "--out", place]) == 2
        assert said in capsys.readouterr().err
