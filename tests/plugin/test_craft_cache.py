"""`pytest-robust craft` takes from the project's cache what its runs have crafted, and keeps there what it crafts."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_robust.cli import main
from tests.plugin.attacked import SPEC, damage
from tests.plugin.project import Project


@pytest.fixture
def two(attacked: Project) -> Project:
    """Images of 4 and of 8 grey levels, crafted on `net`, in a project with a cache."""
    attacked.spec(SPEC % ", source: net")
    attacked.edit("[8]", "[4, 8]")
    return attacked


def packs(project: Project, out: str) -> dict[str, bytes]:
    assert main(["craft", "specs/small.yaml", "--out", out]) == 0
    return {path.name: path.read_bytes() for path in (project.path / out).iterdir()}


def kept(project: Project) -> list[Path]:
    folder = project.path / ".pytest_cache" / "d" / "robust" / "packs"
    return [path for path in folder.glob("*") if not path.name.endswith(".lock")]


def test_what_a_run_has_crafted_is_written_and_not_crafted_again(two: Project, crafting: list[str]) -> None:
    assert two.run("-p", "cacheprovider").code == 0
    assert crafting == ["net fgsm_linf.from_net"] * 2
    made = packs(two, "packs")
    assert len(crafting) == 2
    assert len(made) == len(kept(two)) == 2
    two.edit("format: 1", "format: 1\n")
    ini = two.path / "pyproject.toml"
    ini.write_text(ini.read_text() + "\nrobust_no_cache = true\n")
    assert packs(two, "anew") == made, "the same bytes without the cache"
    assert len(crafting) == 4


def test_what_is_crafted_is_kept_for_the_next_run(two: Project, crafting: list[str]) -> None:
    packs(two, "packs")
    assert len(crafting) == 2
    assert packs(two, "again") == packs(two, "packs")
    assert two.run().code == 0
    assert len(crafting) == 2
    for path in kept(two):
        damage(path)
    packs(two, "packs")
    assert len(crafting) == 4, "a damaged entry is crafted anew"


def test_pytests_own_cache_is_left_as_it_was(two: Project) -> None:
    two.pytester.makepyfile("def test_a(): assert 0")
    assert two.run("test_pytests_own_cache_is_left_as_it_was.py", spec=False).code == 1
    folder = two.path / ".pytest_cache" / "v"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert len(before) >= 2
    packs(two, "packs")
    two.edit("epsilons", "epsilonz")
    assert main(["craft", "specs/small.yaml", "--out", "packs"]) == 1
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_the_ini_file_says_where_the_cache_is_and_how_a_run_measures(two: Project, crafting: list[str]) -> None:
    ini = two.path / "pyproject.toml"
    said = ["robust_cache = 'here'", "robust_batch_size = '100'", "addopts = ['--robust-limit=9']"]
    ini.write_text("\n".join([ini.read_text(), *said]))
    made = packs(two, "packs")
    assert list((two.path / "here" / "packs").iterdir())
    assert not kept(two)
    assert two.run("-o", "addopts=").code == 0
    assert len(crafting) == 2
    assert len(made) == 2


def test_what_was_crafted_before_the_disk_was_full_is_kept(two: Project, crafting: list[str]) -> None:
    (two.path / "packs").mkdir()
    (two.path / "packs" / "adversarial.fgsm_linf.from_net-8.npz").mkdir()
    assert main(["craft", "specs/small.yaml", "--out", "packs"]) == 2
    assert not crafting, "found before anything was crafted"
    (two.path / "packs" / "adversarial.fgsm_linf.from_net-8.npz").rmdir()
    two.pytester.makeconftest(
        """
from pathlib import Path
import pytest_robust.views.pack_files as files

write = files.write_pack

def blocked(path, pack):
    if path.name.endswith("-8.npz"):
        path.mkdir()
    write(path, pack)

files.write_pack = blocked
"""
    )
    before = __import__("pytest_robust.views.pack_files", fromlist=["write_pack"])
    write = before.write_pack
    try:
        assert main(["craft", "specs/small.yaml", "--out", "packs"]) == 2
    finally:
        before.write_pack = write
    assert len(crafting) == 2
    (two.path / "packs" / "adversarial.fgsm_linf.from_net-8.npz").rmdir()
    (two.path / "conftest.py").unlink()
    assert len(packs(two, "packs")) == 2
    assert len(crafting) == 2


def test_a_folder_is_no_spec(two: Project, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["craft", "specs", "--out", "p"], ["check", "specs"]):
        assert main(command) == 2
        assert capsys.readouterr().err == "specs is a folder, not a spec; name the .yaml file\n"
