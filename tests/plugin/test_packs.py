"""Packs of crafted images: written by `pytest-robust craft`, shown by a gate that crafts nothing."""

import re
from dataclasses import replace

import numpy as np
import pytest

from pytest_robust.cli import main
from pytest_robust.views.pack_files import read_pack, write_pack
from tests.plugin.attacked import SPEC, WRITES_DOWN, cells, refused
from tests.plugin.project import COUNT, Project


def test_packs_gate_without_crafting(attacked: Project, capsys: pytest.CaptureFixture[str]) -> None:
    attacked.spec(SPEC % ", source: net")
    attacked.edit("[8]", "[4, 8]")
    crafting = cells(attacked)
    assert main(["craft", "specs/small.yaml", "--out", "packs"]) == 0
    names = [f"adversarial.fgsm_linf.from_net-{severity}.npz" for severity in (4, 8)]
    assert sorted(path.name for path in (attacked.path / "packs").iterdir()) == names
    before = (attacked.path / "packs" / names[1]).read_bytes()
    assert re.search(r"from_net-8.npz written: \d+ of 300 attacked images confirmed", capsys.readouterr().out)
    assert main(["craft", "specs/small.yaml", "--entry", "adversarial", "--model", "net", "--out", "packs"]) == 0
    assert (attacked.path / "packs" / names[1]).read_bytes() == before

    attacked.edit("source: net", "source: net, pack: ../packs")
    with (attacked.path / "specs" / "small.yaml").open("a") as file:
        file.write("thresholds: [{max_regression: 0.0}]\ngolden: ../golden\n")
    attacked.pytester.makeconftest(WRITES_DOWN)
    run = attacked.run("--robust-update", "--robust-device=cpu", process=True)
    assert run.code == 0, run.text
    shown = cells(attacked, "--robust-no-cache", process=True)
    assert not (attacked.path / "crafted.txt").exists()
    assert "torch" not in (attacked.path / "loaded.txt").read_text()
    for cell, one in crafting.items():
        assert shown[cell]["correct"] == one["correct"]
    recorded = attacked.golden("other")["recordings"]["cpu"]["cells"]["adversarial.fgsm_linf.from_net-8"]
    assert recorded["parameters"]["pack"] == shown["other::adversarial.fgsm_linf.from_net-8"]["parameters"]["pack"]
    assert recorded["canvas_digest"] != attacked.golden("other")["recordings"]["cpu"]["cells"]["clean"]["canvas_digest"]


@pytest.fixture
def packed(attacked: Project) -> Project:
    attacked.spec(SPEC % ", source: net")
    assert main(["craft", "specs/small.yaml", "--out", "one.npz"]) == 0
    attacked.edit("source: net", "source: net, pack: ../one.npz")
    return attacked


@pytest.mark.parametrize("change", ["epsilon", "source", "label", "image", "missing", "seed", "sample"])
def test_a_pack_that_does_not_fit_is_refused_with_a_sentence(packed: Project, change: str) -> None:
    path = packed.path / "one.npz"
    if change == "epsilon":
        packed.edit("[8]", "[9]")
        sentence = "the pack one.npz was crafted with epsilon 0.031.* where the entry has 0.035"
    elif change == "seed":
        packed.edit("format: 1", "format: 1\nseed: 3")
        sentence = "crafted with seed 0 where the entry has 3"
    elif change == "source":
        packed.model("net", 5)
        sentence = r"was crafted on a model of sha256 [0-9a-f]{12} \(net\) and net has [0-9a-f]{12}; craft it anew"
    elif change == "missing":
        path.unlink()
        sentence = "one.npz does not exist; make it by pytest-robust craft"
    elif change == "sample":
        write_pack(path, read_pack(path)[0].rows(range(COUNT - 1)))
        sentence = "lacks the sample 000299; craft it anew"
    else:
        with np.load(packed.path / "data.npz") as arrays:
            images, labels = arrays["x"].copy(), arrays["y"].copy()
        if change == "label":
            labels[5] = (labels[5] + 1) % 3
            sentence = "has another label for the sample 000005"
        else:
            images[7, 0, 0] ^= 1
            sentence = "the pack was crafted on another image of 000007"
        np.savez(packed.path / "data.npz", x=images, y=labels)
    refused(packed, sentence)


