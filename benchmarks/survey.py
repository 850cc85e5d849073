"""The survey of "Is Robustness the Cost of Accuracy?" (arXiv 1808.01688) on the CIFAR-10 models of a data folder.

    python benchmarks/survey.py [--data FOLDER] [--models NAME ...] [--images 48] [--scored 8] [--out FOLDER]

FOLDER holds `models.json` with the models' files and preprocessing, `cifar10/test_lossless_100.npz`, of which the first
images are attacked, and `cifar10/test_jpeg_2000.npz`, a second measure of accuracy; by default $PYTEST_ROBUST_DATA, or
shared/data beside the checkout. All float models of CIFAR-10 take part, an adversarially trained one among them. Shown:

1. every attack of the library on every model;
2. who falls for whose examples (with --out also as pictures);
3. accuracy against distortion, the frontier and the fitted line;
4. CLEVER scores beside the distortions that were found.

Under ten minutes on one core.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"), "OPENBLAS_NUM_THREADS": "1"}

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from _survey import Subject, clever_table, open_subject, pareto_table, success_table, transfer_of, transfer_table

from pytest_robust.attacks import (
    CarliniWagner,
    Clever,
    ElasticNet,
    FastGradient,
    OptimalBudget,
    ProjectedGradient,
    Square,
)
from pytest_robust.errors import Mark
from pytest_robust.spec.plan import ModelPlan, PathText, Preprocess

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_robust.attacks import GradientAttack

ROOT = Path(__file__).resolve().parents[1]
SMALL, LARGE = 2 / 255, 8 / 255
"""The L-infinity budget that the robust net was trained with, and the one for transfer."""

DESCENT: dict[str, Any] = {"iterations": 100, "learning_rate": 0.005, "search_steps": 5, "initial_constant": 0.1}
ATTACKS: dict[str, GradientAttack | Square] = {
    "fgsm linf 2/255": FastGradient(SMALL),
    "pgd-10 linf 2/255": ProjectedGradient(SMALL, step=SMALL / 4),
    "pgd-10 l2 0.25": ProjectedGradient(0.25, "l2", step=0.0625),
    "pgd-10 l1 8": ProjectedGradient(8.0, "l1", step=2.0),
    "square linf 2/255": Square(SMALL, queries=500),
    "optimal budget linf": OptimalBudget(ProjectedGradient(SMALL)),
    "optimal budget l2": OptimalBudget(ProjectedGradient(0.25, "l2", projection="rescale")),
    "cw l2": CarliniWagner(**DESCENT),
    "ead l1": ElasticNet(**DESCENT | {"iterations": 50, "learning_rate": 0.01}),
}
CARRIED: dict[str, GradientAttack] = {
    "FGSM (cross-entropy, linf 8/255)": FastGradient(LARGE),
    "PGD-10 (cross-entropy, linf 8/255)": ProjectedGradient(LARGE, step=LARGE / 4),
}


def plans(data: Path) -> dict[str, ModelPlan]:
    """The float models of CIFAR-10, by name."""
    found = {}
    for one in json.loads((data / "models.json").read_text(encoding="utf-8"))["models"]:
        name, how = Path(one["file"]).stem, one["preprocess"]
        if one["dataset"] == "cifar10" and not name.endswith("int8"):
            preprocess = Preprocess(
                scale=how["scale"], mean=tuple(how["mean"]), std=tuple(how["std"]), layout=one["layout"].lower()
            )
            mark, kind = Mark("models.json", 1, 1), one["output"]["kind"].split()[0]
            path = PathText(one["file"], data, mark)
            found[name] = ModelPlan(name, path, mark, preprocess=preprocess, output_kind=kind)
    return found


def images(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.integer[Any]]]:
    with np.load(path) as arrays:
        return arrays["x"], arrays["y"]


def main() -> None:
    """Ask everything, print it, and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    named = os.environ.get("PYTEST_ROBUST_DATA")
    parser.add_argument("--data", type=Path, default=Path(named) if named else ROOT.parent / "shared" / "data")
    parser.add_argument("--models", nargs="*", help="names, of all by default")
    parser.add_argument("--images", type=int, default=48, help="how many are attacked, up to 100")
    parser.add_argument("--scored", type=int, default=8, help="how many of them get a CLEVER score")
    parser.add_argument("--out", type=Path, help="a folder for pictures")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    started, busy = time.perf_counter(), time.process_time()
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
    known = plans(asked.data)
    unknown = set(asked.models or ()) - set(known)
    if unknown:
        parser.error(f"there is no float CIFAR-10 model {', '.join(sorted(unknown))}: take of {', '.join(known)}")
    lossless, jpeg = (images(asked.data / "cifar10" / f"test_{one}.npz") for one in ("lossless_100", "jpeg_2000"))
    few = (lossless[0][: asked.images], lossless[1][: asked.images])
    subjects = [
        open_subject(known[name], few, lossless, family="robust" if "adv" in name else "resnet")
        for name in asked.models or known
    ]
    made = success_table(subjects, ATTACKS)
    for told, attack in CARRIED.items():
        picture = asked.out / f"transfer-{attack.name}.png" if asked.out else None
        transfer_table(subjects, transfer_of(subjects, attack), told, picture)
    of_jpeg = [replace(one, accuracy=accuracy(one, *jpeg)) for one in subjects]
    for name, norm in (("optimal budget linf", "linf"), ("optimal budget l2", "l2"), ("cw l2", "l2")):
        pareto_table(subjects, made[name], norm, name, f"{len(lossless[1])} lossless images")
        pareto_table(of_jpeg, made[name], norm, name, f"{len(jpeg[1])} JPEG images")
    clever_table(subjects, made["cw l2"], Clever("l2", batches=20, points=16), asked.scored, "cw l2")
    print(f"\n{time.perf_counter() - started:.0f} seconds, {time.process_time() - busy:.0f} of them on the CPU")


def accuracy(subject: Subject, canvases: NDArray[np.uint8], labels: NDArray[np.integer[Any]]) -> float:
    return float(np.mean(subject.predict(canvases) == labels))


if __name__ == "__main__":
    main()
