"""Do the findings of "Is Robustness the Cost of Accuracy?" (arXiv 1808.01688) on families appear on digits?

    python benchmarks/families.py [--seeds 3] [--images 64] [--scored 10] [--out FOLDER]

Trains a small and a large net of each of four kinds, after VGG, ResNet, MobileNet and MLP-Mixer, on scikit-learn's
handwritten digits, once per seed, exports them to ONNX and asks of them what the survey asked. The last lines say for
each finding whether it appears, and the numbers it is read from:

1. the architecture matters more than the size for the distortion that it takes to fool a net;
2. the larger net of a family takes the larger L-infinity distortion;
3. examples transfer inside their family rather than across;
4. those of VGG nets transfer the widest;
5. the distortion is linear in the logarithm of the error.

Seeded. About five minutes a seed on one core. With --out the ONNX files stay there, and are not trained again.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"), "OPENBLAS_NUM_THREADS": "1"}

import argparse
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from _survey import (
    clever_table,
    open_subject,
    pareto_table,
    print_table,
    success_table,
    transfer_of,
)
from torch import Tensor, nn
from torch.nn import functional

from pytest_robust.attacks import CarliniWagner, Clever, FastGradient, OptimalBudget, ProjectedGradient
from pytest_robust.data import digits_arrays
from pytest_robust.errors import Mark
from pytest_robust.metrics.pareto import fit_log_error
from pytest_robust.spec.plan import ModelPlan, PathText, Preprocess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _survey import Subject
    from numpy.typing import NDArray

    from pytest_robust.attacks import GradientAttack

EPSILON = 0.06
ATTACKS: dict[str, GradientAttack] = {
    "fgsm linf 0.06": FastGradient(EPSILON),
    "pgd-10 linf 0.06": ProjectedGradient(EPSILON, step=EPSILON / 4),
    "optimal budget linf": OptimalBudget(ProjectedGradient(EPSILON)),
    "optimal budget l2": OptimalBudget(ProjectedGradient(1.0, "l2", projection="rescale")),
    "cw l2": CarliniWagner(iterations=60, learning_rate=0.02, search_steps=5, initial_constant=0.1),
}
CARRIED = {"FGSM": FastGradient(0.1), "PGD-10": ProjectedGradient(0.1, step=0.025)}
"""The cross-entropy's gradient, L-infinity 0.1."""


def vgg(large: bool) -> nn.Module:
    """Plain convolutions, one or two per stage, and a hidden layer."""
    layers: list[nn.Module] = []
    inputs = 3
    for width in (12, 24, 48):
        for _ in range(2 if large else 1):
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
            inputs = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * inputs, 64), nn.ReLU(), nn.Linear(64, 10))


class Residual(nn.Module):
    """``after(inside(x) + around(x))``."""

    def __init__(self, inside: nn.Module, around: nn.Module, after: nn.Module) -> None:
        super().__init__()
        self.inside, self.around, self.after = inside, around, after

    def forward(self, x: Tensor) -> Tensor:
        """Features of one shape to another."""
        return self.after(self.inside(x) + self.around(x))


def convolved(inputs: int, outputs: int, side: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution and its normalisation."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, side, stride, side // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)
    )


def resnet(large: bool) -> nn.Module:
    """Three stages of one or two basic blocks."""
    layers: list[nn.Module] = [convolved(3, 12, 3), nn.ReLU()]
    inputs = 12
    for width, stride in ((12, 1), (24, 2), (48, 2)):
        for step in (stride, 1)[: 2 if large else 1]:
            inside = nn.Sequential(convolved(inputs, width, 3, step), nn.ReLU(), convolved(width, width, 3))
            around = nn.Identity() if inputs == width else convolved(inputs, width, 1, step)
            layers.append(Residual(inside, around, nn.ReLU()))
            inputs = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


def mobilenet(large: bool) -> nn.Module:
    """Depthwise and pointwise convolutions, of half or full width."""
    inputs = 24 if large else 12
    layers: list[nn.Module] = [convolved(3, inputs, 3), nn.ReLU6()]
    for widening, stride in ((2, 2), (1, 1), (2, 2), (1, 1)):
        width = inputs * widening
        layers += [convolved(inputs, inputs, 3, stride, inputs), nn.ReLU6(), convolved(inputs, width, 1), nn.ReLU6()]
        inputs = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


