"""How fast the attacks are against Foolbox's, on the same torch twin, images, steps and budgets.

    python benchmarks/attacks.py [--data FOLDER] [--images N] [--rounds N] [--threads N]

The demonstration's ResNet on digits, and with --data ($PYTEST_ROBUST_DATA, or shared/data beside the checkout) a
ResNet-20 on CIFAR-10. Rounds alternate between the two; the median and the range of their ratios are shown, of CPU
seconds, with the fastest of each, the queries per image (Foolbox's counted at the twin; its last look included), and
what both reach before rounding, with the median of an image's distortion over Foolbox's: a ratio means nothing unless
our success is as high and our distortion no larger, but for 2 %. `pgd-10 (stop)` leaves out samples that have
succeeded, which Foolbox cannot. `cw 4 x 50` is equal work; with `(abort)` every sample's descents and search end for
themselves, and Foolbox's descents for a whole batch. Confirmation by ONNX Runtime, which Foolbox has not, is left out.
Wants foolbox.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"), "OPENBLAS_NUM_THREADS": "1"}

import argparse
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pytest_robust.attacks import CarliniWagner, ElasticNet, ProjectedGradient, open_victim
from pytest_robust.attacks.goal import Goal, Problem
from pytest_robust.attacks.norms import size
from pytest_robust.attacks.victim import as_pixels
from pytest_robust.data import digits_arrays
from pytest_robust.errors import Mark
from pytest_robust.shifts.rng import Stream
from pytest_robust.spec.plan import ModelPlan, PathText, Preprocess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from pytest_robust.attacks import GradientAttack, Victim
    from pytest_robust.attacks.norms import Norm

ROOT = Path(__file__).resolve().parents[1]


def sources(data: Path, count: int) -> Iterator[tuple[str, float, Victim, NDArray[Any], NDArray[Any]]]:
    """Name, L-infinity budget, twin, canvases and labels."""
    canvases, labels, _ = digits_arrays("test")
    halves = Preprocess(mean=(0.5,) * 3, std=(0.5,) * 3)
    yield "digits resnet", 0.06, victim(ROOT / "specs" / "resnet.onnx", halves), canvases[:count], labels[:count]
    path = data / "models" / "cifar10_resnet20.onnx"
    if path.is_file():
        with np.load(data / "cifar10" / "test_lossless_100.npz") as arrays:
            canvases, labels = arrays["x"][:count], arrays["y"][:count]
        imagenet = Preprocess(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
        yield "cifar10 resnet20", 2 / 255, victim(path, imagenet), canvases, labels


def victim(path: Path, preprocess: Preprocess) -> Victim:
    mark = Mark(str(path), 1, 1)
    return open_victim(ModelPlan(path.stem, PathText(str(path), path.parent, mark), mark, preprocess=preprocess))


def attacks(foolbox: Any, epsilon: float) -> Iterator[tuple[str, GradientAttack, Any, float | None]]:
    """Name, ours, theirs, and the budget theirs is told."""
    pgd = foolbox.attacks.LinfPGD(steps=10, abs_stepsize=epsilon / 4, random_start=False)
    yield "pgd-10", ProjectedGradient(epsilon, iterations=10, step=epsilon / 4), pgd, epsilon
    yield "pgd-10 (stop)", ProjectedGradient(epsilon, iterations=10, step=epsilon / 4, stop_early=True), pgd, epsilon
    same = {"stepsize": 0.01, "initial_const": 0.01}
    cw = foolbox.attacks.L2CarliniWagnerAttack(binary_search_steps=4, steps=50, abort_early=False, **same)
    yield "cw 4 x 50", CarliniWagner(0.0, 50, 0.01, 4, abort_early=False), cw, None
    cw = foolbox.attacks.L2CarliniWagnerAttack(binary_search_steps=9, steps=100, **same)
    yield "cw (abort)", CarliniWagner(iterations=100, learning_rate=0.01), cw, None
    ead = foolbox.attacks.EADAttack(
        binary_search_steps=9,
        steps=100,
        initial_stepsize=0.01,
        initial_const=0.01,
        regularization=1e-3,
        decision_rule="L1",
    )
    yield "ead (abort)", ElasticNet(iterations=100, learning_rate=0.01), ead, None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    named = os.environ.get("PYTEST_ROBUST_DATA")
    parser.add_argument("--data", type=Path, default=Path(named) if named else ROOT.parent / "shared" / "data")
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import foolbox
    print(f"torch {torch.__version__}, foolbox {foolbox.__version__}, {asked.threads} thread(s), CPU seconds per image")
    print(
        f"{'model':18}{'attack':15}{'ours':>8}{'foolbox':>8}{'ratio':>7}{'range':>12}{'queries':>10}"
        "   success and median distortion, image by image"
    )
    for name, epsilon, twin, canvases, labels in sources(asked.data, asked.images):
        pixels, columns = as_pixels(canvases), torch.from_numpy(labels.astype(np.int64))
        with torch.no_grad():
            right = twin(pixels).argmax(1) == columns
        pixels, columns = pixels[right], columns[right]
        bits = tuple(Stream(0, "attack", {}, str(i)) for i in range(len(pixels)))
        problem = Problem(twin, pixels, Goal(columns, targeted=False), bits)
        model = foolbox.PyTorchModel(twin, bounds=(0, 1), device="cpu")
        for attack, own, other, budget in attacks(foolbox, epsilon):
            times: list[tuple[float, float]] = []
            # A tenth of a second is short: attacks inside a budget get more rounds.
            for _ in range(asked.rounds * (5 if budget else 1)):
                start = time.process_time()
                found = own(problem)
                middle = time.process_time()
                with shown(twin) as count:
                    criterion = foolbox.criteria.Misclassification(columns)
                    _, made, reached = other(model, pixels, criterion, epsilons=budget)
                times.append((middle - start, time.process_time() - middle))
            ratios = [theirs / ours for ours, theirs in times]
            ours, theirs = (min(one) / len(pixels) for one in zip(*times, strict=True))
            queries = f"{found.queries.double().mean():.0f}/{count[0] / len(pixels):.0f}"
            norm: Norm = "linf" if budget else "l1" if attack.startswith("ead") else "l2"
            distances = size(found.pixels - pixels, norm), size(made - pixels, norm)
            told = [summary(found.reached, distances[0]), summary(reached, distances[1])]
            both = found.reached & reached
            each = float((distances[0][both] / distances[1][both]).median())
            spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
            print(
                f"{name:18}{attack:15}{ours:8.4f}{theirs:8.4f}{median(ratios):6.2f}x{spread:>12}{queries:>10}"
                f"   {told[0]} against {told[1]}, {each:.3f} of it",
                flush=True,
            )


@contextmanager
def shown(twin: Victim) -> Iterator[list[int]]:
    """Counts the images that the twin is shown."""
    count = [0]

    def look(_: Any, images: tuple[Tensor, ...]) -> None:
        count[0] += len(images[0])

    hook = twin.register_forward_pre_hook(look)
    try:
        yield count
    finally:
        hook.remove()


def summary(reached: Tensor, distances: Tensor) -> str:
    return f"{float(reached.float().mean()):.0%} {float(distances[reached].median()):.4f}"


if __name__ == "__main__":
    main()
