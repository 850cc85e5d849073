"""The 19 corruptions as the paper's code makes them: the floating-point rule, one image, NumPy's own random numbers.

Written out from Hendrycks & Dietterich 2019 (arXiv 1903.12261) and the behaviour of its released code, with NumPy,
SciPy, OpenCV and Pillow and nothing of the package under test: neither its tables nor its randomness, kernels or
fixed point. Slow and plain on purpose.

A rule takes the image as floats in 0..1, (H, W, 3), a generator, and its parameters; it gives floats, which `levels`
clips and scales to grey levels and `corrupt` truncates to uint8.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Rule = Callable[..., Floats]

TABLES: dict[str, dict[int, Sequence[Any]]] = {
    "gaussian_noise": {
        224: (0.08, 0.12, 0.18, 0.26, 0.38),
        64: (0.04, 0.08, 0.12, 0.15, 0.18),
        32: (0.04, 0.06, 0.08, 0.09, 0.10),
    },
    "shot_noise": {224: (60, 25, 12, 5, 3), 64: (250, 100, 50, 30, 15), 32: (500, 250, 100, 75, 50)},
    "impulse_noise": {
        224: (0.03, 0.06, 0.09, 0.17, 0.27),
        64: (0.01, 0.02, 0.05, 0.08, 0.14),
        32: (0.01, 0.02, 0.03, 0.05, 0.07),
    },
    "defocus_blur": {
        224: ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
        64: ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
        32: ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
    },
    "glass_blur": {
        224: ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
        64: ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
        32: ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    },
    "motion_blur": {
        224: ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
        64: ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
        32: ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
    },
    # the ends of half-open ranges of floats, and their steps
    "zoom_blur": {
        224: ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
        64: ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
        32: ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    },
    "snow": {
        224: (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
        64: (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.8),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.8),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.65),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6),
        ),
        32: (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
    },
    "frost": {
        224: ((1, 0.4, 1), (0.8, 0.6, 1), (0.7, 0.7, 1), (0.65, 0.7, 1), (0.6, 0.75, 1)),
        64: ((1, 0.3, 0.3), (0.9, 0.4, 0.3), (0.8, 0.45, 0.3), (0.75, 0.5, 0.3), (0.7, 0.55, 0.3)),
        32: ((1, 0.2, 0.2), (1, 0.3, 0.2), (0.9, 0.4, 0.2), (0.85, 0.4, 0.2), (0.75, 0.45, 0.2)),
    },
    "fog": {
        224: ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
        64: ((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
        32: ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
    },
    "brightness": {224: (0.1, 0.2, 0.3, 0.4, 0.5), 64: (0.1, 0.2, 0.3, 0.4, 0.5), 32: (0.05, 0.1, 0.15, 0.2, 0.3)},
    "contrast": {224: (0.4, 0.3, 0.2, 0.1, 0.05), 64: (0.4, 0.3, 0.2, 0.1, 0.05), 32: (0.75, 0.5, 0.4, 0.3, 0.15)},
    # shares of the side that the table's code writes: 244, 64 and 32
    "elastic_transform": {
        224: [
            (244 * a, 244 * s, 244 * m)
            for a, s, m in ((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02))
        ],
        64: [
            (64 * a, 64 * s, 64 * m)
            for a, s, m in ((0, 0, 0.08), (0.05, 0.3, 0.06), (0.1, 0.08, 0.06), (0.1, 0.03, 0.03), (0.16, 0.03, 0.02))
        ],
        32: [
            (32 * a, 32 * s, 32 * m)
            for a, s, m in ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03))
        ],
    },
    "pixelate": {224: (0.6, 0.5, 0.4, 0.3, 0.25), 64: (0.9, 0.8, 0.7, 0.6, 0.5), 32: (0.95, 0.9, 0.85, 0.75, 0.65)},
    "jpeg_compression": {224: (25, 18, 15, 10, 7), 64: (65, 58, 50, 40, 25), 32: (80, 65, 58, 50, 40)},
    "speckle_noise": {
        224: (0.15, 0.2, 0.35, 0.45, 0.6),
        64: (0.15, 0.2, 0.25, 0.3, 0.35),
        32: (0.06, 0.1, 0.12, 0.16, 0.2),
    },
    "gaussian_blur": {224: (1, 2, 3, 4, 6), 64: (0.5, 0.75, 1, 1.25, 1.5), 32: (0.4, 0.6, 0.7, 0.8, 1)},
    "spatter": {
        224: (
            (0.65, 0.3, 4, 0.69, 0.6, 0),
            (0.65, 0.3, 3, 0.68, 0.6, 0),
            (0.65, 0.3, 2, 0.68, 0.5, 0),
            (0.65, 0.3, 1, 0.65, 1.5, 1),
            (0.67, 0.4, 1, 0.65, 1.5, 1),
        ),
        64: (
            (0.62, 0.1, 0.7, 0.7, 0.6, 0),
            (0.65, 0.1, 0.8, 0.7, 0.6, 0),
            (0.65, 0.3, 1, 0.69, 0.6, 0),
            (0.65, 0.1, 0.7, 0.68, 0.6, 1),
            (0.65, 0.1, 0.5, 0.67, 0.6, 1),
        ),
        32: (
            (0.62, 0.1, 0.7, 0.7, 0.5, 0),
            (0.65, 0.1, 0.8, 0.7, 0.5, 0),
            (0.65, 0.3, 1, 0.69, 0.5, 0),
            (0.65, 0.1, 0.7, 0.69, 0.6, 1),
            (0.65, 0.1, 0.5, 0.68, 0.6, 1),
        ),
    },
    "saturate": {
        224: ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
        64: ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2)),
        32: ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
    },
}
"""Corruption -> canvas size -> the parameters of severities 1 to 5."""

DRAWS_NOTHING = (
    *("defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression"),
    *("gaussian_blur", "saturate"),
)


def corrupt(
    name: str,
    image: NDArray[np.uint8],
    severity: int,
    table: int,
    rng: np.random.Generator,
    textures: Sequence[NDArray[np.uint8]] = (),
) -> NDArray[np.uint8]:
    """An image, uint8 (H, W, 3), under a corruption; the frost photographs are what `frost_textures` reads."""
    return levels(name, image, severity, table, rng, textures).astype(np.uint8)


def levels(
    name: str,
    image: NDArray[np.uint8],
    severity: int,
    table: int,
    rng: np.random.Generator,
    textures: Sequence[NDArray[np.uint8]] = (),
) -> Floats:
    """The grey levels 0..255 of `corrupt` before they are truncated."""
    row = TABLES[name][table][severity - 1]
    numbers = row if isinstance(row, tuple) else (row,)
    more = {"textures": textures} if name == "frost" else {}
    return np.clip(RULES[name](image / 255, rng, *numbers, **more), 0, 1) * 255


def gaussian_noise(x: Floats, rng: np.random.Generator, std: float) -> Floats:
    return x + rng.normal(0, std, x.shape)


def shot_noise(x: Floats, rng: np.random.Generator, rate: float) -> Floats:
    return rng.poisson(x * rate) / rate


def impulse_noise(x: Floats, rng: np.random.Generator, amount: float) -> Floats:
    struck, white = rng.random(x.shape) < amount, rng.random(x.shape) < 0.5
    return np.where(struck, white, x)


def speckle_noise(x: Floats, rng: np.random.Generator, std: float) -> Floats:
    return x + x * rng.normal(0, std, x.shape)


def gaussian_blur(x: Floats, rng: np.random.Generator, sigma: float) -> Floats:
    return ndimage.gaussian_filter(x, (sigma, sigma, 0), mode="nearest", truncate=4)


def disk(radius: float, alias: float) -> NDArray[np.float32]:
    """The kernel of defocus blur: a disk with a smoothed edge."""
    across = np.arange(-8, 9) if radius <= 8 else np.arange(-radius, radius + 1)
    inside = (across[:, None] ** 2 + across**2 <= radius**2).astype(np.float32)
    size = (3, 3) if radius <= 8 else (5, 5)
    return np.asarray(cv2.GaussianBlur(inside / inside.sum(), ksize=size, sigmaX=alias))


def defocus_blur(x: Floats, rng: np.random.Generator, radius: float, alias: float) -> Floats:
    kernel = disk(radius, alias)
    return np.stack([cv2.filter2D(x[..., channel], -1, kernel) for channel in range(3)], axis=-1)


def glass_blur(x: Floats, rng: np.random.Generator, sigma: float, reach: int, rounds: int) -> Floats:
    """Blurred, truncated to grey levels, shuffled, blurred."""
    smooth = (gaussian_blur(x, rng, sigma) * 255).astype(np.uint8)
    height, width = smooth.shape[:2]
    shown = list(range(height * width))
    for _ in range(rounds):
        moves = rng.integers(-reach, reach, (height, width, 2)).tolist()
        for h in range(height - reach, reach, -1):
            for w in range(width - reach, reach, -1):
                down, right = moves[h - 1][w - 1]
                # meant as a swap; on rows of an array it copies
                shown[h * width + w] = shown[(h + down) * width + w + right]
    return gaussian_blur(smooth.reshape(-1, 3)[shown].reshape(smooth.shape) / 255, rng, sigma)


def along_a_line(image: NDArray[np.uint8], radius: int, sigma: float, degrees: float) -> Floats:
    """ImageMagick's motion blur of grey levels (H, W) or (H, W, 3), before ImageMagick truncates them to 8 bits.

    Width 2 ceil(radius) + 1; one side of a Gaussian from the pixel on; offsets rounded; edges repeated. Checked
    against ``convert -motion-blur`` of ImageMagick 6.9.11, whose 16-bit result it meets to 1/500 of a level, and
    whose 8-bit result is its floor.
    """
    width = 2 * math.ceil(radius) + 1
    kernel = [math.exp(-(i**2) / (2 * sigma**2)) for i in range(width)]
    total = np.zeros(image.shape)
    rows, columns = (np.arange(side) for side in image.shape[:2])
    for i, weight in enumerate(kernel):
        down = math.ceil(i * math.sin(math.radians(degrees)) - 0.5)
        right = math.ceil(i * math.cos(math.radians(degrees)) - 0.5)
        moved = image[np.clip(rows + down, 0, rows[-1])][:, np.clip(columns + right, 0, columns[-1])]
        total += weight / sum(kernel) * moved
    # 16 bits hold a flat area's level exactly
    return np.round(total * 257) / 257


def motion_blur(x: Floats, rng: np.random.Generator, radius: int, sigma: float) -> Floats:
    return along_a_line(np.rint(x * 255).astype(np.uint8), radius, sigma, rng.uniform(-45, 45)) / 255


def clipped_zoom(x: Floats, factor: float) -> Floats:
    """The centre of (H, W, ...) enlarged to H x W, linearly."""
    height, width = x.shape[:2]
    rows, columns = math.ceil(height / factor), math.ceil(width / factor)
    top, left = (height - rows) // 2, (width - columns) // 2
    by = (factor, factor, 1)[: x.ndim]
    large = ndimage.zoom(x[top : top + rows, left : left + columns], by, order=1)
    down, right = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    return large[down : down + height, right : right + width]


def zoom_blur(x: Floats, rng: np.random.Generator, end: float, step: float) -> Floats:
    """The mean of the image and its enlargements by 1, 1 + step, ...; the code works in single precision."""
    x = x.astype(np.float32)
    factors = np.arange(1, end, step)
    return sum((clipped_zoom(x, factor) for factor in factors), start=x) / (len(factors) + 1)


def snow(
    x: Floats,
    rng: np.random.Generator,
    mean: float,
    std: float,
    zoom: float,
    threshold: float,
    radius: int,
    sigma: float,
    keep: float,
) -> Floats:
    """Flakes, also turned by 180 degrees, on a paler image."""
    layer = clipped_zoom(rng.normal(mean, std, x.shape[:2]), zoom)
    layer = np.where(layer < threshold, 0, layer)
    grey_levels = (np.clip(layer, 0, 1) * 255).astype(np.uint8)
    fallen = np.floor(along_a_line(grey_levels, radius, sigma, rng.uniform(-135, -45)))[..., None] / 255
    grey = (x @ [0.299, 0.587, 0.114])[..., None]
    return keep * x + (1 - keep) * np.maximum(x, grey * 1.5 + 0.5) + fallen + np.rot90(fallen, 2)


def frost_textures(files: Sequence[Any]) -> list[NDArray[np.uint8]]:
    """The photographs, RGB, in the order of the files; the code lists six and draws among five."""
    return [np.asarray(Image.open(file).convert("RGB")) for file in files[:5]]


def frost(
    x: Floats, rng: np.random.Generator, keep: float, add: float, scale: float, textures: Sequence[NDArray[np.uint8]]
) -> Floats:
    height, width = x.shape[:2]
    photograph = textures[rng.integers(5)]
    if scale != 1:
        photograph = np.asarray(cv2.resize(photograph, (0, 0), fx=scale, fy=scale))
    top, left = rng.integers(photograph.shape[0] - height), rng.integers(photograph.shape[1] - width)
    return keep * x + add * photograph[top : top + height, left : left + width] / 255


def plasma(rng: np.random.Generator, side: int, decay: float) -> Floats:
    """Diamond-square on a torus of side x side points, side a power of two; heights 0..1.

    The noise of a step is the wibble times a uniform number within plus and minus the wibble.
    """
    heights = np.zeros((side, side))
    step, wibble = side, 100.0
    while step >= 2:
        half, points = step // 2, (side // step, side // step)
        corners = heights[::step, ::step].copy()
        right, below = np.roll(corners, -1, axis=1), np.roll(corners, -1, axis=0)
        first, second, third = (wibble * rng.uniform(-wibble, wibble, points) for _ in range(3))
        middles = (corners + right + below + np.roll(right, -1, axis=0)) / 4 + first
        heights[half::step, half::step] = middles
        heights[::step, half::step] = (corners + right + middles + np.roll(middles, 1, axis=0)) / 4 + second
        heights[half::step, ::step] = (corners + below + middles + np.roll(middles, 1, axis=1)) / 4 + third
        step, wibble = half, wibble / decay
    return (heights - heights.min()) / np.ptp(heights)


def fog(x: Floats, rng: np.random.Generator, amount: float, decay: float) -> Floats:
    """The plasma's side is the next power of two: 256, 64 and 32 for the canvases of the tables."""
    height, width = x.shape[:2]
    haze = plasma(rng, 2 ** math.ceil(math.log2(max(height, width))), decay)[:height, :width, None]
    return (x + amount * haze) * x.max() / (x.max() + amount)


