"""Milliseconds per image of the 15 corruptions of ImageNet-C, on one core and on two, beside imagecorruptions.

    python benchmarks/shifts.py [--peer PYTHON] [--severity 3] [--images 16] [--photos FOLDER] [--rounds 3]

The package runs in this interpreter, or in the one that --peer names: it does not run on current releases of NumPy
and scikit-image. Before the table both are compared: pixel by pixel where the rules draw nothing and agree, by the
mean change that they make where they draw. Elastic transform is another rule there, so it is timed only. On a machine
that does other work, more --rounds find the undisturbed times: the least of all is kept.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

INSTALL = (
    "python3.11 -m venv peer && peer/bin/pip install imagecorruptions 'numpy<2' 'scikit-image<0.20' "
    "'opencv-python<4.12' 'setuptools<80', then run this again with --peer peer/bin/python"
)
EXACT = {"defocus_blur": 1, "zoom_blur": 1, "brightness": 1, "contrast": 1, "pixelate": 0}
"""How many levels a pixel may differ by."""
OTHER_RULE = {"elastic_transform"}
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


def shifts(severity: int, textures: str | None) -> dict[str, tuple[Any, dict[str, Any]]]:
    """The 15 shifts with their numbers; frost by our own pictures where there are no photographs."""
    # imported here: the interpreter of --peer runs this file too, and need not have the package
    from pytest_robust.registry import pixel_shift
    from pytest_robust.spec.mce import IMAGENET_C, STAND_INS

    found = {}
    for name in IMAGENET_C:
        asked: dict[str, Any] = {"severity": severity, "table": SIDE}
        if name == "frost" and textures is not None:
            asked["textures"] = textures
        shift = pixel_shift("imagenet-c", name if "textures" in asked else STAND_INS.get(name, name))
        found[name] = shift, shift.resolve(asked, SIDE, SIDE)
    return found


def ours(images: np.ndarray[Any, Any], severity: int, textures: str | None, rounds: int) -> dict[str, Any]:
    """By name: milliseconds per image on one core, by two threads and by two processes; and the images made."""
    from pytest_robust.shifts.streams import make

    ids, count = [str(position) for position in range(len(images))], len(images)
    chosen = shifts(severity, textures)
    times, made = np.full((len(chosen), 2), np.inf), []
    for turn in range(rounds):
        for row, (shift, numbers) in zip(times, chosen.values(), strict=True):
            for threads in (1, 2):
                run = partial(make, shift, images, ids, 0, numbers, threads=threads)
                row[threads - 1] = min(row[threads - 1], best(run, count, 7))
            if turn == 0:
                made.append(make(shift, images, ids, 0, numbers))
                assert np.array_equal(run(), made[-1]), f"{shift.name} hangs on the number of threads"
    together = np.column_stack([times, processes(images, severity, textures, rounds)])
    return dict(zip(chosen, zip(together.tolist(), made, strict=True), strict=True))


def processes(images: np.ndarray[Any, Any], severity: int, textures: str | None, rounds: int) -> Any:
    """Milliseconds per image of each shift where two processes take half of the images each: (15,)."""
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(2), context.Queue()
    half = len(images) // 2
    runs = [
        context.Process(target=in_step, args=(images[:half], severity, textures, 7 * rounds, barrier, queue))
        for _ in range(2)
    ]
    for run in runs:
        run.start()
    slower = np.maximum(queue.get(), queue.get())
    for run in runs:
        run.join()
    return slower.min(axis=1) / (2 * half) * 1e3


def in_step(
    images: np.ndarray[Any, Any], severity: int, textures: str | None, repeats: int, barrier: Any, queue: Any
) -> None:
    """One of two processes: seconds of every repeat of every shift, which both begin at once."""
    from pytest_robust.shifts.streams import make

    ids = [str(position) for position in range(len(images))]
    chosen = shifts(severity, textures).values()
    times = np.empty((len(chosen), repeats))
    for row, (shift, numbers) in zip(times, chosen, strict=True):
        make(shift, images, ids, 0, numbers)
        for repeat in range(repeats):
            barrier.wait()
            started = time.perf_counter()
            make(shift, images, ids, 0, numbers)
            row[repeat] = time.perf_counter() - started
    queue.put(times)


def peer(images: np.ndarray[Any, Any], severity: int) -> dict[str, Any]:
    import warnings

    warnings.simplefilter("ignore")
    import cv2
    import imagecorruptions  # type: ignore[import-not-found,unused-ignore]

    cv2.setNumThreads(1)
    results = {}
    for name in imagecorruptions.get_corruption_names():
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
            return {name: (float(found[f"{name}-ms"]), found[name]) for name in found if f"{name}-ms" in found}


def compare(
    images: np.ndarray[Any, Any], mine: dict[str, Any], theirs: dict[str, Any], textures: str | None
) -> dict[str, str]:
    """What was found equal; an AssertionError where it is not."""
    said = {}
    for name in mine:
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
    parser.add_argument("--rounds", type=int, default=3)
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
    mine = ours(images, asked.severity, asked.textures, asked.rounds)
    theirs = None
    if asked.peer:
        theirs = elsewhere(asked.peer, images, asked.severity)
    else:
        try:
            theirs = peer(images, asked.severity)
        except Exception as error:  # any of its dependencies may be too new for it
            print(f"imagecorruptions does not run here ({type(error).__name__}: {error}). To compare: {INSTALL}\n")
    said = compare(images, mine, theirs, asked.textures) if theirs else dict.fromkeys(mine, "")
    print(f"{SIDE} x {SIDE}, severity {asked.severity}, {len(images)} images, ms per image")
    print(f"{'':18} one core   two threads    two processes  {'imagecorruptions, one core' if theirs else ''}")
    rows = [(name, mine[name][0], theirs[name][0] if theirs else None) for name in mine]
    total = [sum(column) for column in zip(*(times for _, times, _ in rows), strict=True)]
    for name, (one, threads, two), other in [*rows, ("sum", total, theirs and sum(row[2] or 0 for row in rows))]:
        ratio = f"{other:9.2f} {other / one:6.1f}x  {said.get(name, '')}" if other else ""
        print(
            f"{name:18} {one:8.2f} {threads:7.2f} {one / threads:5.2f}x {two:8.2f} {one / two:5.2f}x {ratio}".rstrip()
        )
    if asked.json:
        keys = ("ours", "two_threads", "two_processes")
        found = {name: {**dict(zip(keys, own, strict=True)), "imagecorruptions": other} for name, own, other in rows}
        asked.json.write_text(json.dumps(found))


sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
if __name__ == "__main__":
    main()
