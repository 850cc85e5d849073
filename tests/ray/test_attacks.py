"""Attacks on a Ray engine: crafted by the process that runs pytest, on clean cells that came from the cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.folder import Folder
from tests.plugin.attacked import SPEC
from tests.ray.conftest import needs_ray, untimed

pytestmark = needs_ray


def test_the_report_is_that_of_one_process(cluster: Any, tmp_path: Path, small_slices: None) -> None:
    project = Folder(tmp_path)
    project.model("other", bias=10)
    project.spec(SPEC % ", source: each")
    project.edit("shifts:\n", "shifts:\n  - {suite: imagenet-c, corruptions: [contrast], severities: [3]}\n")
    project.edit(
        "shifts:\n", "shifts:\n  - {name: few, suite: adversarial, attack: fgsm, epsilons: [0.05], per_class: 20}\n"
    )
    options = "--robust-no-cache", "--robust-batch-size=32"
    alone = project.report("alone.json", *options)
    assert alone.code == 0, alone.text
    run = project.report("ray.json", *options, f"--robust-engine=ray:{cluster.address}")
    assert run.code == 0, run.text
    expected = untimed(project.json("alone.json"))
    assert [cell["attack"]["attacked"] > 0 for cell in expected["cells"] if cell["attack"]] == [True] * 6
    assert untimed(project.json("ray.json")) == expected
    assert (tmp_path / "ray.npz").read_bytes() == (tmp_path / "alone.npz").read_bytes()
