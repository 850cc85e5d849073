"""A fingerprint from the command line to the verdict: the right checkpoint passes, a swapped or broken one fails."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from pytest_robust.attacks.fingerprint import Kind
from pytest_robust.cli import main
from pytest_robust.in_process import collect
from pytest_robust.views.fingerprint import KINDS
from tests.onnx_models import BRIGHTEST, classifier
from tests.plugin.project import Project

SPEC = """\
format: 1
dataset: {source: npz, path: ../data.npz, classes: 3, geometry: {resize: 20, crop: 20}}
models:
  net: {path: ../net.onnx, preprocess: {size: 16}}
  twin: {like: net, path: ../twin.onnx}
  other: {like: net, path: ../other.onnx}
shifts:
  - {suite: fingerprint, path: ../fp.npz}
thresholds:
  - {where: {suite: fingerprint, model: [net, twin]}, min_accuracy: 0.95}
  - {where: {suite: fingerprint, model: other}, max_match: 0.5}
aggregates:
  - {uniqueness: {copies: [net, twin], unrelated: other}, min: 0.5}
"""
SWAPPED = BRIGHTEST[:, [1, 2, 0]]
COUNT = 24


@pytest.fixture(scope="module")
def fingerprint(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Of `net`, at its input's size, which is not that of the spec's canvases."""
    folder = tmp_path_factory.mktemp("made")
    out = folder / "fp.npz"
    arguments = ("--out", str(out), "--kind", "vanilla", "--count", str(COUNT), "--size", "16", "--epsilon", "32/255")
    assert main(("fingerprint", str(classifier(folder / "net.onnx")), *arguments)) == 0
    return out.read_bytes()


@pytest.fixture
def known(project: Project, fingerprint: bytes) -> Project:
    (project.path / "fp.npz").write_bytes(fingerprint)
    classifier(project.path / "twin.onnx", BRIGHTEST * 1.01)
    classifier(project.path / "other.onnx", SWAPPED)
    project.spec(SPEC)
    return project


def judged(project: Project, *options: str) -> dict[str, Any]:
    run = project.run("--robust-report=out.json", *options)
    report = json.loads((project.path / "out.json").read_text())
    found = {case["id"].split("::", 1)[1]: case for case in (*report["cells"], *report["aggregates"])}
    return {"run": run, **found}


def test_the_right_checkpoint_passes_and_its_match_rate_is_the_accuracy(known: Project) -> None:
    found = judged(known)
    assert found["run"].code == 0, found["run"].text
    rates = {name: found[f"{name}::fingerprint.match"]["accuracy"] for name in ("net", "twin", "other")}
    assert rates == {"net": 1.0, "twin": 1.0, "other": 0.0}
    cell = found["net::fingerprint.match"]
    assert (cell["n"], cell["suite"], cell["shift"], cell["severity"]) == (COUNT, "fingerprint", "match", None)
    assert cell["generated_or_stored"] == "stored"
    assert cell["parameters"] == {"kind": "vanilla"}
    assert found["_all::fingerprint.uniqueness"]["value"] == 1.0
    assert "copies match 100.00%, unrelated models 0.00%" in str(found["_all::fingerprint.uniqueness"]["reasons"])


def test_a_swapped_checkpoint_fails(known: Project) -> None:
    known.edit("min: 0.5}", "min: 0.5, max_regression: 0.1}\ngolden: ../golden")
    known.record()
    classifier(known.path / "net.onnx", SWAPPED)
    found = judged(known)
    assert found["run"].code == 1
    cell = found["net::fingerprint.match"]
    assert cell["verdict"] == "BELOW_FLOOR"
    assert cell["reasons"][0] == "accuracy 0.00% < floor 95.00%"
    unique = found["_all::fingerprint.uniqueness"]
    assert unique["value"] == 0.5
    assert unique["verdict"] == "REGRESSED"
    classifier(known.path / "net.onnx", BRIGHTEST)
    classifier(known.path / "other.onnx", BRIGHTEST)
    unique = judged(known)["_all::fingerprint.uniqueness"]
    assert unique["value"] == 0.0
    assert any("vs golden 1.0000" in reason for reason in unique["reasons"]), unique["reasons"]


