"""What the thresholds can see is said before any image is opened, and only where it is known."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_robust.registry import catalog
from pytest_robust.report.foresight import foresight
from pytest_robust.spec.build import load_plan
from tests.plugin.project import COUNT, NET, Project

LINE = r"^robust: specs/small\.yaml:10: "
SEEN = (
    f"{COUNT} samples, 7 golden tests at alpha 0.01: the smallest drop that can be significant is -3.00 pp "
    "(9 lost, none won); a smaller one beyond -2.00 pp is INCONCLUSIVE"
)
"""Of 7 cells at alpha 0.01 a drop must reach 0.01 / 7 = 0.00143, and 2^-(b + 1) does with b = 9."""


def lines(folder: Path, text: str, **options: object) -> list[str]:
    path = folder / "s.yaml"
    path.write_text("format: 1\n" + text)
    return list(foresight(load_plan(path, catalog(), display="s.yaml", **options)))


def test_a_run_says_what_each_row_can_see(project: Project) -> None:
    run = project.run("-k", "clean")
    assert run.line(LINE) == f"robust: specs/small.yaml:10: {SEEN}"
    before, after = run.text.index("collected 7 items"), run.text.index("specs/small.yaml F")
    assert before < run.text.index(SEEN) < after
    assert sum("golden tests at alpha" in line for line in run.text.splitlines()) == 1, "the floor sees everything"
    assert project.run("--collect-only").line(LINE)
    assert project.run("-k", "clean", "-n2", process=True).line(LINE) == f"robust: specs/small.yaml:10: {SEEN}"


def test_it_is_silent_where_nobody_asked_or_nothing_is_compared(project: Project) -> None:
    assert not project.run("-k", "clean", "-q").has(LINE)
    assert not project.run("-k", "clean", "-n2", "-q", process=True).has(LINE)
    assert project.run("--collect-only", "-q").collected == NET
    assert not project.run("--robust-limit=20").has(LINE)
    project.edit("{max_regression: 0.02, max_negative_flips: 0.05}", "{max_negative_flips: 0.05}")
    assert not project.run("-k", "clean").has("golden tests at alpha")


def test_check_says_it_too(project: Project) -> None:
    call = [sys.executable, "-W", "error", "-m", "pytest_robust", "check", "specs/small.yaml"]
    done = subprocess.run(call, cwd=project.path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == [f"  specs/small.yaml:10: {SEEN}"]


SHIFTS = "models: {net: {path: n.onnx}}\nshifts: [{suite: imagenet-c, corruptions: [fog], severities: [1, 2, 3]}]\n"
ROW = "golden: golden\nthresholds: [{max_regression: 0.5}]\n"


@pytest.mark.parametrize(
    ("data", "n"),
    [
        ("{source: digits}", "597"),
        ("{source: digits, split: train}", "1,200"),
        ("{source: digits, limit: 100}", "100"),
        ("{source: digits, limit: 5000}", "597"),
        ("{source: folder, path: images, limit: 5000}", "5,000"),
        ("{source: folder, path: '${NOWHERE}', limit: 400}", "400"),
        ("{source: folder, path: images}", None),
        ("{source: npz, path: none.npz}", None),
        ("{source: npz, path: '${NOWHERE}/data.npz'}", None),
    ],
)
def test_the_number_of_samples_is_found_without_the_data(data: str, n: str | None, tmp_path: Path) -> None:
    found = lines(tmp_path, f"dataset: {data}\n{SHIFTS}{ROW}")
    assert [re.search(r": ([\d,]+) samples, 4 golden tests", line)[1] for line in found] == ([n] if n else [])  # type: ignore[index]
    assert not any("INCONCLUSIVE" in line for line in found), "the limit is beyond what can be seen"


@pytest.mark.parametrize("content", [b"", b"PK", b"not an npz"])
def test_a_broken_file_is_left_to_the_run(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "data.npz").write_bytes(content)
    assert lines(tmp_path, f"dataset: {{source: npz, path: data.npz}}\n{SHIFTS}{ROW}") == []


def test_a_golden_knows_how_many_samples_a_folder_has(project: Project) -> None:
    """Known from the golden alone, as of a folder of images; a damaged golden is left to the run."""
    project.record()
    (project.path / "data.npz").unlink()
    golden = project.path / "golden" / "net.json"
    assert SEEN in project.run("--collect-only").line(LINE)
    project.edit("classes: 3}", "classes: 3, limit: 500}")
    assert SEEN in project.run("--collect-only").line(LINE), "there are fewer than the limit"
    project.edit("limit: 500", "limit: 90")
    assert "90 samples" in project.run("--collect-only").line(LINE), "the golden is of more than there will be"
    project.edit(", limit: 90", "")
    golden.write_text(golden.read_text()[:-100])
    assert not project.run("--collect-only").has(LINE)


def test_of_different_cells_the_one_that_sees_least_is_told(tmp_path: Path) -> None:
    spec = (
        "dataset: {source: digits}\nmodels: {net: {path: n.onnx}, other: {path: o.onnx}}\n"
        "shifts: [{suite: imagenet-c, corruptions: [fog]}]\ngolden: golden\n"
        "thresholds: [{where: {model: net}, max_regression: 0.01}, {where: {shift: clean}, max_regression: 0}]\n"
    )
    first, second = lines(tmp_path, spec)
    assert first.startswith("s.yaml:6: 597 samples, 6 golden tests at alpha 0.01: ")
    # other has one test, its clean cell; net has six, so its clean cell sees less
    assert second.startswith("s.yaml:6: where least is seen, 597 samples, 6 golden tests at alpha 0.01: ")


def test_too_few_samples_for_any_verdict_are_said(tmp_path: Path) -> None:
    (line,) = lines(tmp_path, f"dataset: {{source: digits, limit: 7}}\n{SHIFTS}{ROW}")
    assert line.endswith("no drop can be significant, at least 8 samples needed")


def test_it_costs_little_and_loads_no_runtime(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(f"format: 1\ndataset: {{source: digits}}\n{SHIFTS}{ROW}")
    code = f"""
import sys
from pathlib import Path
from pytest_robust.registry import catalog
from pytest_robust.report.foresight import foresight
from pytest_robust.spec.build import load_plan
assert list(foresight(load_plan(Path({str(path)!r}), catalog())))
print(sorted({{"torch", "onnxruntime", "onnx", "cv2", "PIL", "scipy", "sklearn"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