def to_hsv(x: Floats) -> tuple[Floats, Floats, Floats]:
    """Hue, saturation and value, each (H, W) in 0..1."""
    value, chroma = x.max(axis=-1), np.ptp(x, axis=-1)
    red, green, blue = np.moveaxis(x, -1, 0)
    some = np.where(chroma > 0, chroma, 1)
    sixths = np.select(
        [value == red, value == green], [(green - blue) / some, 2 + (blue - red) / some], 4 + (red - green) / some
    )
    return np.where(chroma > 0, sixths / 6 % 1, 0), chroma / np.where(value > 0, value, 1), value


def from_hsv(hue: Floats, saturation: Floats, value: Floats) -> Floats:
    sectors = [(n + 6 * hue) % 6 for n in (5, 3, 1)]
    return np.stack([value * (1 - saturation * np.clip(np.minimum(k, 4 - k), 0, 1)) for k in sectors], axis=-1)


def brightness(x: Floats, rng: np.random.Generator, added: float) -> Floats:
    hue, saturation, value = to_hsv(x)
    return from_hsv(hue, saturation, np.clip(value + added, 0, 1))


def saturate(x: Floats, rng: np.random.Generator, scale: float, added: float) -> Floats:
    hue, saturation, value = to_hsv(x)
    return from_hsv(hue, np.clip(saturation * scale + added, 0, 1), value)


