"""Trains an enhancer through a frozen classifier."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from pytest_robust.enhance import checkpoint
from pytest_robust.enhance.checks import check_classifier, check_learnt, first_and_last, is_reached
from pytest_robust.enhance.enhancer import DynTTA
from pytest_robust.enhance.exporting import export
from pytest_robust.enhance.frozen import deterministic, frozen
from pytest_robust.errors import RobustError
from pytest_robust.whole_file import check, replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from pytest_robust.augment import Transform
    from pytest_robust.enhance.images import Images
    from pytest_robust.enhance.settings import Settings

    Progress = Callable[[int, int, float], None]

_CHECKED = 16
"""Images that the exported file is held to."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A finished training.

    Attributes:
        enhancer: in eval mode, on the CPU.
        rows: the log, one row per epoch.
        difference: between ONNX Runtime and torch, see `exporting.export`.
    """

    enhancer: DynTTA
    rows: list[checkpoint.Row]
    difference: float


def train(
    classifier: nn.Module,
    images: Images,
    labels: Sequence[int],
    out: Path,
    *,
    augment: Transform,
    settings: Settings,
    ids: Sequence[str] | None = None,
    device: str | torch.device = "cpu",
    resume: bool = False,
    progress: Progress | None = None,
) -> Trained:
    """Train an enhancer and write it as ONNX.

    The loss is the cross-entropy of what the classifier says of the enhanced image; only the enhancer learns. After
    each epoch the state goes into ``OUT.training``, which is gone when the training is done, and the log into
    ``OUT.csv``. Whatever is random hangs on seed, epoch and sample id, so that on one CPU, with one number of threads,
    a run that was broken off and resumed ends in the bytes of one that was not.

    Args:
        classifier: pixels in [0, 1], (N, 3, H, W) -> logits (N, outputs); `attacks.open_victim` makes one of an ONNX
            file. It is run in eval mode, frozen, and left as it was.
        images: the training images.
        labels: the output of the classifier that is right, for each image.
        out: the ONNX file.
        augment: what shifts the images, such as `augment.RandomCorruption` or `augment.AugMix`.
        settings: see `settings.for_size`.
        ids: sample ids; "0", "1", ... by default.
        device: where to train; the classifier is moved there.
        resume: go on from ``OUT.training`` where it exists.
        progress: called after each step with the epochs done before this one, the steps done in it, and its mean loss.

    Raises:
        RobustError: there is an unfinished training and `resume` is not set, or it is another one; there are fewer
            images than one batch or than labels, or they are no canvases of 8 x 8 pixels or more; a label has no
            output; no gradient comes through the classifier; the loss or a weight is no finite number; the GPU's
            memory runs out; or a file cannot be written.
    """
    known = [str(position) for position in range(len(labels))] if ids is None else list(ids)
    place, where = checkpoint.place_of(out), torch.device(device)
    if place.exists() and not resume:
        raise RobustError(f"{place} is an unfinished training; go on with --resume (resume=True), or delete it")
    if len(labels) < settings.batch:
        raise RobustError(f"there are {len(labels)} images and a batch takes {settings.batch}; take a smaller batch")
    shown = first_and_last(images, labels, known)
    name = checkpoint.name_of(settings, augment, classifier, labels, known, shown)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        enhancer = DynTTA(settings.size)
    enhancer.to(where)
    optimiser = _optimiser(enhancer, settings)
    rows: list[checkpoint.Row] = []
    if place.exists():
        state = checkpoint.load(place, name, where)
        enhancer.load_state_dict(state.enhancer)
        optimiser.load_state_dict(state.optimiser)
        rows = state.rows
    for made, what in ((out, "enhancer"), (log_of(out), "log"), (place, checkpoint.STATE)):
        check(made, what)
    with frozen(classifier.to(where)), deterministic(where):
        check_classifier(classifier, _floats(torch.from_numpy(shown)).to(where), labels)
        for epoch in range(len(rows), settings.epochs):
            batches = _batches(images, labels, known, augment, settings, epoch, where)
            try:
                rows.append(_epoch(classifier, enhancer, optimiser, batches, settings, epoch, progress))
            except torch.OutOfMemoryError as error:
                raise RobustError(
                    f"{where} has no memory for {settings.batch} images at once; take a smaller batch"
                ) from error
            # the log first: a run killed between the two then writes the same row again, and none is missing
            replace(log_of(out), _table(rows), "log")
            checkpoint.save(place, name, checkpoint.State(enhancer.state_dict(), optimiser.state_dict(), rows))
    found = export(enhancer, out, _floats(torch.from_numpy(images[np.arange(min(_CHECKED, len(labels)))])))
    place.unlink(missing_ok=True)
    return Trained(enhancer, rows, found)


def log_of(out: Path) -> Path:
    """Where the log of an ONNX file's training goes."""
    return out.with_suffix(".csv")


