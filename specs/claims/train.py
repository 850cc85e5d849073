"""Trains the nets of `specs/claims.yaml` on the training split of scikit-learn's digits and exports them to ONNX.

    python -m specs.claims.train                          # all: specs/claims/plain-0.onnx, ...
    python -m specs.claims.train --only nf rs --seeds 0   # some of them

Seeded, on one core, in about ten minutes. The committed ONNX files are its output; the test split is opened only to say
how the nets do.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from pytest_robust.augment import AmplitudePhasePair
from pytest_robust.data import digits_arrays
from specs.claims import dyntta
from specs.claims.nets import Chain
from specs.claims.normalizer_free import baked
from specs.claims.recipes import EPOCHS, RECIPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from specs.claims.recipes import Recipe

HERE = Path(__file__).parent
BATCH = 64
RATE = 0.1
"""Peak of the learning rate."""

NAMES = (*list(RECIPES)[:-1], "dyntta", *list(RECIPES)[-1:])


def pixels(images: NDArray[np.uint8]) -> Tensor:
    """Canvases, uint8 (N, H, W, 3), as a net's input: float (N, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def train(
    recipe: Recipe,
    seed: int,
    epochs: int,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint16],
    ids: Sequence[str],
    folder: Path = HERE,
) -> nn.Module:
    """Train one net from nothing.

    Args:
        recipe: which one.
        seed: of its weights, the order of the images and the augmentation.
        epochs: passes over all the images; a recipe with a part of them makes about as many steps.
        images: uint8 (N, H, W, 3).
        labels: (N,).
        ids: of the images, N of them.
        folder: of the nets trained before.

    Returns:
        The net in eval mode.
    """
    torch.manual_seed(seed)
    images, labels, ids = images[:: recipe.every], labels[:: recipe.every], ids[:: recipe.every]
    augment = recipe.augment(seed, folder) if recipe.augment else None
    recombine = AmplitudePhasePair(seed=seed)
    targets = torch.from_numpy(labels.astype("int64"))
    net = recipe.net().train()
    optimiser = torch.optim.SGD(net.parameters(), lr=RATE, momentum=0.9, weight_decay=recipe.decay, nesterov=True)
    passes, batches = epochs * recipe.every, max(1, len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=RATE, total_steps=passes * batches)
    for epoch in range(passes):
        first = augment(images, ids, epoch) if augment else images
        views = [pixels(first), *([pixels(recombine(first, ids, epoch))] if recipe.pair else [])]
        for chosen in torch.randperm(len(images)).split(BATCH)[:batches]:
            wanted = targets[chosen].repeat(len(views))
            # the views as one batch; their losses are summed
            logits = net(torch.cat([view[chosen] for view in views]))
            loss = len(views) * functional.cross_entropy(logits, wanted, label_smoothing=recipe.smoothing)
            optimiser.zero_grad()
            loss.backward()
            if recipe.clip is not None:
                nn.utils.clip_grad_norm_(net.parameters(), recipe.clip)
            optimiser.step()
            schedule.step()
    return baked(net).eval()


def export(net: nn.Module, path: Path) -> None:
    """Write a net in eval mode as one ONNX file with dynamic batch, height and width.

    Normalisations are folded into the kernels, unless that would make one kernel of every use of a shared one.
    """
    mode = torch.onnx.TrainingMode
    with warnings.catch_warnings():
        # this exporter announces its end, and warns of a net in eval mode that is exported as it is
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            (torch.zeros(1, 3, 32, 32),),
            str(path),
            input_names=["input"],
            output_names=["logits"],
            dynamic_axes={"input": {0: "batch", 2: "height", 3: "width"}, "logits": {0: "batch"}},
            opset_version=17,
            dynamo=False,
            training=mode.PRESERVE if isinstance(net, Chain) and net.shared else mode.EVAL,
        )


@torch.no_grad()
def accuracy(net: nn.Module, images: NDArray[np.uint8], labels: NDArray[np.uint16]) -> float:
    """Share of the images that a net in eval mode has right."""
    return float((net(pixels(images)).argmax(1).numpy() == labels).mean())


def main() -> None:
    """Train, report clean accuracies, export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--seeds", nargs="+", type=int, help="default: from 0 on, as many as the recipe says")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--enhancer-epochs", type=int, default=dyntta.EPOCHS)
    parser.add_argument("--out", type=Path, default=HERE, help="the folder of the ONNX files")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    asked.out.mkdir(parents=True, exist_ok=True)
    taught, held_out = digits_arrays("train"), digits_arrays("test")
    for name in asked.only:
        if name not in RECIPES:
            start = time.perf_counter()
            path = dyntta.train_enhancer(asked.out, asked.enhancer_epochs, *taught)
            print(f"{path}: {path.stat().st_size / 1000:.0f} kB, {time.perf_counter() - start:.0f} s", flush=True)
            continue
        for seed in asked.seeds or range(RECIPES[name].seeds):
            path = asked.out / f"{name}-{seed}.onnx"
            start = time.perf_counter()
            net = train(RECIPES[name], seed, asked.epochs, *taught, asked.out)
            export(net, path)
            took, size = time.perf_counter() - start, path.stat().st_size / 1000
            print(f"{path}: clean accuracy {accuracy(net, *held_out[:2]):.4f}, {size:.0f} kB, {took:.0f} s", flush=True)


if __name__ == "__main__":
    main()