class Mixer(nn.Module):
    """An MLP-Mixer of two or four layers on the 64 patches of 4 x 4 pixels."""

    def __init__(self, large: bool) -> None:
        super().__init__()
        width, depth = (48, 4) if large else (32, 2)
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.layers = nn.ModuleList()
        for _ in range(depth):
            self.layers.append(
                nn.Sequential(
                    nn.LayerNorm(width),
                    Turned(mlp(64)),
                )
            )
            self.layers.append(nn.Sequential(nn.LayerNorm(width), mlp(width)))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 10))

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, 3, 32, 32) -> logits (N, 10)."""
        x = self.patches(x).flatten(2).transpose(1, 2)
        for layer in self.layers:
            x = x + layer(x)
        return self.head(x).mean(1)


class Turned(nn.Module):
    """What a module does to the last axis, done to the one before it."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, x: Tensor) -> Tensor:
        """Of the input's shape."""
        return self.inside(x.transpose(1, 2)).transpose(1, 2)


def mlp(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))


FAMILIES: dict[str, Callable[[bool], nn.Module]] = {
    "vgg": vgg,
    "resnet": resnet,
    "mobilenet": mobilenet,
    "mixer": Mixer,
}
SIZES = ("small", "large")


def train(family: str, large: bool, seed: int, epochs: int = 15) -> nn.Module:
    """A net trained on the training digits, moved by up to two pixels."""
    torch.manual_seed(seed)
    pixels, labels, _ = digits_arrays("train")
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 * 2 - 1
    y = torch.from_numpy(labels.astype(np.int64))
    net = FAMILIES[family](large)
    steps = len(x) // 64
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=epochs * steps)
    for _ in range(epochs):
        for chosen in torch.randperm(len(x))[: steps * 64].split(64):
            top, left = torch.randint(0, 5, (2,)).tolist()
            images = functional.pad(x[chosen], (2, 2, 2, 2), value=-1)[:, :, top : top + 32, left : left + 32]
            optimiser.zero_grad()
            functional.cross_entropy(net(images), y[chosen]).backward()
            optimiser.step()
            schedule.step()
    return net.eval()


def opened(folder: Path, seeds: int, images: int) -> list[Subject]:
    """The nets of all seeds, trained unless their files are there."""
    canvases, labels, _ = digits_arrays("test")
    mark, halves = Mark("families.py", 1, 1), Preprocess(mean=(0.5,) * 3, std=(0.5,) * 3)
    found, rows = [], []
    for seed in range(seeds):
        for family in FAMILIES:
            for size in SIZES:
                path = folder / f"{family}-{size}-{seed}.onnx"
                started = time.perf_counter()
                if not path.is_file():
                    export(train(family, size == "large", seed), path)
                plan = ModelPlan(
                    path.stem, PathText(path.name, folder, mark), mark, preprocess=halves, output_kind="logits"
                )
                few = canvases[:images], labels[:images]
                found.append(open_subject(plan, few, (canvases, labels), family=family))
                took, kilobytes = time.perf_counter() - started, path.stat().st_size / 1000
                rows.append([path.stem, f"{kilobytes:.0f}", f"{found[-1].accuracy:.2%}", f"{took:.0f}"])
    print(f"Nets on digits, accuracy on {len(labels)} test images.\n")
    print_table(["net", "kB", "accuracy", "seconds"], rows)
    return found


def export(net: nn.Module, path: Path) -> None:
    torch.onnx.export(
        net,
        (torch.zeros(1, 3, 32, 32),),
        str(path),
        input_names=["input"],
        output_names=["logits"],
        dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )


def shares(distortions: NDArray[np.float64], seeds: int) -> dict[str, float]:
    """Of the variance between the nets: what family, size, both together and the seeds explain; they sum to 1."""
    cube = distortions.reshape(seeds, len(FAMILIES), len(SIZES))
    mean, cells = cube.mean(), cube.mean(0)
    family, size = cells.mean(1, keepdims=True) - mean, cells.mean(0, keepdims=True) - mean
    parts = {
        "family": family + 0 * cells,
        "size": size + 0 * cells,
        "both": cells - mean - family - size,
        "seed": cube - cells,
    }
    total = ((cube - mean) ** 2).mean()
    return {name: float((part**2).mean() / total) for name, part in parts.items()}