def contrast(x: Floats, rng: np.random.Generator, factor: float) -> Floats:
    mean = x.mean(axis=(0, 1), keepdims=True)
    return (x - mean) * factor + mean


def elastic_transform(x: Floats, rng: np.random.Generator, alpha: float, sigma: float, affine: float) -> Floats:
    """Three points moved, then smooth displacements; OpenCV's map works to 1/32 of a pixel."""
    height, width = x.shape[:2]
    centre, third = np.array([width, height]) // 2, min(height, width) // 3
    before = np.float32([centre + third, [centre[0] + third, centre[1] - third], centre - third])
    after = before + rng.uniform(-affine, affine, before.shape).astype(np.float32)
    matrix = cv2.getAffineTransform(before, after)
    mapped = cv2.warpAffine(x.astype(np.float32), matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    dx, dy = (
        ndimage.gaussian_filter(rng.uniform(-1, 1, (height, width)), sigma, mode="reflect", truncate=3) * alpha
        for _ in range(2)
    )
    rows, columns = np.indices((height, width))
    places = [rows + dy, columns + dx]
    return np.stack(
        [ndimage.map_coordinates(mapped[..., channel], places, order=1, mode="reflect") for channel in range(3)],
        axis=-1,
    )


def pixelate(x: Floats, rng: np.random.Generator, scale: float) -> Floats:
    image = _pillow(x)
    small = image.resize((int(image.width * scale), int(image.height * scale)), Image.Resampling.BOX)
    return np.asarray(small.resize(image.size, Image.Resampling.BOX)) / 255


def jpeg_compression(x: Floats, rng: np.random.Generator, quality: int) -> Floats:
    file = io.BytesIO()
    _pillow(x).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)) / 255


