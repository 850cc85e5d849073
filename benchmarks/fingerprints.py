"""How well fingerprints know a CIFAR-10 network: its int8 twin, its pruned copies, and networks of other training.

    python benchmarks/fingerprints.py [--data FOLDER] [--count N]

Wants a folder of real models ($PYTEST_ROBUST_DATA, or shared/data beside the checkout). The owner is a ResNet-20.
Copies have the smallest weights of the whole network set to zero, and are not trained again. Match rates in percent;
robustness R is their mean over the copies, transferability T that over the unrelated networks, uniqueness R - T. Above
them stands each network's clean accuracy: what a copy has forgotten it cannot match. Chance is 10.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"), "OPENBLAS_NUM_THREADS": "1"}

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import numpy_helper

from pytest_robust.attacks import Recipe, make_fingerprint, open_victim
from pytest_robust.errors import Mark
from pytest_robust.models import open_model
from pytest_robust.spec.plan import ModelPlan, PathText, Preprocess

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
OWNER = "cifar10_resnet20"
IMAGENET = Preprocess(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
UNRELATED = {
    "cifar10_resnet32": IMAGENET,
    "cifar10_resnet56": IMAGENET,
    "cifar10_resnet8_fp32": Preprocess(scale=1.0, layout="nhwc"),
    "cifar10_resnet2b_advtrained": Preprocess(mean=(0.4914, 0.4822, 0.4465), std=(0.2471, 0.2435, 0.2616)),
}
PRUNED = (0.2, 0.4, 0.6, 0.8)
RECIPES = {
    "vanilla": Recipe("vanilla"),
    "rc": Recipe("rc", draws=1),
    "rc, mean of 4": Recipe("rc"),
    "ltrc, mean of 4": Recipe("ltrc"),
}


def pruned(source: Path, share: float, out: Path) -> Path:
    """A copy without that share of the weights, the smallest; biases stay."""
    model = onnx.load(str(source))
    tensors = [tensor for tensor in model.graph.initializer if len(tensor.dims) > 1]
    weights = [numpy_helper.to_array(tensor) for tensor in tensors]
    least = np.quantile(np.concatenate([np.abs(one).ravel() for one in weights]), share)
    for tensor, one in zip(tensors, weights, strict=True):
        tensor.CopyFrom(numpy_helper.from_array(np.where(np.abs(one) <= least, 0, one).astype(one.dtype), tensor.name))
    onnx.save(model, str(out))
    return out


def plan_of(path: Path, preprocess: Preprocess) -> ModelPlan:
    mark = Mark(str(path), 1, 1)
    return ModelPlan(path.stem, PathText(str(path), path.parent, mark), mark, preprocess=preprocess)


class Answers:
    """A model file in ONNX Runtime."""

    def __init__(self, path: Path, preprocess: Preprocess) -> None:
        plan = plan_of(path, preprocess)
        self._model = open_model(plan, device="cpu", classes=10, threads=1, batch_size=100)

    def __call__(self, canvases: NDArray[np.uint8]) -> NDArray[np.uint16]:
        """The classes, uint16 (N,)."""
        return self._model.predict(canvases).predicted

    def percent(self, canvases: NDArray[np.uint8], labels: NDArray[np.integer]) -> float:
        """Share of the images that are answered so."""
        return 100 * float(np.mean(self(canvases) == labels))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    beside = os.environ.get("PYTEST_ROBUST_DATA") or ROOT.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(beside), metavar="FOLDER")
    parser.add_argument("--count", type=int, default=100, metavar="N", help="images per fingerprint")
    asked = parser.parse_args()
    folder = asked.data / "models"
    with np.load(asked.data / "cifar10" / "test_jpeg_2000.npz") as arrays:
        clean = arrays["x"][:500], arrays["y"][:500]
    source = folder / f"{OWNER}.onnx"
    owner = Answers(source, IMAGENET)
    with tempfile.TemporaryDirectory() as scratch:
        copies = {"int8": Answers(folder / f"{OWNER}_int8.onnx", IMAGENET)}
        for share in PRUNED:
            path = pruned(source, share, Path(scratch) / f"pruned{share:.0%}.onnx")
            copies[f"-{share:.0%}"] = Answers(path, IMAGENET)
    others = {name.removeprefix("cifar10_"): Answers(folder / f"{name}.onnx", rule) for name, rule in UNRELATED.items()}
    every = {"self": owner, **copies, **others}
    print(f"owner {OWNER}, {asked.count} images per fingerprint, match rate in percent")
    print(
        f"{'':16} " + " ".join(f"{name[:8]:>8}" for name in every) + f" {'R':>6} {'T':>6} {'R - T':>6}  tried, seconds"
    )
    print(f"{'clean accuracy':16} " + " ".join(f"{one.percent(*clean):8.1f}" for one in every.values()))
    victim = open_victim(plan_of(source, IMAGENET))
    for name, recipe in RECIPES.items():
        began = time.perf_counter()
        made = make_fingerprint(recipe, victim, owner, (32, 32), count=asked.count)
        spent = time.perf_counter() - began
        rates = {key: one.percent(made.images, made.labels) for key, one in every.items()}
        robust, transfer = (sum(rates[key] for key in side) / len(side) for side in (copies, others))
        print(
            f"{name:16} " + " ".join(f"{rate:8.1f}" for rate in rates.values()),
            f"{robust:6.1f} {transfer:6.1f} {robust - transfer:6.1f}  {made.tried}, {spent:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