def _floats(canvases: Tensor) -> Tensor:
    """Canvases uint8 (N, H, W, 3) as floats in [0, 1], (N, 3, H, W)."""
    return canvases.permute(0, 3, 1, 2).contiguous().float() / 255


def _optimiser(enhancer: DynTTA, settings: Settings) -> torch.optim.Optimizer:
    groups: list[dict[str, Any]] = [
        {"params": list(enhancer.estimator.parameters()), "base": settings.rate},
        {"params": list(enhancer.network.parameters()), "base": settings.network_rate},
    ]
    if settings.optimiser == "adam":
        return torch.optim.Adam(groups, weight_decay=settings.weight_decay)
    return torch.optim.SGD(groups, lr=settings.rate, momentum=0.9, weight_decay=settings.weight_decay)


def _batches(
    images: Images,
    labels: Sequence[int],
    ids: Sequence[str],
    augment: Transform,
    settings: Settings,
    epoch: int,
    device: torch.device,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Pixels and labels of the full batches of an epoch, shifted on the device where the shifts have twins there."""
    random = np.random.default_rng([settings.seed, epoch])
    order = random.permutation(len(labels))
    flipped = random.random(len(labels)) < (0.5 if settings.flip else 0)
    truth = np.asarray(labels, np.int64)
    for start in range(0, len(order) - settings.batch + 1, settings.batch):
        chosen = order[start : start + settings.batch]
        canvases = images[chosen]
        canvases = np.where(flipped[chosen, None, None, None], canvases[:, :, ::-1], canvases)
        shifted = augment(torch.from_numpy(canvases).to(device), [ids[i] for i in chosen], epoch)
        yield _floats(shifted), torch.from_numpy(truth[chosen]).to(device)


def _epoch(
    classifier: nn.Module,
    enhancer: DynTTA,
    optimiser: torch.optim.Optimizer,
    batches: Iterator[tuple[Tensor, Tensor]],
    settings: Settings,
    epoch: int,
    progress: Progress | None,
) -> checkpoint.Row:
    """One pass; its row of the log."""
    enhancer.train()
    factor = 0.5 ** (epoch // settings.halve_every)
    for group in optimiser.param_groups:
        group["lr"] = group["base"] * factor
    losses, right, seen, reached = 0.0, 0, 0, False
    for pixels, truth in batches:
        logits = classifier(enhancer(pixels)[0])
        loss = functional.cross_entropy(logits, truth)
        value = loss.item()
        if not math.isfinite(value):
            raise RobustError(f"the loss became {value} in epoch {epoch + 1}; train with a smaller learning rate")
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        reached = reached or is_reached(enhancer)
        optimiser.step()
        losses, seen = losses + value * len(truth), seen + len(truth)
        right += int((logits.argmax(1) == truth).sum())
        if progress is not None:
            progress(epoch, seen // len(truth), losses / seen)
    check_learnt(enhancer, reached, epoch)
    return {
        "epoch": epoch + 1,
        "rate": settings.rate * factor,
        "loss": losses / seen,
        "accuracy": right / seen,
    }


def _table(rows: Sequence[checkpoint.Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: f"{value:.6g}" for key, value in row.items()} for row in rows)
    return text.getvalue().encode()
