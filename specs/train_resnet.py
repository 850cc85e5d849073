"""Trains the small ResNet of `resnet.yaml` on scikit-learn's handwritten digits and exports it to ONNX.

    python specs/train_resnet.py                     # writes specs/resnet.onnx
    python specs/train_resnet.py --plain --epochs 3  # writes specs/resnet_worse.onnx, a model that the gate refuses

Seeded; under two minutes on two cores. The committed ONNX files are its output.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from pytest_robust.data import digits_arrays

HERE = Path(__file__).parent


class Block(nn.Module):
    """A basic residual block (He et al. 2016) with a strided projection where the width changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, C, H, W) -> (N, C', H / stride, W / stride)."""
        inner = functional.relu(self.norm1(self.first(x)))
        return functional.relu(self.norm2(self.second(inner)) + self.shortcut(x))


class ResNet8(nn.Sequential):
    """Three stages of one block each, global average pooling: 78 thousand parameters, any input size."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__(
            nn.Conv2d(3, 16, 3, 1, 1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            Block(16, 16, 1),
            Block(16, 32, 2),
            Block(32, 64, 2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, classes),
        )


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """Random shifts, scales, contrast and noise; images float (N, 3, H, W) in [0, 1]."""
    n = len(x)
    scale = 0.7 + 0.7 * torch.rand(n, generator=generator)
    move = 0.2 * (2 * torch.rand(n, 2, generator=generator) - 1)
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = 1 / scale
    theta[:, :, 2] = move
    x = functional.grid_sample(
        x, functional.affine_grid(theta, list(x.shape), align_corners=False), align_corners=False
    )
    contrast = 0.4 + 0.8 * torch.rand(n, 1, 1, 1, generator=generator)
    sigma = 0.12 * torch.rand(n, 1, 1, 1, generator=generator)
    return (x * contrast + sigma * torch.randn(x.shape, generator=generator)).clamp(0, 1)


def train(epochs: int, plain: bool, seed: int) -> nn.Module:
    """Train on the training split; `plain` leaves out the augmentation."""
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    generator = torch.Generator().manual_seed(seed)
    pixels, labels, _ = digits_arrays("train")
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    y = torch.from_numpy(labels.astype("int64"))
    model = ResNet8()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    size = 64
    steps = epochs * (len(x) // size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=0.1, total_steps=steps)
    for _ in range(epochs):
        order = torch.randperm(len(x), generator=generator)
        for start in range(0, len(x) - size + 1, size):
            chosen = order[start : start + size]
            images = x[chosen] if plain else augment(x[chosen], generator)
            loss = functional.cross_entropy(model(images * 2 - 1), y[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return model.eval()


def export(model: nn.Module, path: Path) -> None:
    """Write one ONNX file with dynamic batch, height and width."""
    torch.onnx.export(
        model,
        (torch.zeros(1, 3, 32, 32),),
        str(path),
        input_names=["input"],
        output_names=["logits"],
        dynamic_axes={"input": {0: "batch", 2: "height", 3: "width"}, "logits": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )


def accuracy(model: nn.Module) -> float:
    """Share of the test split that the model has right."""
    pixels, labels, _ = digits_arrays("test")
    with torch.no_grad():
        logits = model(torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 * 2 - 1)
    return float((logits.argmax(1).numpy() == labels).mean())


def main() -> None:
    """Train, report the clean accuracy, export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plain", action="store_true", help="train without augmentation")
    parser.add_argument("--out", type=Path, default=None)
    asked = parser.parse_args()
    path = asked.out or HERE / ("resnet_worse.onnx" if asked.plain else "resnet.onnx")
    model = train(asked.epochs, asked.plain, asked.seed)
    export(model, path)
    print(f"{path}: clean accuracy {accuracy(model):.4f}, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