def test_the_owner_in_anothers_place_is_over_the_maximum(known: Project) -> None:
    classifier(known.path / "other.onnx", BRIGHTEST)
    found = judged(known)
    assert found["run"].code == 1
    cell = found["other::fingerprint.match"]
    assert cell["verdict"] == "BELOW_FLOOR"
    sentence = f"match rate 100.00% ({COUNT} of {COUNT}) with the fingerprint > allowed 50.00%"
    assert cell["reasons"][0] == sentence
    assert found["run"].has(sentence.replace("(", r"\(").replace(")", r"\)"))
    assert found["net::fingerprint.match"]["verdict"] == "PASS"
    unique = found["_all::fingerprint.uniqueness"]
    assert (unique["value"], unique["verdict"]) == (0.0, "BELOW_FLOOR")


WIDER = """\
  - {where: {shift: [clean, match]}, max_drop: 0.1, max_regression: 0, max_negative_flips: 0}
golden: ../golden
"""


def test_of_another_model_fewer_matches_are_no_regression_and_no_news(known: Project) -> None:
    known.edit("aggregates:\n", f"{WIDER}aggregates:\n")
    known.edit("max_match: 0.5", "max_match: 1")
    known.edit("min: 0.5", "min: -1")
    classifier(known.path / "other.onnx", BRIGHTEST)
    known.record()
    classifier(known.path / "other.onnx", SWAPPED)
    classifier(known.path / "twin.onnx", SWAPPED)
    found = judged(known, "-k", "match")
    cell = found["other::fingerprint.match"]
    assert (cell["verdict"], cell["level"], cell["golden"]["accuracy"]) == ("PASS", "block", 1.0)
    assert found["twin::fingerprint.match"]["verdict"] == "BELOW_FLOOR"
    assert any("vs golden 100.00%" in one for one in found["twin::fingerprint.match"]["reasons"])
    known.edit("{suite: fingerprint, model: [net, twin]}, min_accuracy: 0.95", "{model: net}, min_accuracy: 0.95")
    assert known.run("--robust-update", "--robust-reason=others").code == 0
    classifier(known.path / "other.onnx", BRIGHTEST)
    classifier(known.path / "twin.onnx", BRIGHTEST)
    found = judged(known, "-k", "match")
    verdicts = [found[f"{name}::fingerprint.match"]["verdict"] for name in ("twin", "other")]
    assert verdicts == ["IMPROVED", "PASS"], "more matches are no good news of another model"


def test_the_family_counts_no_other_model(known: Project) -> None:
    known.edit("aggregates:\n", f"{WIDER}aggregates:\n")
    (plan,) = collect([known.path / "specs" / "small.yaml"]).plans.values()
    assert plan.family == {"net": 2, "twin": 2, "other": 1}
    other = plan.cell["other", "fingerprint.match"]
    assert [row.max_match for row in other.thresholds] == [0.5]


def test_a_smoke_run_says_that_the_maximum_is_not_judged(known: Project) -> None:
    classifier(known.path / "other.onnx", BRIGHTEST)
    found = judged(known, "--robust-limit=10", "-k", "other")
    assert found["run"].code == 0, found["run"].text
    assert "max_match" in str(found["other::fingerprint.match"]["reasons"])


def test_a_cached_run_opens_nothing_and_a_new_file_is_measured_anew(known: Project) -> None:
    first = judged(known, "--robust-cache=cache", "-k", "net")
    assert not first["net::fingerprint.match"]["cached"]
    assert judged(known, "--robust-cache=cache", "-k", "net")["net::fingerprint.match"]["cached"]
    with np.load(known.path / "fp.npz") as archive:
        arrays = dict(archive)
    np.savez(known.path / "fp.npz", **{**arrays, "y": (arrays["y"] + 1) % 3})
    again = judged(known, "--robust-cache=cache", "-k", "net")["net::fingerprint.match"]
    assert (again["cached"], again["accuracy"]) == (False, 0.0)


def test_a_model_of_another_size_is_one_sentence(known: Project) -> None:
    classifier(known.path / "other.onnx", BRIGHTEST, size=20)
    known.edit("other: {like: net, path: ../other.onnx}", "other: {path: ../other.onnx}")
    found = judged(known, "-k", "fingerprint.match")
    assert found["run"].code == 1
    cell = found["other::fingerprint.match"]
    assert cell["verdict"] == "ERROR"
    assert "takes exactly 20x20 pixels and cannot be shown images of 16x16" in cell["reasons"][0]
    assert found["net::fingerprint.match"]["verdict"] == "PASS"


