"""Whether the corruptions are the paper's: in their pixels, and in what trained classifiers make of them.

    python benchmarks/fidelity.py [--data FOLDER] [--spec SPEC ...] [--peer PYTHON] [--severities 1 3 5] [--limit N]
                                  [--seeds N] [--only NAME ...]

Every one of the 19 corruptions is made twice from the same images: by `pytest_robust.apply_shift`, and by the paper's
rule in floating point with random numbers of its own (tests/shifts/paper.py). Both go through the same models. A
table gives, all severities together, the pixels' difference (rules that draw nothing) or how alike the laws are
(rules that draw: tests/shifts/likeness.py), and of each model both accuracies and their difference in points with
its paired 99 % interval (Tango 1998).

Without --spec the images and models are those of --data ($PYTEST_ROBUST_DATA, or shared/data beside the checkout):
2,000 of CIFAR-10 at severities 1, 3 and 5, and 400 of ImageNet at severity 3. With --spec they are the spec's, of
several specs with the same models all together; --textures names the frost photographs. --peer names an interpreter
that can import the package imagecorruptions: canvases that take the table of 224 go through that as well. Of many
true nulls some look significant: `--only snow --seeds 8` draws anew, and tells a difference from an accident.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import argparse
import multiprocessing
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.models import Model

CONFIDENCE = 0.99
EXTRAS = ("speckle_noise", "gaussian_blur", "spatter", "saturate")
NO_OTHER_RULE: Mapping[str, str] = {}
OTHER_RULE = {
    "elastic_transform": "no affine map, other displacements",
    "snow": "flakes rounded to levels, not truncated",
    "frost": "photographs enlarged by a tenth",
}
"""What imagecorruptions does differently at 224."""

CIFAR10 = """
format: 1
dataset: {{source: npz, path: {data}/cifar10/test_jpeg_2000.npz}}
models:
  cifar10_resnet20:
    path: {data}/models/cifar10_resnet20.onnx
    preprocess: {{size: 32, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}}
  cifar10_resnet2b_advtrained:
    path: {data}/models/cifar10_resnet2b_advtrained.onnx
    preprocess: {{size: 32, mean: [0.4914, 0.4822, 0.4465], std: [0.2471, 0.2435, 0.2616]}}
shifts: [{{suite: imagenet-c}}]
"""
IMAGENET = """
format: 1
dataset: {{source: manifest, path: {data}/{images}, labels: {data}/{images}/labels.csv, classes: 1000}}
models:
  mobilenet_v2_100_224:
    path: {data}/models/mobilenet_v2_100_224_fp32.onnx
    geometry: {{resize: {resize}, crop: 224}}
    preprocess: {{size: 224, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}}
  squeezenet1_0:
    path: {data}/models/squeezenet1_0.onnx
    geometry: {{resize: {resize}, crop: 224}}
    preprocess: {{size: 227, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}}
shifts: [{{suite: imagenet-c}}]
"""


@dataclass(frozen=True)
class Task:
    """What is compared: the images and models of specs, at severities, on at most `limit` images of each spec.

    What draws is drawn `seeds` times.
    """

    specs: tuple[Path, ...]
    severities: tuple[int, ...]
    seeds: int
    limit: int | None
    textures: Path
    peer: str | None


@dataclass(frozen=True)
class Pair:
    """Which images a model has right, bool (severities x seeds, N): corrupted by us, and otherwise."""

    ours: NDArray[np.bool_]
    other: NDArray[np.bool_]

    def text(self) -> str:
        """Both accuracies and their difference, in percent and points."""
        from pytest_robust.verdict.intervals import tango

        low, high = tango(*self.flips, self.ours.size, CONFIDENCE)
        return (
            f"{self.ours.mean():.1%} | {self.other.mean():.1%} | "
            f"{100 * (self.ours.mean() - self.other.mean()):+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"
        )

    @property
    def flips(self) -> tuple[int, int]:
        """How often only ours is right, and how often only the other."""
        return int(np.count_nonzero(self.ours & ~self.other)), int(np.count_nonzero(~self.ours & self.other))

    @property
    def p(self) -> float:
        """Two-sided mid-p of McNemar's test."""
        from pytest_robust.verdict import mcnemar_midp

        only_ours, only_other = self.flips
        return min(1.0, 2 * min(mcnemar_midp(only_ours, only_other), mcnemar_midp(only_other, only_ours)))


@dataclass(frozen=True)
class Row:
    """One corruption: what is said of its pixels and the pairs by model, with the rule and with the other package."""

    rule: tuple[str, dict[str, Pair]]
    peer: tuple[str, dict[str, Pair]] | None


@dataclass(frozen=True)
class Bench:
    """Images, uint8 (N, H, W, 3), with ids and labels, the models that see them, and the table of their size."""

    images: NDArray[np.uint8]
    ids: list[str]
    labels: NDArray[np.integer[Any]]
    models: dict[str, Model]
    table: int

    def right(self, made: NDArray[np.uint8]) -> dict[str, NDArray[np.bool_]]:
        """Which images each model has right, by model, bool (N,)."""
        return {name: model.predict(made).predicted == self.labels for name, model in self.models.items()}


