"""How a cluster is shared out among workers."""

from __future__ import annotations

import pytest

from pytest_robust.engine.ray_cluster import Share, share
from pytest_robust.errors import RobustError

CPUS = {"CPU": 16.0}
GPUS = {"CPU": 32.0, "GPU": 4.0}


@pytest.mark.parametrize(
    ("nodes", "device", "expected"),
    [
        ([CPUS, CPUS], "auto", Share(8, 4, 0)),
        ([CPUS, {"CPU": 2.0}], "cpu", Share(9, 2, 0)),
        ([CPUS, {"CPU": 0.0}], "cpu", Share(4, 4, 0)),
        ([CPUS, GPUS], "cpu", Share(12, 4, 0)),
        ([CPUS, GPUS], "auto", Share(4, 8, 1)),
        ([GPUS, {"CPU": 4.0, "GPU": 1.0}], "cuda", Share(5, 4, 1)),
        ([{"GPU": 2.0}], "cuda", Share(2, 0, 1)),
    ],
)
def test_a_gpu_each_or_a_few_cores(nodes: list[dict[str, float]], device: str, expected: Share) -> None:
    assert share(nodes, device) == expected
    assert expected.threads >= 1


@pytest.mark.parametrize(
    ("nodes", "device", "sentence"),
    [([CPUS], "cuda", "has 1 node and no GPU"), ([{"CPU": 0.0}], "auto", "no node of the Ray cluster has a CPU")],
)
def test_what_a_cluster_cannot_give_is_said_at_once(nodes: list[dict[str, float]], device: str, sentence: str) -> None:
    with pytest.raises(RobustError, match=sentence):
        share(nodes, device)
