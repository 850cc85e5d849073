"""Which GPUs a run may use, as CUDA itself reads `CUDA_VISIBLE_DEVICES`, and how workers share them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_robust.gpus import chosen, share, visible_gpus

A, B = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "GPU-1d2f"
MIG = "MIG-41b359d3-8721-56e5-8def-012dc6acd9c2"
OLD_MIG = "MIG-GPU-8932f937-d72c-4106-c12f-20bd9faed9f6/1/2"


@pytest.mark.parametrize(
    ("listed", "count", "found"),
    [
        (None, 0, []),
        (None, 3, ["0", "1", "2"]),
        ("", 3, []),
        ("1", 3, ["1"]),
        ("2,0", 3, ["2", "0"]),
        (" 2 , 0 ", 3, ["2", "0"]),
        ("-1", 3, []),
        ("0,-1,1", 3, ["0"]),
        ("0,3,1", 3, ["0"]),
        ("0,3,1", 0, ["0", "3", "1"]),
        ("1,1", 3, []),
        ("0,,1", 3, ["0"]),
        ("NoDevFiles", 3, []),
        (f"{A},{B}", 2, [A, B]),
        (MIG, 1, [MIG]),
        (f"{MIG},{OLD_MIG}", 1, [MIG, OLD_MIG]),
        (f"0,{B}", 2, ["0", B]),
        ("GPU", 2, []),
        ("²", 2, []),
    ],
)
def test_the_entries_that_count(listed: str | None, count: int, found: list[str]) -> None:
    assert chosen(listed, count) == found


def test_the_driver_says_how_many_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        (tmp_path / "gpus" / f"0000:0{number}:00.0").mkdir(parents=True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus(tmp_path) == ["0", "1"]
    assert visible_gpus(tmp_path / "none") == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,2")
    assert visible_gpus(tmp_path) == ["1"]
    assert visible_gpus(tmp_path / "none") == ["1", "2"]


@given(gpus=st.lists(st.integers(0, 9).map(str), min_size=1, max_size=8, unique=True), workers=st.integers(0, 20))
def test_every_worker_has_one_and_no_gpu_has_two_more_than_another(gpus: list[str], workers: int) -> None:
    given_out = share(gpus, workers)
    assert len(given_out) == workers
    assert given_out[: len(gpus)] == gpus[:workers]
    counts = [given_out.count(gpu) for gpu in gpus]
    assert sum(counts) == workers
    assert max(counts) - min(counts) <= 1
