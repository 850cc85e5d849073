"""Milliseconds per image of the 15 corruptions of ImageNet-C, one thread, beside the package imagecorruptions.

    python benchmarks/shifts.py [--peer PYTHON] [--severity 3] [--images 16] [--photos FOLDER]

The package runs in this interpreter, or in the one that --peer names: it does not run on current releases of NumPy
and scikit-image. Before the table both are compared: pixel by pixel where the rules draw nothing and agree, by the
mean change that they make where they draw. Elastic transform is another rule there, and pixelate's way back, so
these are timed only.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

INSTALL = (
    "python3.11 -m venv peer && peer/bin/pip install imagecorruptions 'numpy<2' 'scikit-image<0.20' "
    "'opencv-python<4.12' 'setuptools<80', then run this again with --peer peer/bin/python"
)
NAMES = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
)
EXACT = {"defocus_blur": 1, "zoom_blur": 1, "brightness": 1, "contrast": 1}
"""How many levels a pixel may differ by."""
OTHER_RULE = {"elastic_transform", "pixelate"}
SIDE = 224


def photos(folder: Path | None, count: int) -> np.ndarray[Any, Any]:
    """Centre crops of a folder's pictures, or plasma in three colours."""
    if folder is not None:
        from PIL import Image

        found = []
        for path in sorted(folder.glob("*.jp*g"))[:count]:
            image = Image.open(path).convert("RGB")
            left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
            found.append(np.asarray(image.crop((left, top, left + SIDE, top + SIDE))))
        return np.stack(found)
    from pytest_robust.shifts.fog import plasma
    from pytest_robust.shifts.rng import Stream

    planes = np.stack([plasma(Stream(0, "photo", {}, str(i)), 256, 1.5)[:SIDE, :SIDE] for i in range(3 * count)])
    low, high = planes.min(axis=(1, 2), keepdims=True), planes.max(axis=(1, 2), keepdims=True)
    levels = (255 * (planes - low) / (high - low)).astype(np.uint8)
    return np.ascontiguousarray(levels.reshape(count, 3, SIDE, SIDE).transpose(0, 2, 3, 1))


def best(run: Any, count: int, repeats: int) -> float:
    """Milliseconds per image, the fastest of several passes."""
    run()
    found = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        found.append((time.perf_counter() - started) / count * 1e3)
    return min(found)


def ours(images: np.ndarray[Any, Any], severity: int, textures: str | None) -> dict[str, Any]:
    import cv2

    from pytest_robust.shifts.registry import pixel_shift
    from pytest_robust.shifts.streams import make

    cv2.setNumThreads(1)
    ids = [str(position) for position in range(len(images))]
    results = {}
    for name in NAMES:
        asked: dict[str, Any] = {"severity": severity, "table": 224}
        own = name == "frost" and textures is None
        if name == "frost" and not own:
            asked["textures"] = textures
        shift = pixel_shift("imagenet-c", "frost_procedural" if own else name)
        numbers = shift.resolve(asked, SIDE, SIDE)
        milliseconds = best(lambda s=shift, n=numbers: make(s, images, ids, 0, n), len(images), 7)
        results[name] = (milliseconds, make(shift, images, ids, 0, numbers))
    return results


def peer(images: np.ndarray[Any, Any], severity: int) -> dict[str, Any]:
    import warnings

    warnings.simplefilter("ignore")
    import cv2
    import imagecorruptions  # type: ignore[import-not-found,unused-ignore]

    cv2.setNumThreads(1)
    results = {}
    for name in NAMES:
        np.random.seed(0)

        def run(name: str = name) -> list[Any]:
            return [imagecorruptions.corrupt(image, severity=severity, corruption_name=name) for image in images]

        results[name] = (best(run, len(images), 2), np.stack(run()))
    return results


def elsewhere(python: str, images: np.ndarray[Any, Any], severity: int) -> dict[str, Any]:
    """`peer`, in another interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "given.npy", Path(folder) / "made.npz"
        np.save(given, images)
        subprocess.run([python, __file__, "--serve", str(given), str(made), "--severity", str(severity)], check=True)
        with np.load(made) as found:
            return {name: (float(found[f"{name}-ms"]), found[name]) for name in NAMES}


def compare(
    images: np.ndarray[Any, Any], mine: dict[str, Any], theirs: dict[str, Any], textures: str | None
) -> dict[str, str]:
    """What was found equal; an AssertionError where it is not."""
    said = {}
    for name in NAMES:
        if name == "frost" and textures is None:
            said[name] = "our own pictures of ice; --textures compares"
            continue
        made, other = (result[name][1].astype(float) for result in (mine, theirs))
        if name in OTHER_RULE:
            said[name] = "another rule there"
        elif name in EXACT:
            worst, share = np.abs(made - other).max(), np.mean(made != other)
            assert worst <= EXACT[name], f"{name} differs by {worst} levels"
            said[name] = f"every pixel within {worst:.0f}; {share:.2%} differ"
        else:
            changes, expected = (np.abs(result - images).mean(axis=(1, 2, 3)) for result in (made, other))
            off = changes.mean() - expected.mean()
            # four standard errors of the difference, and two percent
            allowed = 4 * np.sqrt((changes.var() + expected.var()) / len(images)) + 0.02 * expected.mean()
            said[name] = f"mean change {changes.mean():.1f}, there {expected.mean():.1f}"
            assert abs(off) < allowed, f"{name}: {said[name]}, more apart than {allowed:.1f}"
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--peer", help="an interpreter that can import imagecorruptions")
    parser.add_argument("--severity", type=int, default=3)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--photos", type=Path, help="a folder of JPEG files to use")
    parser.add_argument("--textures", help="a folder of frost photographs")
    parser.add_argument("--json", type=Path, help="write the numbers there as well")
    parser.add_argument("--serve", nargs=2, type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        found = peer(np.load(asked.serve[0]), asked.severity)
        arrays: dict[str, Any] = {name: result[1] for name, result in found.items()}
        np.savez(asked.serve[1], **arrays, **{f"{name}-ms": result[0] for name, result in found.items()})
        return
    images = photos(asked.photos, asked.images)
    mine = ours(images, asked.severity, asked.textures)
    theirs = None
    if asked.peer:
        theirs = elsewhere(asked.peer, images, asked.severity)
    else:
        try:
            theirs = peer(images, asked.severity)
        except Exception as error:  # any of its dependencies may be too new for it
            print(f"imagecorruptions does not run here ({type(error).__name__}: {error}). To compare: {INSTALL}\n")
    said = compare(images, mine, theirs, asked.textures) if theirs else dict.fromkeys(NAMES, "")
    print(f"{SIDE} x {SIDE}, severity {asked.severity}, {len(images)} images, one thread, ms per image")
    rows = [(name, mine[name][0], theirs[name][0] if theirs else None) for name in NAMES]
    for name, own, other in [*rows, ("sum", sum(row[1] for row in rows), theirs and sum(row[2] or 0 for row in rows))]:
        ratio = f"{other:9.2f} {other / own:6.1f}x  {said.get(name, '')}" if other else ""
        print(f"{name:18} {own:7.2f} {ratio}")
    if asked.json:
        asked.json.write_text(json.dumps({name: {"ours": own, "imagecorruptions": other} for name, own, other in rows}))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main()
