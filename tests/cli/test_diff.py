"""`pytest-robust diff`: any two of golden, folder and report."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.folder import Folder
from tests.plugin.project import COUNT, LABELS

Command = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("old", "new"),
    [("golden", "golden"), ("golden/net.json", "same.json"), ("same.json", "golden"), ("same.json", "same.json")],
)
def test_the_same_measurements_are_the_same_however_they_are_stored(
    command: Command, recorded: Folder, old: str, new: str
) -> None:
    code, out, err = command(recorded.path, "diff", old, new)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"{len(LABELS)} cells: {len(LABELS)} same, 0 different"
    assert out.splitlines()[1].split() == ["net::clean", "100.00", "100.00", "0.00", "0", "0", "same"]


def test_a_worse_model_is_worse_and_the_reverse_is_better(command: Command, recorded: Folder) -> None:
    lost = COUNT - recorded.json("worse.json")["cells"][0]["correct"]
    code, out, _ = command(recorded.path, "diff", "golden", "worse.json", "--changed")
    assert code == 1
    line = next(line.split() for line in out.splitlines() if line.startswith("net::clean"))
    assert line[1] == "100.00"
    assert line[3:6] == [f"{-100 * lost / COUNT:.2f}", str(lost), "0"]
    assert line[6] == "worse"
    back = command(recorded.path, "diff", "worse.json", "golden")[1]
    line = next(line.split() for line in back.splitlines() if line.startswith("net::clean"))
    assert line[3:7] == [f"+{100 * lost / COUNT:.2f}", "0", str(lost), "better"]


def test_cells_of_one_side_and_other_samples_are_said_in_words(command: Command, project: Folder) -> None:
    project.model("net")
    project.edit("severities: [1, 3]", "severities: [1]")
    project.edit("classes: 3}", "classes: 3, limit: 100}")
    project.report("fewer.json")
    code, out, _ = command(project.path, "diff", "golden", "fewer.json")
    assert code == 1
    words = {line.split()[0]: line for line in out.splitlines()}
    assert words["net::clean"].endswith("other samples, not comparable")
    assert words["net::imagenet-c.contrast-3"].endswith("only in OLD")
    assert words["net::imagenet-c.contrast-3"].split()[1:6] == ["100.00", "-", "-", "-", "-"]


def test_changed_predictions_of_equal_accuracy_are_a_difference(command: Command, project: Folder) -> None:
    from pytest_robust.golden import read

    golden = read(project.path / "golden", "net")
    assert golden is not None
    cell = golden.recordings["cpu"].cells["clean"]
    # wrong before and after, but another wrong class
    labels = cell.samples.labels.copy()
    for name, wrong in (("one", 1), ("two", 2)):
        predicted = labels.copy()
        predicted[0] = wrong
        write_with(project, name, predicted)
    code, out, _ = command(project.path, "diff", "one/net.json", "two/net.json", "--changed")
    assert code == 1
    assert "net::clean  99.67  99.67    0.00     0    0  other labels, same accuracy" in out
    assert out.splitlines()[-1] == "7 cells: 6 same, 1 different"


def write_with(project: Folder, folder: str, predicted: object) -> None:
    """The recorded golden with other predictions on clean."""
    import dataclasses

    from pytest_robust.golden import read, write
    from pytest_robust.measurement import count_correct

    golden = read(project.path / "golden", "net")
    assert golden is not None
    recording = golden.recordings["cpu"]
    clean = recording.cells["clean"]
    changed = dataclasses.replace(
        clean,
        predicted=predicted,
        correct=count_correct(predicted, clean.samples.labels),  # type: ignore[arg-type]
    )
    cells = {**recording.cells, "clean": changed}
    made = dataclasses.replace(golden, recordings={"cpu": dataclasses.replace(recording, cells=cells)})
    write(project.path / folder, made, expected=None)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda folder: (folder / "same.npz").unlink(), "same.npz is missing, the other half of same.json"),
        (lambda folder: (folder / "same.npz").write_bytes((folder / "worse.npz").read_bytes()), "not of one run"),
        (lambda folder: (folder / "same.json").write_text("{"), "is not JSON or is cut short"),
        (lambda folder: (folder / "same.json").write_text("{}"), "neither a golden nor a report"),
        (lambda folder: (folder / "same.json").unlink(), "there is no file same.json"),
    ],
)
def test_a_side_that_is_damaged_is_one_sentence(
    command: Command, project: Folder, change: Callable[[Path], object], sentence: str
) -> None:
    change(project.path)
    code, out, err = command(project.path, "diff", "golden", "same.json")
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


def test_counts_edited_by_hand_are_found(command: Command, project: Folder) -> None:
    report = project.json("same.json")
    report["cells"][0]["correct"] -= 1
    (project.path / "same.json").write_text(json.dumps(report))
    code, _, err = command(project.path, "diff", "golden", "same.json")
    assert code == 2
    assert "net::clean is not what its predictions say" in err


@pytest.mark.parametrize("damaged", ["golden/net.json", "specs/small.yaml"])
def test_a_side_that_is_no_json_is_told_what_a_side_is(command: Command, project: Folder, damaged: str) -> None:
    path = project.path / damaged
    path.write_text(path.read_text()[:100])
    code, _, err = command(project.path, "diff", damaged, "same.json")
    assert code == 2
    assert "a golden (restore it with git)" in err
    assert "download" not in err


def test_a_report_of_errors_alone_has_no_device_to_name(command: Command, project: Folder) -> None:
    (project.path / "net.onnx").unlink()
    assert project.report("errors.json").code == 1
    code, out, _ = command(project.path, "diff", "golden", "errors.json")
    assert code == 1
    assert " -> " not in out.split("not measured")[0]
    lines = [line for line in out.splitlines() if line.startswith("net::")]
    assert len(lines) == len(LABELS)
    assert all("not measured in NEW" in line for line in lines)


def test_a_reader_that_has_seen_enough_is_no_error(recorded: Folder) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    made = subprocess.run(
        [sys.executable, "-m", "pytest_robust", "diff", "golden", "worse.json"],
        cwd=recorded.path,
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert made.stderr == b""
    assert made.returncode == 141