def _pillow(x: Floats) -> Image.Image:
    return Image.fromarray(np.rint(x * 255).astype(np.uint8))


def spatter(
    x: Floats,
    rng: np.random.Generator,
    mean: float,
    std: float,
    sigma: float,
    threshold: float,
    strength: float,
    mud: int,
) -> Floats:
    noise = rng.normal(mean, std, x.shape[:2])
    return spattered(x, ndimage.gaussian_filter(noise, sigma, mode="nearest", truncate=4), threshold, strength, mud)


def spattered(x: Floats, liquid: Floats, threshold: float, strength: float, mud: int) -> Floats:
    """What smooth noise does to an image: pale turquoise water with shaded edges, or brown mud."""
    liquid = np.where(liquid < threshold, 0, liquid)
    if mud:
        cover = ndimage.gaussian_filter((liquid > threshold).astype(float), strength, mode="nearest", truncate=4)
        cover = np.where(cover < 0.8, 0, cover)[..., None]
        return x * (1 - cover) + cover * np.array([63, 42, 20]) / 255
    drops = (liquid * 255).astype(np.uint8)
    distance = cv2.distanceTransform(255 - cv2.Canny(drops, 50, 150), cv2.DIST_L2, 5)
    _, distance = cv2.threshold(distance, 20, 20, cv2.THRESH_TRUNC)
    relief = cv2.equalizeHist(cv2.blur(distance, (3, 3)).astype(np.uint8))
    relief = cv2.filter2D(relief, cv2.CV_8U, np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]))
    shine = drops * cv2.blur(relief, (3, 3)).astype(np.float32)
    shine = shine / shine.max() * strength if shine.any() else shine
    return x + shine[..., None] * np.array([175, 238, 238]) / 255


RULES: dict[str, Rule] = {name: globals()[name] for name in TABLES}
