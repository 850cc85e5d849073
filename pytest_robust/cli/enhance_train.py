"""Trains an enhancer as `pytest-robust enhance train` was told to."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from pytest_robust.attacks import check_twin, open_victim
from pytest_robust.augment import AugMix, RandomCorruption
from pytest_robust.cli.probe import found_data
from pytest_robust.data import open_dataset
from pytest_robust.engine.canvases import decode, first_shape
from pytest_robust.enhance import Settings, for_size
from pytest_robust.enhance import train as train_enhancer
from pytest_robust.enhance.checkpoint import place_of
from pytest_robust.enhance.training import log_of
from pytest_robust.errors import Mark, RobustError
from pytest_robust.models import open_model
from pytest_robust.report.counted import counted

if TYPE_CHECKING:
    import argparse

    from numpy.typing import NDArray

    from pytest_robust.augment import Transform
    from pytest_robust.data import Dataset
    from pytest_robust.spec.plan import Geometry, ModelPlan, Plan

_SMALL = 64
"""Up to so many pixels a side the small networks are the default."""
_THREADS = 4
_COMPARED = 64
"""Images on which the torch twin must say what ONNX Runtime says."""


class Canvases:
    """The canvases of a data set, decoded when they are asked for."""

    def __init__(self, dataset: Dataset, geometry: Geometry, judged: frozenset[bytes]) -> None:
        """Take an opened data set; `judged` holds the digests of canvases that are refused."""
        self._dataset, self._geometry, self._judged = dataset, geometry, judged
        self.shape = first_shape(dataset, geometry)

    def __getitem__(self, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Those at the positions, uint8 (N, H, W, 3); see `enhance.images.Images`.

        Raises:
            RobustError: one is refused, cannot be decoded, or has another size than the first.
        """
        with ThreadPoolExecutor(_THREADS) as pool:
            return np.stack(list(pool.map(self._one, positions.tolist())))

    def _one(self, position: int) -> NDArray[np.uint8]:
        canvas = decode(self._dataset, self._geometry, self.shape, position)
        if _digest(canvas) in self._judged:
            raise RobustError(
                f"--data: the spec judges by {self._dataset.samples.ids[position]} too, and an enhancer that has seen "
                "it would be judged too well; name other images"
            )
        return canvas


def _digest(canvas: NDArray[np.uint8]) -> bytes:
    return hashlib.blake2b(f"{canvas.shape}".encode() + canvas.tobytes(), digest_size=16).digest()


def _judged(plan: Plan, model: ModelPlan) -> frozenset[bytes]:
    """Digests of the canvases that the spec shows to a model, before any shift."""
    found: set[bytes] = set()
    for source in dict.fromkeys(cell.shift.dataset for cell in plan.cells):
        # a view pastes cut-outs together anew
        if source.source != "cutouts":
            dataset = open_dataset(source)
            with ThreadPoolExecutor(_THREADS) as pool:
                canvases = pool.map(partial(dataset.canvas, geometry=model.geometry), range(len(dataset.samples.ids)))
                found.update(map(_digest, canvases))
    return frozenset(found)


