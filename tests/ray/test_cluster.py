"""Runs on a cluster of two nodes: the same report as in one process, whatever dies meanwhile."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import pytest_robust
from tests.folder import Folder
from tests.ray.conftest import needs_ray, two_models, untimed

pytestmark = needs_ray


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, dict[str, Any]]:
    """The project, and the report of one process."""
    project = two_models(tmp_path_factory.mktemp("serial"))
    project.report("serial.json", "--robust-no-cache")
    return project, untimed(project.json("serial.json"))


def npz_of(project: Folder, name: str) -> bytes:
    return (project.path / name).with_suffix(".npz").read_bytes()


def test_the_report_is_the_same_in_one_process_in_two_and_on_two_nodes(
    cluster: Any, serial: tuple[Folder, dict[str, Any]], small_slices: None
) -> None:
    project, expected = serial
    assert [cell["suite"] for cell in expected["cells"]].count("mine") == 4
    run = project.report(
        "ray.json", "--robust-no-cache", f"--robust-engine=ray:{cluster.address}", "--robust-batch-size=32"
    )
    assert untimed(project.json("ray.json")) == expected, run.text
    assert npz_of(project, "ray.json") == npz_of(project, "serial.json")
    project.report("two.json", "--robust-no-cache", "-n2")
    assert untimed(project.json("two.json")) == expected


def test_what_is_in_the_cache_is_not_sent(cluster: Any, tmp_path: Path, small_slices: None) -> None:
    project = two_models(tmp_path)
    project.run("--robust-cache=kept", "-k", "clean or contrast")
    engine = f"--robust-engine=ray:{cluster.address}"
    run = project.run("--robust-cache=kept", engine)
    assert run.has(r"^7 passes for 7 shifts; 6 of 20 cells from the cache$"), run.text
    assert project.run("--robust-cache=kept", engine).has(r"^0 passes for 0 shifts; 20 of 20 cells from the cache$")


def test_a_node_that_dies_is_replaced_by_the_others(
    cluster: Any, serial: tuple[Folder, dict[str, Any]], small_slices: None
) -> None:
    project, expected = serial
    marks = project.path / "marks"
    marks.mkdir()
    node = cluster.add_node(num_cpus=1)
    killed: list[float] = []

    def kill() -> None:
        until = time.monotonic() + 60
        while not (marks / node.node_id).exists():
            if time.monotonic() > until:
                return
            time.sleep(0.02)
        cluster.remove_node(node, allow_graceful=False)
        killed.append(time.monotonic())

    killer = threading.Thread(target=kill)
    killer.start()
    options = f"--robust-engine=ray:{cluster.address}", "--robust-batch-size=32"  # more slices than two nodes can hold
    run = project.report("ray.json", "--robust-no-cache", *options)
    ended = time.monotonic()
    killer.join()
    marks.rename(project.path / "read")
    assert killed, "no slice came to the third node"
    assert killed[0] < ended
    cells = {cell["id"]: cell for cell in untimed(project.json("ray.json"))["cells"]}
    assert cells == {cell["id"]: cell for cell in expected["cells"]}, run.text


def test_a_defect_of_ours_fails_its_cells_and_hangs_nothing(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_robust.engine import ray_engine

    def broken(name: str, *arguments: Any) -> Any:
        if "contrast" in name:
            raise ZeroDivisionError("of ours")
        return join(name, *arguments)

    join = ray_engine.join
    monkeypatch.setattr(ray_engine, "join", broken)
    project = two_models(tmp_path)
    run = project.report(
        "ray.json", "--robust-no-cache", f"--robust-engine=ray:{cluster.address}", "-k", "contrast or clean"
    )
    errors = {cell["id"] for cell in project.json("ray.json")["cells"] if cell["verdict"] == "ERROR"}
    assert len(errors) == 4
    assert all("contrast" in name for name in errors)
    assert run.has("^ZeroDivisionError: of ours$")


DEADLY = """
import os

from pytest_robust.shifts.base import PixelShift


def resolve(parameters, height, width):
    return {"severity": parameters["severity"]}


def die(images, bits, severity):
    os.kill(os.getpid(), 9)


def pytest_robust_register(registry):
    registry.add(PixelShift("die", "mine", 1, "our own camera", [1], resolve, die))
"""


def test_what_kills_its_workers_is_its_own_error_and_nobody_elses(cluster: Any, tmp_path: Path) -> None:
    project = two_models(tmp_path)
    (tmp_path / "conftest.py").write_text(DEADLY)
    project.report(
        "ray.json",
        "--robust-no-cache",
        f"--robust-engine=ray:{cluster.address}",
        "-k",
        "net and (clean or mine or contrast)",
    )
    found = {cell["id"].rpartition("::")[2]: cell for cell in project.json("ray.json")["cells"]}
    assert {name: cell["verdict"] for name, cell in found.items() if cell["verdict"] == "ERROR"} == {
        "mine.die-1": "ERROR"
    }
    assert len(found) == 4
    assert "the process died while it ran model net on mine.die-1" in found["mine.die-1"]["reasons"][0]


def test_cuda_on_a_cluster_without_gpus_is_said_at_once(cluster: Any, tmp_path: Path) -> None:
    project = two_models(tmp_path)
    began = time.monotonic()
    run = project.run(
        "--robust-no-cache", f"--robust-engine=ray:{cluster.address}", "--robust-device=cuda", "-k", "clean"
    )
    assert time.monotonic() - began < 20
    assert run.outcomes["failed"] == 2
    assert run.has(r"^--robust-device=cuda: the Ray cluster has \d nodes and no GPU; add a node that has one"), run.text


def test_on_this_machine_alone_and_nothing_of_it_is_left(
    serial: tuple[Folder, dict[str, Any]], small_slices: None
) -> None:
    import ray

    project, expected = serial
    before = dict(os.environ), signal.getsignal(signal.SIGTERM), _left()
    report = pytest_robust.evaluate(project.path / "specs/small.yaml", engine="ray", select="contrast or mine")
    cells = {cell["id"]: cell for cell in untimed(report)["cells"]}
    assert cells == {cell["id"]: cell for cell in expected["cells"] if cell["id"] in cells}
    assert len(cells) == 8
    assert not ray.is_initialized()
    assert before == (dict(os.environ), signal.getsignal(signal.SIGTERM), _left())


def _left() -> set[str]:
    """Folders of runs of this process's user that are still there."""
    import tempfile

    from pytest_robust.scratch import PREFIX

    return {path.name for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if (path / "models").exists()}


def test_an_address_where_nobody_answers(tmp_path: Path) -> None:
    project = two_models(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.monotonic()
    run = project.run("--robust-no-cache", f"--robust-engine=ray:127.0.0.1:{port}", "-k", "clean")
    assert time.monotonic() - began < 10
    assert run.outcomes["failed"] == 2
    assert run.has(rf"^--robust-engine=ray: nothing answers at 127.0.0.1:{port} \(.*refused\); start the cluster there")


def test_an_address_where_something_else_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_robust.engine import ray_cluster

    monkeypatch.setattr(ray_cluster, "_HEALTH_SECONDS", 3.0)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(
            pytest_robust.RobustError, match="is no Ray cluster in health; run pytest on a node of the cluster"
        ),
    ):
        ray_cluster.connect(f"127.0.0.1:{server.getsockname()[1]}", 1)


@pytest.mark.parametrize("address", ["head", "ray://head:10001", "head:port"])
def test_what_is_no_address(address: str) -> None:
    from pytest_robust.engine.ray_cluster import connect

    with pytest.raises(pytest_robust.RobustError, match="the address is auto or HOST:PORT"):
        connect(address, 1)
