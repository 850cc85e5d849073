"""Training: it helps, it repeats and resumes byte for byte, and it leaves the classifier alone."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pytest_robust import apply_shift
from pytest_robust.attacks import Victim
from pytest_robust.augment import AugMix, RandomCorruption
from pytest_robust.data import digits_arrays
from pytest_robust.enhance import Settings, checkpoint, for_size, train
from pytest_robust.enhance.training import Trained
from pytest_robust.errors import RobustError
from tests.enhance.conftest import HALVES, RESNET
from tests.models.opening import opened

QUICK = replace(for_size("small"), epochs=3, batch=16, halve_every=2, seed=5)
FOG = RandomCorruption(seed=5, table=224, corruptions=("fog", "contrast"), severities=(4,))


def run(classifier: nn.Module, out: Path, count: int = 32, settings: Settings = QUICK, **options: Any) -> Trained:
    images, labels, ids = digits_arrays("train")
    augment = options.pop("augment", FOG)
    return train(
        classifier,
        images[:count],
        labels[:count].tolist(),
        out,
        augment=augment,
        settings=settings,
        ids=ids[:count],
        **options,
    )


class Killed(BaseException):
    """As little caught as a signal."""


def killed_in(epoch: int) -> Any:
    def progress(now: int, done: int, loss: float) -> None:
        if (now, done) == (epoch, 1):
            raise Killed

    return progress


@pytest.fixture(scope="module")
def unbroken(victim: Victim, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("unbroken") / "made.onnx"
    run(victim, out)
    return out


def test_shifted_images_gain_and_clean_ones_lose_nothing(victim: Victim, tmp_path: Path) -> None:
    """Judged on held-out images, by ONNX Runtime, with the files alone."""
    out = tmp_path / "dyntta.onnx"
    augment = RandomCorruption(seed=5, table=224)
    run(victim, out, 320, replace(QUICK, batch=32, halve_every=1), augment=augment)
    images, labels, ids = digits_arrays("test")
    images, labels, ids = images[:200], labels[:200], ids[:200]
    alone, pair = opened(RESNET, preprocess=HALVES), opened(RESNET, enhancer=out, preprocess=HALVES)

    def accuracies(shown: np.ndarray) -> tuple[float, float]:
        before, after = ((one.predict(shown).predicted == labels).mean() for one in (alone, pair))
        return float(before), float(after)

    before, after = accuracies(apply_shift(images, "one-per-sample", ids=list(ids), table=224))
    assert after > before + 0.1
    before, after = accuracies(images)
    assert after > before - 0.02


@pytest.mark.parametrize("epoch", [0, 2])
def test_a_killed_run_resumes_to_the_same_bytes(unbroken: Path, victim: Victim, tmp_path: Path, epoch: int) -> None:
    out = tmp_path / "made.onnx"
    with pytest.raises(Killed):
        run(victim, out, progress=killed_in(epoch))
    assert not out.exists()
    assert out.with_name("made.onnx.training").exists() == (epoch > 0)
    run(victim, out, resume=True)
    assert out.read_bytes() == unbroken.read_bytes()
    assert out.with_suffix(".csv").read_bytes() == unbroken.with_suffix(".csv").read_bytes()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["made.csv", "made.onnx"]


def test_another_seed_makes_another_enhancer(unbroken: Path, victim: Victim, tmp_path: Path) -> None:
    run(victim, tmp_path / "other.onnx", settings=replace(QUICK, seed=6))
    assert (tmp_path / "other.onnx").read_bytes() != unbroken.read_bytes()


def test_the_log_has_a_row_per_epoch(unbroken: Path) -> None:
    rows = list(csv.DictReader(unbroken.with_suffix(".csv").read_text().splitlines()))
    assert [(row["epoch"], row["rate"]) for row in rows] == [("1", "0.002"), ("2", "0.002"), ("3", "0.001")]
    assert all(float(row["loss"]) > 0 and 0 <= float(row["accuracy"]) <= 1 for row in rows)


def test_an_unfinished_training_is_neither_lost_nor_mixed_up(victim: Victim, tmp_path: Path) -> None:
    out = tmp_path / "made.onnx"
    with pytest.raises(Killed):
        run(victim, out, progress=killed_in(1))
    with pytest.raises(RobustError, match=r"made\.onnx\.training is an unfinished training; go on with --resume"):
        run(victim, out)
    for other in ({"settings": replace(QUICK, rate=1e-3)}, {"augment": AugMix(seed=5)}, {"count": 48}):
        with pytest.raises(RobustError, match="is of a training with other settings, data, classifier or torch"):
            run(victim, out, resume=True, **other)  # type: ignore[arg-type]
    state = out.with_name("made.onnx.training")
    state.write_bytes(state.read_bytes()[:-100])
    with pytest.raises(RobustError, match=r"is damaged and cannot be resumed from; delete it"):
        run(victim, out, resume=True)


class Plain(nn.Module):
    """A torch classifier with everything that training must not touch."""

    def __init__(self) -> None:
        super().__init__()
        layers = (nn.Conv2d(3, 4, 3, 2), nn.BatchNorm2d(4), nn.Flatten(), nn.Dropout(), nn.Linear(900, 10))
        self.inner = nn.Sequential(*layers)
        self.inner[0].bias.requires_grad_(False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        assert not self.training
        made: torch.Tensor = self.inner(pixels)
        return made


def test_a_torch_module_is_left_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(0)
    classifier = Plain()
    classifier.inner[1].eval()
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    drawn = torch.get_rng_state()
    run(classifier, tmp_path / "made.onnx", settings=replace(QUICK, epochs=1, optimiser="sgd", flip=True))
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    assert [one.training for one in classifier.inner] == [True, False, True, True, True]
    assert [one.requires_grad for one in classifier.parameters()] == [True, False, True, True, True, True]
    assert all(one.grad is None for one in classifier.parameters())
    assert torch.equal(torch.get_rng_state(), drawn)
    assert not torch.are_deterministic_algorithms_enabled()


def test_what_cannot_be_trained_says_so(victim: Victim, tmp_path: Path) -> None:
    with pytest.raises(RobustError, match="there are 8 images and a batch takes 16; take a smaller batch"):
        run(victim, tmp_path / "made.onnx", 8)
    with pytest.raises(RobustError, match=r"the loss became (nan|inf) in epoch 1; train with a smaller learning rate"):
        run(victim, tmp_path / "made.onnx", settings=replace(QUICK, rate=1e20, network_rate=1e20))
    outside = ({"weight_decay": -1.0}, {"seed": -1}, {"seed": 2**63}, {"rate": float("inf")})
    for wrong in ({"epochs": 0}, {"batch": 1}, {"rate": 0.0}, {"network_rate": float("nan")}, *outside):
        with pytest.raises(RobustError, match="must be"):
            replace(QUICK, **wrong)  # type: ignore[arg-type]
    (tmp_path / "file").touch()
    with pytest.raises(RobustError, match=r"cannot be written \(.*\); choose another place"):
        run(victim, tmp_path / "file" / "made.onnx", progress=killed_in(0))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(RobustError, match=r"folder\.csv cannot be written \(it is a folder\)"):
        run(victim, tmp_path / "folder.onnx", progress=killed_in(0))


def trained_on(classifier: nn.Module, images: np.ndarray, labels: list[int], out: Path) -> None:
    train(classifier, images, labels, out, augment=FOG, settings=replace(QUICK, epochs=1))


def test_images_and_labels_that_do_not_fit_say_so(victim: Victim, tmp_path: Path) -> None:
    images = digits_arrays("train")[0][:16]
    out = tmp_path / "made.onnx"
    for label in (10, -1):
        with pytest.raises(RobustError, match=rf"asks for output {label} .* has the outputs 0 to 9; give the labels"):
            trained_on(victim, images, [0] * 15 + [label], out)
    with pytest.raises(RobustError, match="the images have 7x32 pixels; train on 8x8 or more"):
        trained_on(victim, images[:, :7], [0] * 16, out)
    trained_on(Mean(), images[:, :8, :8], [0] * 16, out)
    assert out.is_file()


class Mean(nn.Module):
    """A classifier of images of any size."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.mean((2, 3))


def test_a_run_killed_right_after_its_last_state_misses_no_row(
    unbroken: Path, victim: Victim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "made.onnx"
    real = checkpoint.save

    def killed(path: Path, name: str, state: checkpoint.State) -> None:
        real(path, name, state)
        if len(state.rows) == QUICK.epochs:
            raise Killed

    monkeypatch.setattr(checkpoint, "save", killed)
    with pytest.raises(Killed):
        run(victim, out)
    assert not out.exists()
    run(victim, out, resume=True)
    assert out.read_bytes() == unbroken.read_bytes()
    assert out.with_suffix(".csv").read_bytes() == unbroken.with_suffix(".csv").read_bytes()


def test_the_paper_s_defaults() -> None:
    paper = for_size("resnet18")
    assert (paper.epochs, paper.batch, paper.optimiser, paper.rate, paper.network_rate) == (60, 64, "sgd", 1e-4, 1e-3)
    assert (paper.weight_decay, paper.halve_every, paper.flip) == (1e-3, 10, True)
