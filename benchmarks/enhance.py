"""What an enhancer is worth: DynTTA trained through a frozen ONNX classifier, judged on held-out images.

    python benchmarks/enhance.py [--data FOLDER] [--epochs N] [--seeds N] [--device cpu|cuda] [--modes blind non-blind]

The demonstration's ResNet on digits: trained on the training split, judged on the test split. With --data, a ResNet-20
on CIFAR-10: FOLDER holds `models/cifar10_resnet20.onnx`, and `train_jpeg_10000.npz` and `test_jpeg_2000.npz` in
`cifar10`.
Each test image is shown clean and, as the paper does, under one corruption of ImageNet-C at one severity, drawn evenly
and the same for all; ONNX Runtime runs the pair of files as a spec does. Ours is paired with the model alone:
(images won, images lost).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pytest_robust import apply_shift
from pytest_robust.attacks import open_victim
from pytest_robust.augment import AugMix, RandomCorruption
from pytest_robust.data import digits_arrays
from pytest_robust.enhance import for_size, train
from pytest_robust.errors import Mark
from pytest_robust.models import open_model
from pytest_robust.spec.plan import EnhancerPlan, ModelPlan, PathText, Preprocess

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
MARK = Mark("enhance", 1, 1)


@dataclass(frozen=True)
class Case:
    """A classifier with its images; `table` says whose severities."""

    name: str
    plan: ModelPlan
    table: str | int
    train: tuple[NDArray[np.uint8], NDArray[Any], tuple[str, ...]]
    test: tuple[NDArray[np.uint8], NDArray[Any], tuple[str, ...]]


def plan(path: Path, preprocess: Preprocess) -> ModelPlan:
    return ModelPlan(path.stem, text(path), MARK, preprocess=preprocess)


def text(path: Path) -> PathText:
    return PathText(str(path.absolute()), path.parent, MARK)


def digits() -> Case:
    """Enlarged digits hold little detail, so they get the strengths of larger images, as in the demonstration."""
    halves = Preprocess(mean=(0.5,) * 3, std=(0.5,) * 3)
    model = plan(ROOT / "specs" / "resnet.onnx", halves)
    return Case("digits", model, 224, digits_arrays("train"), digits_arrays("test"))


def cifar(folder: Path) -> Case:
    model = folder / "models" / "cifar10_resnet20.onnx"
    preprocess = Preprocess(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    parts = []
    for name in ("train_jpeg_10000", "test_jpeg_2000"):
        with np.load(folder / "cifar10" / f"{name}.npz") as arrays:
            ids = tuple(f"{name}-{i}" for i in range(len(arrays["y"])))
            parts.append((arrays["x"], arrays["y"], ids))
    return Case("cifar10", plan(model, preprocess), "auto", parts[0], parts[1])


def right(case: Case, canvases: NDArray[np.uint8], enhancer: Path | None = None) -> NDArray[np.bool_]:
    """Which images ONNX Runtime has right."""
    model = replace(case.plan, enhancer=EnhancerPlan(text(enhancer))) if enhancer else case.plan
    network = open_model(model, device="cpu", classes=None, threads=1, batch_size=64)
    return network.predict(canvases).predicted == case.test[1]


def told(ours: NDArray[np.bool_], alone: NDArray[np.bool_]) -> str:
    return f"{ours.mean():.2%} (+{np.sum(ours & ~alone)}, -{np.sum(alone & ~ours)})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--modes", nargs="+", default=["non-blind", "blind"], choices=("non-blind", "blind"))
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    case = digits() if asked.data is None else cifar(asked.data)
    images, labels, ids = case.test
    shifted = apply_shift(images, "one-per-sample", ids=list(ids), seed=7, table=case.table)
    clean, hurt = right(case, images), right(case, shifted)
    print(
        f"{case.name}: {len(labels)} test images; alone clean {clean.mean():.2%}, shifted {hurt.mean():.2%}", flush=True
    )
    for mode in asked.modes:
        for seed in range(asked.seeds):
            settings = replace(for_size("small"), epochs=asked.epochs, halve_every=max(1, asked.epochs // 3), seed=seed)
            augment = AugMix(seed=seed) if mode == "blind" else RandomCorruption(seed=seed, table=case.table)
            start = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder, "dyntta.onnx")
                victim = open_victim(case.plan)
                pixels, truth, names = case.train
                train(
                    victim,
                    pixels,
                    truth.tolist(),
                    out,
                    augment=augment,
                    settings=settings,
                    ids=names,
                    device=asked.device,
                )
                seconds = time.perf_counter() - start
                ours = [told(right(case, x, out), base) for x, base in ((images, clean), (shifted, hurt))]
            print(f"  {mode:10} seed {seed}: clean {ours[0]}, shifted {ours[1]}   {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