@cache
def opened(task: Task) -> Bench:
    """Open the images and models of a task, once per process."""
    import cv2

    from pytest_robust.data import open_dataset
    from pytest_robust.models import open_model
    from pytest_robust.registry import catalog
    from pytest_robust.shifts.severity import table_for
    from pytest_robust.spec.build import load_plan

    cv2.setNumThreads(1)
    plans = [load_plan(spec, catalog()) for spec in task.specs]
    datasets = [open_dataset(plan.shifts[0].dataset, limit=task.limit) for plan in plans]
    images = [
        dataset.canvas(number, plan.models[0].geometry)
        for plan, dataset in zip(plans, datasets, strict=True)
        for number in range(len(dataset.samples.ids))
    ]
    models = {
        plan.name: open_model(plan, device="cpu", classes=datasets[0].classes, threads=1, batch_size=16)
        for plan in plans[0].models
    }
    ids = [one for dataset in datasets for one in dataset.samples.ids]
    labels = np.concatenate([dataset.samples.labels for dataset in datasets])
    return Bench(np.stack(images), ids, labels, models, table_for(*images[0].shape[:2]))


def judged(task: Task, name: str) -> Row:
    """One corruption at all severities."""
    from pytest_robust import apply_shift
    from tests.shifts import paper

    bench = opened(task)
    photographs = paper.frost_textures(sorted(task.textures.iterdir())) if name == "frost" else ()
    more: dict[str, Any] = {"textures": str(task.textures)} if name == "frost" else {}

    def ruled(severity: int, seed: int) -> NDArray[np.uint8]:
        rng = np.random.default_rng([seed, severity, *name.encode()])
        return np.stack([paper.corrupt(name, one, severity, bench.table, rng, photographs) for one in bench.images])

    runs = [*product(task.severities, range(1 if name in paper.DRAWS_NOTHING else task.seeds))]
    made = [apply_shift(bench.images, name, severity, bench.ids, seed, **more) for severity, seed in runs]
    right = [bench.right(one) for one in made]

    def against(other: Callable[[int, int], NDArray[np.uint8]]) -> tuple[str, dict[str, Pair]]:
        others = [other(severity, seed) for severity, seed in runs]
        theirs = [bench.right(one) for one in others]
        pairs = {
            model: Pair(*(np.stack([one[model] for one in side]) for side in (right, theirs))) for model in bench.models
        }
        return said(name, bench.images, made, others), pairs

    peer = task.peer if bench.table == 224 else None
    return Row(against(ruled), against(lambda *run: elsewhere(peer, bench.images, name, *run)) if peer else None)


def said(
    name: str, images: NDArray[np.uint8], made: Sequence[NDArray[np.uint8]], others: Sequence[NDArray[np.uint8]]
) -> str:
    """The difference of the pixels where the rule draws nothing, in grey levels, else the least like severity."""
    from tests.shifts import likeness, paper

    if name in paper.DRAWS_NOTHING:
        off = np.stack([np.abs(ours.astype(np.int16) - other) for ours, other in zip(made, others, strict=True)])
        return f"max {off.max()}, mean {off.mean():.4f}"
    found = [likeness.compare(images, ours, other) for ours, other in zip(made, others, strict=True)]
    # the least of several p, corrected for their number
    distance_p, power_p = (
        min(1.0, len(found) * min(ps)) for ps in ([one.distance_p for one in found], [one.power_p for one in found])
    )
    return f"KS {max(one.distance for one in found):.4f}, p {distance_p:.2g}; spectrum p {power_p:.2g}"


