"""Memory that runs out while images are crafted: fewer at once, the same images, and one sentence at the least."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import numpy as np
import pytest
import torch

from pytest_robust.cli import main
from pytest_robust.engine import attacker
from pytest_robust.views.pack_files import read_pack
from tests.plugin.attacked import SPEC, WRITES_DOWN, cells, refused
from tests.plugin.project import COUNT, Project

CELL = "net::adversarial.pgd_linf-8"
NOTE = "memory did not suffice for crafting 128 images at once; it went on with 32"
SAID = "CUDA out of memory. Tried to allocate 20.00 MiB."
Starve = Callable[[int, Exception], list[int]]


@pytest.fixture
def starve(monkeypatch: pytest.MonkeyPatch) -> Starve:
    """``starve(room, error)``: twins raise `error` on more than `room` images; grows by how many they were shown."""
    opened, shown = attacker.open_victim, []

    def make(room: int, error: Exception) -> list[int]:
        def look(module: torch.nn.Module, given: tuple[torch.Tensor]) -> None:
            shown.append(len(given[0]))
            if len(given[0]) > room:
                raise error

        def hungry(*args: object) -> torch.nn.Module:
            victim = opened(*args)
            victim.register_forward_pre_hook(look)
            return victim

        monkeypatch.setattr(attacker, "open_victim", hungry)
        return shown

    return make


@pytest.fixture
def pgd(attacked: Project) -> Project:
    attacked.spec(SPEC.replace("  other: {path: ../other.onnx}\n", "").replace("attack: fgsm", "attack: pgd") % "")
    return attacked


@pytest.mark.parametrize("error", [torch.OutOfMemoryError(SAID), MemoryError()], ids=["gpu", "host"])
def test_fewer_images_are_crafted_at_once_and_that_is_told(pgd: Project, starve: Starve, error: Exception) -> None:
    plain = cells(pgd, "--robust-no-cache")
    shown = starve(50, error)
    found = cells(pgd, "--robust-no-cache")
    assert found[CELL]["attack"] == plain[CELL]["attack"]
    assert found[CELL]["correct"] == plain[CELL]["correct"]
    assert NOTE in found[CELL]["notes"]
    assert NOTE not in plain[CELL]["notes"]
    assert NOTE not in found["net::clean"]["notes"]
    assert {128, 64} <= set(shown) <= {1, 16, 32, 64, 128, COUNT % 32}
    assert shown.count(128) == shown.count(64) == 1, "what did not suffice is not tried again"


def test_a_pack_is_the_same_and_the_command_tells(
    pgd: Project, starve: Starve, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["craft", "specs/small.yaml", "--out", "plain.npz"]) == 0
    assert NOTE not in capsys.readouterr().out
    shutil.rmtree(pgd.path / ".pytest_cache")
    starve(50, torch.OutOfMemoryError(SAID))
    assert main(["craft", "specs/small.yaml", "--out", "few.npz"]) == 0
    assert f"\n  {NOTE}\n" in capsys.readouterr().out
    assert (pgd.path / "few.npz").read_bytes() == (pgd.path / "plain.npz").read_bytes()


@pytest.mark.parametrize("error", [torch.OutOfMemoryError(SAID), MemoryError()], ids=["gpu", "host"])
@pytest.mark.parametrize("checked", [False, True])
def test_one_image_that_does_not_fit_is_a_sentence(
    pgd: Project, starve: Starve, monkeypatch: pytest.MonkeyPatch, error: Exception, checked: bool
) -> None:
    if not checked:
        monkeypatch.setattr(attacker, "check_twin", lambda *args, **options: 1.0)
    shown = starve(0, error)
    said = r" \(CUDA out of memory.*\)" if str(error) else ""
    refused(pgd, rf"specs/small.yaml:6:\d+: memory ran out for adversarial.pgd_linf-8 on net{said}: make a pack by")
    assert shown[-1] == 1
    assert shown == sorted(shown, reverse=True)


def test_weights_that_do_not_fit_are_a_sentence(pgd: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*args: object) -> None:
        raise torch.OutOfMemoryError(SAID)

    monkeypatch.setattr(attacker, "open_victim", no)
    refused(pgd, r"specs/small.yaml:6:\d+: memory ran out for adversarial.pgd_linf-8 on net \(CUDA out of memory")


def test_other_failures_are_not_taken_for_it(pgd: Project, starve: Starve) -> None:
    starve(50, RuntimeError("sizes do not match"))
    run = pgd.run("--robust-device=cpu")
    assert run.code != 0
    assert run.has("RuntimeError: sizes do not match")
    assert "memory ran out" not in run.text


@pytest.mark.parametrize("batch", [1, 7, 128, 999])
def test_the_batch_does_not_choose_the_images(pgd: Project, batch: int) -> None:
    assert main(["craft", "specs/small.yaml", "--out", "plain.npz"]) == 0
    pgd.edit("attack: pgd", f"attack: pgd, batch: {batch}")
    assert main(["craft", "specs/small.yaml", "--out", "other.npz"]) == 0
    plain, other = (read_pack(pgd.path / name)[0] for name in ("plain.npz", "other.npz"))
    np.testing.assert_array_equal(np.array([*plain.canvases]), np.array([*other.canvases]))
    np.testing.assert_array_equal(plain.success, other.success)


def test_a_disk_without_room_is_a_sentence(pgd: Project) -> None:
    pgd.pytester.makeconftest(
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))\n"
    )
    run = pgd.run("--robust-device=cpu", process=True)
    assert run.has(r"images cannot be kept in .* \(File too large\); make room there"), run.text
    assert "Traceback" not in run.text


def test_a_killed_crafting_leaves_no_pack_and_the_next_run_makes_it(pgd: Project) -> None:
    killing = "import os\n" + WRITES_DOWN.replace(
        "    return made(self, want, shape)",
        "    os._exit(9) if not os.path.exists('second') else None\n    return made(self, want, shape)",
    )
    pgd.pytester.makeconftest(killing)
    assert pgd.run("--robust-device=cpu", "--robust-cache=kept", process=True).code != 0
    packs = pgd.path / "kept" / "packs"
    assert [one.name for one in packs.iterdir() if one.suffix != ".lock"] == []
    (pgd.path / "second").touch()
    assert pgd.run("--robust-device=cpu", "--robust-cache=kept", process=True).code == 0
    assert len([one for one in packs.iterdir() if one.suffix != ".lock"]) == 1
