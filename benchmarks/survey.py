"""The survey of "Is Robustness the Cost of Accuracy?" (arXiv 1808.01688) on CIFAR-10 models, by a spec and pytest.

    python benchmarks/survey.py [--data FOLDER] [--images 50] [--scored 10] [--out FOLDER]

Writes a spec, runs `pytest --robust-spec=survey.yaml` and `pytest-robust matrix`, and prints what the report holds:

1. every attack on every model, an adversarially trained one among them;
2. who falls for whose examples, also as pictures;
3. accuracy against distortion, the frontier and the line through it;
4. CLEVER scores beside the distortions that were found.

FOLDER holds `models` and `cifar10/test_jpeg_2000.npz`, of all of which the accuracies are; by default
$PYTEST_ROBUST_DATA, which the spec names, or shared/data beside the checkout. With --out the spec, the reports, the
pictures and the cache stay there, and the next run measures only what is new. About five minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _survey import correlation, print_table

from pytest_robust.report import frontier, transfer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Record = Mapping[str, Any]

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

SPEC = """\
format: 1
dataset: {source: npz, path: "${PYTEST_ROBUST_DATA}/cifar10/test_jpeg_2000.npz"}

models:
  resnet8:
    path: ${PYTEST_ROBUST_DATA}/models/cifar10_resnet8_fp32.onnx
    preprocess: {scale: 1, layout: nhwc}
  resnet20:
    path: ${PYTEST_ROBUST_DATA}/models/cifar10_resnet20.onnx
    preprocess: {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}
  resnet32: {like: resnet20, path: "${PYTEST_ROBUST_DATA}/models/cifar10_resnet32.onnx"}
  resnet56: {like: resnet20, path: "${PYTEST_ROBUST_DATA}/models/cifar10_resnet56.onnx"}
  robust:
    path: ${PYTEST_ROBUST_DATA}/models/cifar10_resnet2b_advtrained.onnx
    preprocess: {mean: [0.4914, 0.4822, 0.4465], std: [0.2471, 0.2435, 0.2616]}

shifts:
  # within a budget; two grey levels is what the robust net was trained against
  - {name: fgsm, suite: adversarial, attack: fgsm, epsilons: [2], units: levels, per_class: FEW}
  - {name: pgd-linf, suite: adversarial, attack: pgd, epsilons: [2], units: levels, per_class: FEW}
  - {name: pgd-l2, suite: adversarial, attack: pgd, norm: 2, epsilons: [0.25], per_class: FEW}
  - {name: pgd-l1, suite: adversarial, attack: pgd, norm: 1, epsilons: [8], per_class: FEW}
  - {name: square, suite: adversarial, attack: square, epsilons: [2], units: levels, queries: 500, per_class: FEW}
  # the least distortion, of images that all models have right
  - {name: budget-linf, suite: adversarial, attack: budget, only: jointly_correct, per_class: FEW}
  - {name: budget-l2, suite: adversarial, attack: budget, norm: 2, start: 0.25, only: jointly_correct, per_class: FEW}
  - {name: cw-l2, suite: adversarial, attack: cw, steps: 100, learning_rate: 0.005, search_steps: 5,
     initial_constant: 0.1, only: jointly_correct, per_class: FEW}
  - {name: ead-l1, suite: adversarial, attack: ead, steps: 50, learning_rate: 0.01, search_steps: 5,
     initial_constant: 0.1, only: jointly_correct, per_class: FEW}
  # of every model, shown to every model
  - {name: fgsm-8, suite: adversarial, attack: fgsm, source: each, epsilons: [8], units: levels, per_class: FEW}
  - {name: pgd-8, suite: adversarial, attack: pgd, source: each, epsilons: [8], units: levels, per_class: FEW}

aggregates:
  - {transfer: {entry: fgsm-8}}
  - {transfer: {entry: pgd-8}}
  - {pareto: {entry: budget-linf, norm: linf}}
  - {pareto: {entry: budget-l2, norm: l2}}
  - {pareto: {entry: cw-l2, norm: l2}}
  - {pareto: {entry: ead-l1, norm: l1}}
  - {clever: {norm: l2, targets: all, samples: SCORED, batches: 20, points: 16}}
"""
SEARCHES = {"budget-linf": "linf", "budget-l2": "l2", "cw-l2": "l2", "ead-l1": "l1"}
"""The entries that seek the least distortion, with its norm."""

NORMS = {"fgsm": "linf", "pgd-linf": "linf", "pgd-l2": "l2", "pgd-l1": "l1", "square": "linf", **SEARCHES}


def call(folder: Path, *command: str) -> None:
    """Run a module's command in a folder, and end with its code if it fails."""
    print(f"\n$ python -m {' '.join(command)}\n", flush=True)
    code = subprocess.run([sys.executable, "-m", *command], cwd=folder, check=False).returncode
    if code:
        raise SystemExit(code)