def test_of_images_made_on_the_measured_model_its_own_word_counts(packed: Project) -> None:
    path, cell = packed.path / "one.npz", "net::adversarial.fgsm_linf.from_net-8"
    honest = cells(packed)[cell]
    pack, _ = read_pack(path)
    turned, held = np.flatnonzero(pack.success), np.flatnonzero(pack.tried & ~pack.success)
    success = pack.success.copy()
    success[turned[:3]], success[held[:2]] = False, True
    sizes = {norm: values.copy() for norm, values in pack.distortions.items()}
    for values in sizes.values():
        values[turned[:3]], values[held[:2]] = np.nan, 77
    write_pack(path, replace(pack, success=success, distortions=sizes))
    shown = cells(packed)[cell]
    for key in ("correct", "accuracy", "attack"):
        assert shown[key] == honest[key]
    assert honest["attack"]["robust_accuracy"] == honest["accuracy"]
    assert "2 images that turned net where the pack was made do not turn it here, and count as failed" in shown["notes"]
    assert (
        "3 images that did not turn net where the pack was made turn it here, and count as successes" in shown["notes"]
    )
    sizes["l2"][np.flatnonzero(success)[0]] = np.nan
    with pytest.raises(ValueError, match="it gives no distortion of an image that turned the source"):
        replace(pack, success=success, distortions=sizes).check()


def test_a_smoke_run_shows_its_part_of_a_pack(packed: Project) -> None:
    assert packed.run("--robust-limit=20", "--robust-device=cpu").code == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--entry", "adversarail", "--out", "p"], "no such entry of attacks, did you mean 'adversarial'"),
        (["--model", "xyz", "--out", "p"], "has no such model"),
        (["--model", "other", "--out", "p"], "no attack of small.yaml is crafted on it"),
    ],
)
def test_craft_refuses_in_a_sentence(packed: Project, capsys: pytest.CaptureFixture[str], options, sentence) -> None:
    assert main(["craft", "specs/small.yaml", *options]) == 2
    assert sentence in capsys.readouterr().err
    assert not (packed.path / "p").exists()


def test_craft_says_where_it_cannot_write(packed: Project, capsys: pytest.CaptureFixture[str]) -> None:
    (packed.path / "p").write_text("a file")
    assert main(["craft", "specs/small.yaml", "--out", "p/one.npz"]) == 2
    assert "the pack p/one.npz cannot be written (Not a directory); choose another place" in capsys.readouterr().err


def test_two_packs_of_one_name_are_refused(attacked: Project, capsys: pytest.CaptureFixture[str]) -> None:
    second = "  - {suite: adversarial, attack: fgsm, source: net, epsilons: [8], units: levels%s}\n"
    same = SPEC % "" + second % ""
    attacked.spec(same)
    assert main(["craft", "specs/small.yaml", "--out", "packs"]) == 0
    names = [f"adversarial.fgsm_linf.from_{name}-8.npz" for name in ("net", "other")]
    assert sorted(path.name for path in (attacked.path / "packs").iterdir()) == names, "equal images share a pack"
    attacked.spec(SPEC % "" + second % ", objective: logit")
    assert main(["craft", "specs/small.yaml", "--out", "p"]) == 2
    said = capsys.readouterr().err
    assert re.search(r"small.yaml:8:\d+: its pack adversarial.fgsm_linf.from_net-8.npz would take the place", said)
    assert re.search(r"of specs/small.yaml:7:\d+; give one of these entries a `name:` of its own", said)
    assert not (attacked.path / "p").exists()


def test_craft_writes_several_packs_to_a_folder_only(attacked: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["craft", "specs/small.yaml", "--out", "one.npz"]) == 2
    assert "there are 2 packs to write" in capsys.readouterr().err
    attacked.edit("  - {suite: adversarial, attack: fgsm, epsilons: [8], units: levels}", "  - {suite: scaling}")
    assert main(["craft", "specs/small.yaml", "--out", "p"]) == 2
    assert "asks for no attack" in capsys.readouterr().err