def train(asked: argparse.Namespace, plan: Plan, model: ModelPlan) -> None:
    """Train, and say where the result lies.

    Raises:
        RobustError: one sentence on what is wrong with the options, the data or the model, or on how to go on after
            an interrupt.
    """
    _check_out(asked, plan)
    device = _device(asked.device)
    dataset = _dataset(asked, plan)
    canvases = Canvases(dataset, model.geometry, _judged(plan, model))
    alone = replace(model, enhancer=None)
    victim = open_victim(alone)
    labels = dataset.samples.labels.astype(np.int64) + victim.offset
    few = canvases[np.arange(min(_COMPARED, len(labels)))]
    network = open_model(alone, device="cpu", classes=dataset.classes, threads=1, batch_size=len(few))
    check_twin(victim, few, network.predict(few).predicted)
    network.close()
    settings = _settings(asked, canvases.shape)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        steps = len(labels) // settings.batch
        task = bar.add_task("training", total=settings.epochs * steps, told="")

        def progress(epoch: int, done: int, loss: float) -> None:
            told = f"epoch {epoch + 1} of {settings.epochs}, loss {loss:.3f}"
            bar.update(task, completed=epoch * steps + done, told=told)

        try:
            found = train_enhancer(
                victim,
                canvases,
                labels.tolist(),
                asked.out,
                augment=_augment(asked),
                settings=settings,
                ids=dataset.samples.ids,
                device=device,
                resume=asked.resume,
                progress=progress,
            )
        except KeyboardInterrupt:
            kept = place_of(asked.out)
            told = f"go on from {kept} with --resume" if kept.exists() else "no epoch was done, so nothing was kept"
            raise RobustError(f"the training was broken off; {told}") from None
    print(
        f"{asked.out} written: {counted(settings.epochs, 'epoch')} over {counted(len(labels), 'image')}; "
        f"ONNX Runtime and torch agree within {found.difference:.0e}\n"
        f"put it in front of the model in {asked.spec} and let the spec judge the pair:\n"
        f"  {model.name}-dyntta: {{like: {model.name}, enhancer: {{path: PATH/{asked.out.name}}}}}"
    )


def _check_out(asked: argparse.Namespace, plan: Plan) -> None:
    """Refuse a name under which the result, or its log, would replace what goes into it."""
    if asked.out.suffix != ".onnx" or asked.out.is_dir():
        raise RobustError(f"--out {asked.out}: an enhancer is a .onnx file")
    named = [model.path for model in plan.models] + [shift.dataset.labels for shift in plan.shifts]
    taken = {one.resolve().resolve() for one in named if one is not None}
    if asked.data is not None:
        taken.add(asked.data.resolve())
    for made in (asked.out, log_of(asked.out)):
        if made.resolve() in taken:
            raise RobustError(f"--out {asked.out} would overwrite {made}, which is read; choose another name")


def _device(text: str) -> torch.device:
    if not re.fullmatch(r"cpu|cuda(:\d{1,3})?", text):
        raise RobustError(f"the device {text!r} is not known: choose cpu, cuda or cuda:N")
    device = torch.device(text)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= count:
        raise RobustError(f"torch {torch.__version__} sees {count} GPUs, not {text}; train with --device cpu")
    return device


def _dataset(asked: argparse.Namespace, plan: Plan) -> Dataset:
    """The training images.

    Raises:
        RobustError: none are named, or they cannot be read.
    """
    judged = plan.shifts[0].dataset
    if asked.limit is not None and asked.limit < 1:
        raise RobustError(f"--limit {asked.limit}: train on 1 image or more")
    if asked.data is not None:
        source = replace(found_data(asked.data.absolute()).plan, seed=plan.seed, mark=Mark("--data", 0, 0))
        # the names of the classes that are judged say which output is which, also where some are missing here
        classes = open_dataset(judged).class_names or judged.classes
        if classes is not None:
            source = replace(source, classes=classes)
    elif judged.source == "digits" and judged.split == "test":
        source = replace(judged, split="train", limit=None, per_class=None)
    else:
        raise RobustError(
            "--data is missing: name the images to train on; those of the spec are there to judge by, and an enhancer "
            "that has seen them would be judged too well"
        )
    return open_dataset(source, limit=asked.limit)


def _settings(asked: argparse.Namespace, shape: tuple[int, int, int]) -> Settings:
    defaults = for_size(asked.size or ("small" if min(shape[:2]) <= _SMALL else "resnet18"))
    names = {field.name for field in fields(Settings)} - {"size"}
    given: dict[str, Any] = {name: getattr(asked, name) for name in names if getattr(asked, name) is not None}
    return replace(defaults, **given)


def _augment(asked: argparse.Namespace) -> Transform:
    if asked.mode == "blind":
        if asked.table is not None:
            raise RobustError("--table: a blind training meets no corruption; leave it out")
        return AugMix(seed=asked.seed)
    table = asked.table or "auto"
    return RandomCorruption(seed=asked.seed, table=int(table) if table.isdigit() else table)
