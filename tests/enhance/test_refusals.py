"""What no enhancer can be trained with is refused in one sentence, and what a user hands over as it is, is taken."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pytest_robust.augment import AugMix
from pytest_robust.data import digits_arrays
from pytest_robust.enhance import export, for_size, train
from pytest_robust.enhance.frozen import deterministic
from pytest_robust.errors import RobustError
from tests.enhance.conftest import awake, pictures

IMAGES, LABELS, IDS = (one[:16] for one in digits_arrays("train"))
QUICK = replace(for_size("small"), epochs=1, batch=8)


class Linear(nn.Module):
    """A classifier that does something to its logits."""

    def __init__(self, then: Callable[[Tensor], Any] = lambda logits: logits) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 10)
        with torch.no_grad():
            self.layer.weight.copy_(torch.arange(30.0).view(10, 3).sin())
            self.layer.bias.zero_()
        self.then = then

    def forward(self, pixels: Tensor) -> Any:
        return self.then(self.layer(pixels.mean((2, 3))))


def run(out: Path, then: Callable[[Tensor], Any] = lambda logits: logits, **changes: Any) -> None:
    asked = {"images": IMAGES, "labels": LABELS.tolist(), "ids": IDS, "settings": QUICK, **changes}
    images, labels = asked.pop("images"), asked.pop("labels")
    train(Linear(then), images, labels, out, augment=AugMix(), **asked)


def hopeless_slope(logits: Tensor) -> Tensor:
    """The logits, by a path whose slope is infinite."""
    return logits + (logits - logits.detach()).sqrt()


def out_of_memory(logits: Tensor) -> Tensor:
    """What a GPU says in training, not when two images are shown to it."""
    if len(logits) > 2:
        raise torch.OutOfMemoryError("CUDA out of memory")
    return logits


@pytest.mark.parametrize(
    ("then", "said"),
    [
        (torch.detach, r"no gradient comes through the classifier \(its output is detached from its input\)"),
        (torch.round, r"no gradient comes through the classifier \(all gradients of epoch 1 were 0\)"),
        (torch.softmax, None),
        (lambda logits: logits / 0 * 0, "the classifier makes nan of clean images; correct its weights"),
        (lambda logits: (logits, logits), r"of 2 images the classifier makes a tuple; wrap it to give logits \(N, "),
        (lambda logits: logits[:, :, None], r"makes a tensor of shape \(2, 10, 1\); wrap it"),
        (lambda logits: logits.sum(0, keepdim=True), r"makes a tensor of shape \(1, 10\); wrap it"),
        (out_of_memory, "cpu has no memory for 8 images at once; take a smaller batch"),
    ],
)
def test_classifiers(tmp_path: Path, then: Callable[..., Any], said: str | None) -> None:
    out = tmp_path / "made.onnx"
    if said is None:
        run(out, lambda logits: then(logits, 1))
        assert out.is_file()
        return
    with pytest.raises(RobustError, match=said):
        run(out, then)
    assert list(tmp_path.iterdir()) == []


def test_a_weight_that_is_lost_in_the_last_step_is_not_kept(tmp_path: Path) -> None:
    """No loss is taken after it, and a state that holds it could never be resumed."""
    with pytest.raises(RobustError, match="a weight was no finite number after epoch 1; train with a smaller learning"):
        run(tmp_path / "made.onnx", hopeless_slope, settings=replace(QUICK, batch=16))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"images": IMAGES[..., 0]}, r"RGB; convert these, of uint8 \(32, 32\) each"),
        ({"images": IMAGES[..., [0, 1, 2, 2]]}, r"RGB; convert these, of uint8 \(32, 32, 4\) each"),
        ({"images": IMAGES / np.float32(255)}, r"RGB; convert these, of float32 \(32, 32, 3\) each"),
        ({"images": IMAGES[:9]}, "there are 16 labels and fewer images; give one for each image"),
        ({"ids": IDS[:9]}, "there are 16 labels and 9 ids; give both for each image"),
    ],
)
def test_images(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RobustError, match=said):
        run(tmp_path / "made.onnx", **changes)


def test_fractions_are_no_epochs() -> None:
    for name in ("epochs", "batch", "halve_every", "seed"):
        with pytest.raises(RobustError, match=rf"{name.replace('_', ' ')} must be a whole number, not 2\.5"):
            replace(QUICK, **{name: 2.5})  # type: ignore[arg-type]


def test_numbers_of_numpy_and_torch_are_numbers(tmp_path: Path) -> None:
    """The digits' own labels are a NumPy array."""
    settings = replace(QUICK, seed=np.int64(0))  # type: ignore[arg-type]
    run(tmp_path / "numpy.onnx", labels=LABELS, settings=settings)
    run(tmp_path / "torch.onnx", labels=torch.from_numpy(LABELS.astype(np.int64)))
    assert (tmp_path / "numpy.onnx").read_bytes() == (tmp_path / "torch.onnx").read_bytes()


class Killed(BaseException):
    """As little caught as a signal."""


def killed(epoch: int, done: int, loss: float) -> None:
    if epoch == 1:
        raise Killed


def test_other_images_under_the_same_ids_are_another_training(tmp_path: Path) -> None:
    """As another geometry in the spec makes them: the networks would take any size."""
    out, settings = tmp_path / "made.onnx", replace(QUICK, epochs=2)
    with pytest.raises(Killed):
        run(out, settings=settings, progress=killed)
    for other in (IMAGES[:, 4:-4, 4:-4], IMAGES[:, ::-1]):
        with pytest.raises(RobustError, match="is of a training with other settings, data, classifier or torch"):
            run(out, settings=settings, images=other, resume=True)
    run(out, settings=settings, labels=LABELS, resume=True)
    assert out.is_file()


@contextmanager
def full_disk() -> Iterator[None]:
    """No file gets beyond 100 kB; the state of the small networks takes more than a megabyte."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk(tmp_path: Path) -> None:
    with (
        full_disk(),
        pytest.raises(RobustError, match=r"made\.onnx\.training cannot be written \(File too large\)"),
    ):
        run(tmp_path / "made.onnx")
    assert [one.name for one in tmp_path.iterdir()] == ["made.csv"]
    with (
        full_disk(),
        pytest.raises(RobustError, match=r"the folder for temporary files cannot be written"),
    ):
        export(awake(), tmp_path / "made.onnx", pictures(2))
    assert not (tmp_path / "made.onnx").exists()


def test_a_disk_that_fills_up_costs_no_epoch(tmp_path: Path) -> None:
    out, settings = tmp_path / "made.onnx", replace(QUICK, epochs=2)
    with pytest.raises(Killed):
        run(out, settings=settings, progress=killed)
    before = (tmp_path / "made.onnx.training").read_bytes()
    shutil.copytree(tmp_path, whole := tmp_path.with_name("whole"))
    run(whole / "made.onnx", settings=settings, resume=True)
    with full_disk(), pytest.raises(RobustError, match="cannot be written"):
        run(out, settings=settings, resume=True)
    assert (tmp_path / "made.onnx.training").read_bytes() == before
    run(out, settings=settings, resume=True)
    assert out.read_bytes() == (whole / "made.onnx").read_bytes()


def test_torch_s_own_setting_comes_back() -> None:
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with deterministic(torch.device("cpu")):
            assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