def measure(folder: Path, images: int, scored: int) -> dict[str, Any]:
    """The report of the spec, which is written into a folder and run there; the matrices are drawn."""
    spec = SPEC.replace("FEW", str(images // 10)).replace("SCORED", str(scored))
    (folder / "survey.yaml").write_text(spec, encoding="utf-8")
    reports = ["--robust-report=report.json", "--robust-report=report.md"]
    call(folder, "pytest", "--robust-spec=survey.yaml", *reports, "--robust-cache=cache")
    for entry in ("fgsm-8", "pgd-8"):
        picture = ["--select", f"{entry}.transfer", "--out", f"transfer-{entry}.png"]
        call(folder, "pytest_robust", "matrix", "report.json", *picture)
    report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return report


def entry_of(record: Record) -> str:
    """The entry of a cell or an aggregate, the first part of the last part of its id."""
    name: str = record["id"].split("::")[2].split(".")[0]
    return name


def attacks_table(attacks: Mapping[tuple[str, str], Record], names: Sequence[str]) -> None:
    """Success and distortion of every attack on every model."""
    rows = []
    for entry, norm in NORMS.items():
        found = [attacks[name, entry] for name in names]
        shown = [
            f"{one['success_rate']:.1%}" + (f", {one['distortions'][norm]['mean']:.4g}" if one["distortions"] else "")
            for one in found
        ]
        rows.append(
            [entry, norm, f"{min(x['attacked'] for x in found)} to {max(x['attacked'] for x in found)}", *shown]
        )
    print(
        "\nShare of the attacked images that turn a model, and their mean distortion in the norm, pixels from 0 to 1. "
        "The last four seek the least distortion and attack what all models have right, the others what each has "
        "right itself.\n"
    )
    print_table(["attack", "norm", "images", *names], rows)


def clever_table(scores: Mapping[str, Record], attacks: Mapping[tuple[str, str], Record], names: Sequence[str]) -> None:
    """Mean scores beside the mean distortions of their norm, and how alike they order the models."""
    how = scores[names[0]]
    columns = {"CLEVER": [scores[name]["mean"] for name in names]}
    for entry, norm in SEARCHES.items():
        if norm == how["norm"]:
            columns[entry] = [attacks[name, entry]["distortions"][norm]["mean"] for name in names]
    rows = [
        [name, scores[name]["scored"], *(f"{size:.4g}" for size in sizes)]
        for name, *sizes in zip(names, *columns.values(), strict=True)
    ]
    print(
        f"\nCLEVER ({how['norm']}, radius {how['radius']:g}, {how['batches']} batches of {how['points']} points, the "
        f"least over all classes; of {how['samples']} images those that a model has right) beside mean distortions.\n"
    )
    print_table(["model", "images", *columns], rows)
    for entry in [*columns][1:]:
        told = correlation(np.array(columns["CLEVER"]), np.array(columns[entry]))
        print(f"\nrank correlation with {entry} over {len(names)} models: {told}", end="")
    print()


def show(report: Record) -> None:
    """Print the tables of a report."""
    names = list(dict.fromkeys(cell["model"] for cell in report["cells"]))
    attacks = {(cell["model"], entry_of(cell)): cell["attack"] for cell in report["cells"] if cell["attack"]}
    attacks_table(attacks, names)
    for found in report["aggregates"]:
        for key, drawn in (("matrix", transfer), ("pareto", frontier)):
            if key in found:
                print(f"\n{entry_of(found)}. {drawn.legend_of(found[key])}\n")
                print_table(*drawn.table_of(found[key]))
    scores = {found["models"][0]: found["clever"] for found in report["aggregates"] if "clever" in found}
    clever_table(scores, attacks, names)


def main() -> None:
    """Run everything, print it, and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("PYTEST_ROBUST_DATA") or DATA))
    parser.add_argument("--images", type=int, default=50, help="how many are attacked, in tens, as many of each class")
    parser.add_argument("--scored", type=int, default=10, help="how many get a CLEVER score")
    parser.add_argument("--out", type=Path, help="a folder for what is written")
    asked = parser.parse_args()
    if asked.images < 10 or asked.images % 10:
        parser.error(f"--images {asked.images}: there are ten classes, and as many images are taken of each")
    os.environ |= {"PYTEST_ROBUST_DATA": str(asked.data.resolve())}
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = asked.out or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        show(measure(folder, asked.images, asked.scored))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"\n{time.perf_counter() - started:.0f} seconds, {used.ru_utime + used.ru_stime:.0f} of them on the CPU")


if __name__ == "__main__":
    main()