def elsewhere(python: str, images: NDArray[np.uint8], name: str, severity: int, seed: int) -> NDArray[np.uint8]:
    """The images as imagecorruptions corrupts them, in another interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "given.npy", Path(folder) / "made.npy"
        np.save(given, images)
        call = [python, __file__, "--serve", str(given), str(made), name, str(severity), str(seed)]
        subprocess.run(call, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        found: NDArray[np.uint8] = np.load(made)
        return found


def serve(given: str, made: str, name: str, severity: str, seed: str) -> None:
    """What the other interpreter does."""
    import warnings

    warnings.simplefilter("ignore")
    import imagecorruptions  # type: ignore[import-not-found,unused-ignore]

    np.random.seed(int(seed))
    images = np.load(given)
    np.save(made, [imagecorruptions.corrupt(one, severity=int(severity), corruption_name=name) for one in images])


def report(rows: dict[str, Row], bench: Bench, task: Task, seconds: float) -> str:
    """The tables of one task, in markdown."""
    severities = ", ".join(map(str, task.severities))
    count, height, width = bench.images.shape[:3]
    lines = [
        f"{count:,} images, {height} x {width}, severity {severities}, table {bench.table}: {seconds / 60:.1f} minutes",
        "",
        *table("the paper's rule", {name: row.rule for name, row in rows.items()}),
    ]
    peer = {name: row.peer for name, row in rows.items() if row.peer}
    if peer:
        lines += ["", *table("imagecorruptions", peer, OTHER_RULE)]
    return "\n".join(lines)


def table(
    other: str, rows: dict[str, tuple[str, dict[str, Pair]]], apart: Mapping[str, str] = NO_OTHER_RULE
) -> list[str]:
    """One table: rows of corruptions, three columns to a model, and what chance alone would show.

    Corruptions that are another rule there, `apart`, are shown and left out of the last lines.
    """
    models = list(next(iter(rows.values()))[1])
    heads = [f"{name}: ours | {other} | difference" for name in models]
    lines = [f"| corruption | pixels | {' | '.join(heads)} |", "|---|---|" + "---|" * 3 * len(models)]
    for name, (pixels, pairs) in rows.items():
        pixels = f"another rule: {apart[name]}; {pixels}" if name in apart else pixels
        lines.append(f"| {name} | {pixels} | {' | '.join(pairs[model].text() for model in models)} |")
    compared = [name for name in rows if name not in apart]
    if core := [name for name in compared if name not in EXTRAS]:
        means = [mean_text([rows[name][1][model] for name in core]) for model in models]
        lines.append(f"| mean of {len(core)} | | {' | '.join(means)} |")
    every = [rows[name][1][model] for name in compared for model in models]
    least = min((pair.p for pair in every), default=1.0)
    beyond = sum(pair.p < 1 - CONFIDENCE for pair in every)
    return [
        *lines,
        "",
        f"Of {len(every)} differences {beyond} have p < 0.01, where chance alone gives {len(every) / 100:.1f}; "
        f"the least p is {least:.2g}, or {min(1.0, least * len(every)):.2g} for so many.",
    ]


def mean_text(pairs: list[Pair]) -> str:
    """Mean accuracies over corruptions; the interval is over images, which the corruptions share."""
    ours, other = (np.mean([getattr(pair, side).mean(axis=0) for pair in pairs], axis=0) for side in ("ours", "other"))
    apart = ours - other
    half = 2.576 * apart.std(ddof=1) / np.sqrt(len(apart))
    return (
        f"{ours.mean():.1%} | {other.mean():.1%} | "
        f"{100 * apart.mean():+.2f} [{100 * (apart.mean() - half):+.2f}, {100 * (apart.mean() + half):+.2f}]"
    )


def tasks(asked: argparse.Namespace, folder: Path) -> list[Task]:
    """What the command line asks for; specs that it does not name are written to `folder`."""
    named = asked.data or os.environ.get("PYTEST_ROBUST_DATA")
    data = Path(named).resolve() if named else ROOT.parent / "shared" / "data"
    textures = asked.textures or data / "frost"
    for needed in [textures] if asked.spec else [data, textures]:
        if not needed.is_dir():
            sys.exit(f"{needed} is not a folder; name one by --data, or the frost photographs by --textures")
    chosen = tuple(asked.severities) if asked.severities else None
    if asked.spec:
        specs = tuple(path.resolve() for path in asked.spec)
        return [Task(specs, chosen or (1, 3, 5), asked.seeds, asked.limit, textures, asked.peer)]
    cifar10 = folder / "cifar10.yaml"
    cifar10.write_text(CIFAR10.format(data=data))
    imagenet = []
    for images, resize in (("imagenet_val227", 224), ("imagenet_samples", 256)):
        imagenet.append(folder / f"{images}.yaml")
        imagenet[-1].write_text(IMAGENET.format(data=data, images=images, resize=resize))
    return [
        Task((cifar10,), chosen or (1, 3, 5), asked.seeds, asked.limit, textures, None),
        Task(tuple(imagenet), chosen or (3,), asked.seeds, asked.limit or 200, textures, asked.peer),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, help="the folder of real images and models")
    parser.add_argument("--spec", type=Path, nargs="+", help="take images and models from specs instead")
    parser.add_argument("--textures", type=Path, help="the folder of frost photographs; DATA/frost unless given")
    parser.add_argument("--severities", type=int, nargs="+", choices=range(1, 6))
    parser.add_argument("--seeds", type=int, default=1, help="how often to draw anew")
    parser.add_argument("--only", nargs="+", help="these corruptions")
    parser.add_argument("--limit", type=int, help="images of each spec")
    parser.add_argument("--peer", help="an interpreter that can import imagecorruptions")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--serve", nargs=5, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(*asked.serve)
        return
    from tests.shifts import paper

    names = asked.only or list(paper.TABLES)
    if unknown := set(names) - set(paper.TABLES):
        sys.exit(f"--only knows {', '.join(paper.TABLES)}, not {', '.join(sorted(unknown))}")
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(asked.jobs, multiprocessing.get_context("spawn")) as pool,
    ):
        for task in tasks(asked, Path(folder)):
            started = time.perf_counter()
            rows = dict(zip(names, pool.map(judged, [task] * len(names), names), strict=True))
            print(report(rows, opened(task), task, time.perf_counter() - started), end="\n\n", flush=True)


sys.path.insert(0, str(ROOT))
if __name__ == "__main__":
    main()
