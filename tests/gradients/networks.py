"""Small untrained networks, one per family of classifiers, for images of 32 by 32."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

CLASSES = 5


def vgg() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(192, CLASSES),
        nn.LogSoftmax(1),
    )


class Residual(nn.Module):
    def __init__(self, inside: nn.Module, around: nn.Module | None = None) -> None:
        super().__init__()
        self.inside, self.around = inside, around or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.inside(x) + self.around(x)


def resnet(norm: Callable[[int], nn.Module] = nn.BatchNorm2d) -> nn.Module:
    inside = nn.Sequential(
        nn.Conv2d(8, 12, 3, 2, 1, bias=False), norm(12), nn.ReLU(), nn.Conv2d(12, 12, 3, 1, 1), norm(12)
    )
    return nn.Sequential(
        nn.Conv2d(3, 8, 7, 2, 3, bias=False),
        norm(8),
        nn.LeakyReLU(0.1),
        nn.MaxPool2d(3, 2, 1),
        Residual(inside, nn.Conv2d(8, 12, 1, 2)),
        nn.SiLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, CLASSES),
    )


class SqueezeExcite(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, 4, 1), nn.ReLU(), nn.Conv2d(4, width, 1), nn.Hardsigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


def mobilenet() -> nn.Module:
    inside = nn.Sequential(
        nn.Conv2d(8, 16, 1),
        nn.BatchNorm2d(16),
        nn.Hardswish(),
        nn.Conv2d(16, 16, 5, 1, 2, groups=16),
        nn.ReLU6(),
        SqueezeExcite(16),
        nn.Conv2d(16, 8, 1),
    )
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.Hardswish(), Residual(inside), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, CLASSES), nn.Softmax(-1),
    )  # fmt: skip


class ChannelsLast(nn.Module):
    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside

    def forward(self, x: Tensor) -> Tensor:
        return self.inside(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def convnext() -> nn.Module:
    mixed = nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))
    block = nn.Sequential(nn.Conv2d(8, 8, 7, padding=3, groups=8), ChannelsLast(mixed))
    return nn.Sequential(
        nn.Conv2d(3, 8, 4, 4), ChannelsLast(nn.LayerNorm(8)), Residual(block), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, CLASSES),
    )  # fmt: skip


class Vit(nn.Module):
    """Patches, a class token, positions and two encoder layers."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, 16))
        self.places = nn.Parameter(torch.randn(1, 17, 16))
        self.layers = nn.ModuleList([Attention(16, 4) for _ in range(2)])
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.places
        for layer in self.layers:
            x = layer(x)
        return self.head(x[:, 0])


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.three, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 24), nn.GELU(approximate="tanh"), nn.Linear(24, width))

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        parts = self.three(self.before(x)).reshape(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(*parts.unbind(0))
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.mlp(self.after(x))


class Mixer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 12, 8, 8)
        self.first, self.second = nn.LayerNorm(12), nn.LayerNorm(12)
        self.places = nn.Sequential(nn.Linear(16, 10), nn.GELU(), nn.Linear(10, 16))
        self.channels = nn.Sequential(nn.Linear(12, 20), nn.GELU(), nn.Linear(20, 12))
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = x + self.places(self.first(x).transpose(1, 2)).transpose(1, 2)
        return self.head((x + self.channels(self.second(x))).mean(1))


class Upscale(nn.Module):
    """What enhancers are made of: transposed convolution, pixel shuffle, interpolation, reflected borders."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, 2, 1, padding_mode="reflect")
        self.up = nn.ConvTranspose2d(8, 3, 4, 2, 1)
        self.shuffle = nn.Sequential(nn.Conv2d(8, 12, 1), nn.PixelShuffle(2))

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.tanh(nn.functional.group_norm(self.down(x), 2))
        wide = nn.functional.interpolate(inner[:, :3], scale_factor=2, mode="bilinear", align_corners=False)
        return torch.clamp(x + self.up(inner) + self.shuffle(inner) + wide, -3, 3)


FAMILIES: dict[str, Callable[[], nn.Module]] = {
    "vgg": vgg,
    "resnet": resnet,
    "mobilenet": mobilenet,
    "convnext": convnext,
    "vit": Vit,
    "mixer": Mixer,
    "resnet_group": lambda: resnet(lambda width: nn.GroupNorm(4, width)),
    "resnet_instance": lambda: resnet(lambda width: nn.InstanceNorm2d(width, affine=True)),
    "fixed_vit": Vit,
    "upscale": Upscale,
}

DEPLOYED = list(FAMILIES)[:6]