def by_group(rates: NDArray[np.float64], groups: Sequence[str]) -> dict[tuple[str, str], float]:
    """Mean rate from every group of nets to every other, and between the nets of one; NaN where there is no pair."""
    names, own = list(dict.fromkeys(groups)), np.array(groups)
    found = {}
    for source, target in product(names, names):
        pairs = rates[np.ix_(own == source, own == target)]
        known = pairs[~np.isnan(pairs)]
        found[source, target] = float(known.mean()) if len(known) else float("nan")
    return found


def say(appears: bool, finding: str, numbers: str) -> None:
    print(f"- {'appears' if appears else 'DOES NOT APPEAR'}: {finding}: {numbers}")


def main() -> None:
    """Train, ask, conclude."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=64, help="how many are attacked")
    parser.add_argument("--scored", type=int, default=10, help="how many of them get a CLEVER score")
    parser.add_argument("--out", type=Path, help="where the ONNX files stay")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    started, busy = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as name:
        folder = asked.out or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        subjects = opened(folder, asked.seeds, asked.images)
        made = success_table(subjects, ATTACKS)
        paretos = {
            (attack, norm): pareto_table(subjects, made[attack], norm, attack, "597 test digits")
            for attack, norm in (("optimal budget linf", "linf"), ("optimal budget l2", "l2"), ("cw l2", "l2"))
        }
        clever_table(subjects, made["cw l2"], Clever("l2", batches=20, points=16), asked.scored, "cw l2")
        rates = {name: transfer_of(subjects, attack) for name, attack in CARRIED.items()}
        for attack, found in rates.items():
            told = [one.name.rsplit("-", 1)[0] for one in subjects]
            off = found.counted[~np.eye(len(subjects), dtype=bool)]
            print(
                f"\nTransfer of {attack} (cross-entropy, linf 0.1), untargeted, rows are sources: means over the nets "
                f"of a kind, a net and itself left out; {off.min()} to {off.max()} of {asked.images} images per pair.\n"
            )
            means, kinds = by_group(found.rates, told), dict.fromkeys(told)
            print_table(
                ["source", *kinds], [[s, *(f"{means[s, t]:.2f}".replace("nan", "-") for t in kinds)] for s in kinds]
            )
    print("\nFindings\n")
    accuracies = np.array([one.accuracy for one in subjects])
    families = [one.family for one in subjects]
    for (attack, _), pareto in paretos.items():
        part = shares(pareto.distortions, asked.seeds)
        told = ", ".join(f"{name} {share:.0%}" for name, share in part.items())
        say(part["family"] > part["size"], f"family over size ({attack})", f"of the variance {told}")
    pareto = paretos["optimal budget linf", "linf"]
    cube = pareto.distortions.reshape(asked.seeds, len(FAMILIES), len(SIZES)).mean(0)
    gains = ", ".join(f"{name} {one:.4f} -> {two:.4f}" for name, (one, two) in zip(FAMILIES, cube, strict=True))
    say(bool((cube[:, 1] > cube[:, 0]).all()), "larger nets take the larger linf distortion in every family", gains)
    for attack, found in rates.items():
        same = np.array(families)[:, None] == np.array(families)[None]
        inside, across = np.nanmean(found.rates[same]), np.nanmean(found.rates[~same])
        means = by_group(found.rates, families)
        own = {f: means[f, f] for f in FAMILIES}
        out = {f: float(np.mean([means[f, t] for t in FAMILIES if t != f])) for f in FAMILIES}
        told = ", ".join(f"{f} {own[f]:.2f} and {out[f]:.2f}" for f in FAMILIES)
        say(
            all(own[f] > out[f] for f in FAMILIES),
            f"transfer is family-bound ({attack})",
            f"in-family {inside:.2f}, across {across:.2f}; {told}",
        )
        widest = max(out, key=out.__getitem__)
        say(widest == "vgg", f"VGG examples transfer the widest ({attack})", f"the widest are {widest}'s")
    for (attack, _), pareto in paretos.items():
        known = accuracies < 1
        fit = fit_log_error(accuracies[known], pareto.distortions[known])
        numbers = f"a {fit.a:.4f}, b {fit.b:.4f}, R2 {fit.r2 or 0:.2f} over {known.sum()} nets"
        say(fit.a > 0 and (fit.r2 or 0) >= 0.5, f"distortion is linear in ln(1 - accuracy) ({attack})", numbers)
    print(f"\n{time.perf_counter() - started:.0f} seconds, {time.process_time() - busy:.0f} of them on the CPU")


if __name__ == "__main__":
    main()