ANEW = "make one with pytest-robust fingerprint MODEL --out fp.npz"


def test_a_damaged_file_is_one_sentence_that_says_how_to_make_it_anew(known: Project) -> None:
    assert get_args(Kind) == KINDS
    whole = (known.path / "fp.npz").read_bytes()
    struck = whole.replace(b"x.npy", b"x.npz", 1)
    for damaged in (whole[: len(whole) // 2], b"", b"PK", pickle.dumps({}), struck):
        (known.path / "fp.npz").write_bytes(damaged)
        cell = judged(known, "-k", "net and match")["net::fingerprint.match"]
        assert cell["verdict"] == "ERROR"
        assert ANEW in cell["reasons"][0]
        assert "savez" not in cell["reasons"][0]


def rewritten(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    with np.load(path) as archive:
        arrays = dict(archive)
    change(arrays)
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda arrays: arrays.pop("format"), "has no array 'format'; it has 'kind', "),
        (lambda arrays: arrays.update(format=np.array("1")), f"is no fingerprint: {ANEW}"),
        (lambda arrays: arrays.update(format=np.array([1])), "fp.npz is no fingerprint: make one with"),
        (lambda arrays: arrays.update(format=np.array({}, object)), "the array 'format' holds Python objects, which"),
        (lambda arrays: arrays.update(kind=np.array({}, object)), f"which are never loaded; {ANEW}"),
        (lambda arrays: arrays.update(kind=np.array(3)), "is no fingerprint: make one with"),
        (lambda arrays: arrays.update(kind=np.array("rd")), f"of the kind 'rd', not of vanilla, rc, ltrc: {ANEW}"),
        (lambda arrays: arrays.update(format=np.array(2)), "a fingerprint of format 2, and this pytest-robust reads"),
        (lambda arrays: arrays.pop("x"), "has no array 'x'"),
        (lambda arrays: arrays.update(y=arrays["y"] + 3), "the label 3 is outside the 3 classes"),
    ],
)
def test_a_file_that_is_none_is_one_sentence(
    known: Project, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    rewritten(known.path / "fp.npz", change)
    cell = judged(known, "-k", "net and match")["net::fingerprint.match"]
    assert cell["verdict"] == "ERROR"
    assert said in cell["reasons"][0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{where: {suite: fingerprint, model: other}, max_match: 0.5}", "{max_match: 0.5}",
         "small.yaml:11:6: `max_match` limits fingerprints, and this row also selects clean; give"),
        ("max_match: 0.5", "max_match: 0.5, max_drop: 0.1",
         "small.yaml:11:65: `max_drop` does not apply where `max_match` does, since fewer matches are better there"),
        ("max_match: 0.5}", "max_match: 0.5}\n  - {where: {suite: fingerprint, model: other}, max_regression: 0}\n"
         "golden: ../golden", "small.yaml:12:49: `max_regression` does not apply where `max_match` does"),
        ("max_match: 0.5", "max_match: 50", "`max_match` must be between 0 and 1, not 50; it is a fraction"),
        ("{suite: fingerprint, path: ../fp.npz}", "{suite: fingerprint}", "the key 'path' is missing"),
        ("path: ../fp.npz}", "path: ../fp.npz, limit: 3}", "unknown key 'limit'"),
        ("unrelated: other", "unrelated: net", "'net' is named twice; a model is a copy or unrelated"),
        ("unrelated: other", "unrelated: othre", "no model 'othre' in this spec, did you mean 'other'?"),
        ("unrelated: other", "unrelated: other, entry: fp", "no entry 'fp' of the suite 'fingerprint'"),
        (", min: 0.5", "", "this row sets no limit; give min or max_regression"),
        ("min: 0.5", "min: 2", "`min` must be between -1 and 1, not 2"),
    ],
)  # fmt: skip
def test_mistakes_in_the_spec_have_their_line(project: Project, old: str, new: str, said: str) -> None:
    classifier(project.path / "twin.onnx")
    classifier(project.path / "other.onnx")
    project.spec(SPEC)
    project.edit(old, new)
    run = project.run("--collect-only")
    assert run.code != 0
    assert said in run.text
