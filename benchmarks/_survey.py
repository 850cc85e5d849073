"""What "Is Robustness the Cost of Accuracy?" (arXiv 1808.01688) asks of a set of classifiers.

Every number is of canvases of whole grey levels that ONNX Runtime judged; pixels count from 0 to 1. The functions print
a markdown table, with the counts behind it, and give the numbers back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import spearmanr

from pytest_robust.attacks import (
    Clever,
    Samples,
    check_twin,
    clever,
    confirm,
    craft,
    open_victim,
    other_classes,
)
from pytest_robust.metrics.attacks import Transfer, attack_success, transfer
from pytest_robust.metrics.pareto import fit_log_error, frontier
from pytest_robust.models import open_model

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.attacks import Confirmed, GradientAttack, Victim
    from pytest_robust.models import Model
    from pytest_robust.spec.plan import ModelPlan

SEED = 0


@dataclass(frozen=True, eq=False)
class Subject:
    """One classifier with the images that all are asked about.

    Attributes:
        name: of the model.
        family: its architecture.
        model: in ONNX Runtime.
        victim: its torch twin.
        samples: the images, and what ONNX Runtime says of them.
        accuracy: share of a larger set of clean images that it has right.
    """

    name: str
    family: str
    model: Model
    victim: Victim
    samples: Samples
    accuracy: float

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which clean images it has right, shape (N,)."""
        return np.asarray(self.samples.predicted == self.samples.labels)

    def predict(self, canvases: NDArray[np.uint8]) -> NDArray[np.uint16]:
        """ONNX Runtime's classes, shape (N,)."""
        return self.model.predict(canvases).predicted


def open_subject(
    plan: ModelPlan,
    images: tuple[NDArray[np.uint8], NDArray[np.integer]],
    larger: tuple[NDArray[np.uint8], NDArray[np.integer]],
    *,
    family: str,
) -> Subject:
    """Open a model twice, in ONNX Runtime and as its torch twin, and see that both say the same.

    Args:
        plan: the model.
        images: canvases (N, H, W, 3) and labels (N,) to attack.
        larger: the same, to measure the accuracy on.
        family: the model's architecture.
    """
    model = open_model(plan, device="cpu", classes=None, threads=1, batch_size=32)
    victim = open_victim(plan)
    canvases, labels = images
    predicted = model.predict(canvases).predicted
    check_twin(victim, canvases, predicted)
    samples = Samples(canvases, labels.astype(np.int64), predicted, tuple(map(str, range(len(labels)))))
    accuracy = float(np.mean(model.predict(larger[0]).predicted == larger[1]))
    return Subject(plan.name, family, model, victim, samples, accuracy)


def attacked(subject: Subject, attack: GradientAttack) -> Confirmed:
    """Attack what the subject has right, and let ONNX Runtime judge."""
    crafted = craft(attack, subject.victim, subject.samples, seed=SEED)
    return confirm(subject.predict, crafted, subject.samples)


def success_table(subjects: Sequence[Subject], attacks: Mapping[str, GradientAttack]) -> dict[str, list[Confirmed]]:
    """Every attack on every subject; the outcomes by attack, in the order of the subjects."""
    made: dict[str, list[Confirmed]] = {}
    rows = []
    for name, attack in attacks.items():
        made[name] = [attacked(subject, attack) for subject in subjects]
        for subject, one in zip(subjects, made[name], strict=True):
            told = attack_success(subject.right, one.attacked, one.success, one.distortions)
            rate = "-" if told.success_rate is None else f"{told.success_rate:.0%}"
            sizes = (
                [f"{told.distortions[norm].mean:.4g}" for norm in one.distortions] if told.distortions else ["-"] * 4
            )
            queries = one.queries[one.attacked].mean() if told.attacked else 0
            rows.append(
                [
                    name,
                    subject.name,
                    f"{rate} of {told.attacked}",
                    f"{told.robust_accuracy:.0%}",
                    *sizes,
                    f"{queries:.0f}",
                ]
            )
    count = len(subjects[0].samples.labels)
    print(f"\nAttacks on what each model has right of {count} images; mean distortion over the successes.\n")
    print_table(["attack", "model", "success", "robust accuracy", "L0", "L1", "L2", "Linf", "queries"], rows)
    return made


def transfer_of(subjects: Sequence[Subject], attack: GradientAttack) -> Transfer:
    """Who falls for whose examples: every subject's are shown to all."""
    labels = subjects[0].samples.labels
    outcomes = [attacked(subject, attack) for subject in subjects]
    hits = np.array([[target.predict(one.canvases) != labels for target in subjects] for one in outcomes])
    return transfer(hits, np.array([one.attacked for one in outcomes]), np.array([one.right for one in subjects]))


@dataclass(frozen=True, eq=False)
class Pareto:
    """Mean distortion per subject over images that all have right and were fooled on, and who is on the frontier."""

    distortions: NDArray[np.float64]
    on_frontier: NDArray[np.bool_]
    images: int


def pareto_table(
    subjects: Sequence[Subject], outcomes: Sequence[Confirmed], norm: str, told: str, measured_on: str
) -> Pareto:
    """Accuracy beside distortion, the frontier, and the fits through it and through all.

    Args:
        subjects: the models.
        outcomes: of an attack that seeks the least distortion.
        norm: of it.
        told: what the attack is.
        measured_on: what the subjects' accuracies are of.

    Raises:
        ValueError: there is no image that every subject has right and was fooled on.
    """
    joint = jointly_fooled(outcomes, told)
    distortions = np.array([one.distortions[norm][joint].mean() for one in outcomes])
    accuracies = np.array([one.accuracy for one in subjects])
    best = frontier(accuracies, distortions)
    print(
        f"\nAccuracy on {measured_on}, mean {norm} distortion by {told} on the {len(joint)} images "
        "that all have right and were fooled on.\n"
    )
    rows = [
        [one.name, f"{one.accuracy:.2%}", f"{size:.4g}", "yes" if first else ""]
        for one, size, first in zip(subjects, distortions, best, strict=True)
    ]
    print_table(["model", "accuracy", "distortion", "frontier"], rows)
    print()
    for which, chosen in (("the frontier", best), ("all", np.ones_like(best))):
        print(f"fit through {which}: {fit_line(accuracies[chosen], distortions[chosen])}")
    return Pareto(distortions, best, len(joint))


def fit_line(accuracies: NDArray[np.float64], distortions: NDArray[np.float64]) -> str:
    """The fit in words; models without an error have no logarithm of it and are left out."""
    known = accuracies < 1
    if len(np.unique(accuracies[known])) < 2:
        return f"none, of {len(accuracies)} models fewer than two accuracies below 1 differ"
    a, b, r2 = fit_log_error(accuracies[known], distortions[known])
    # a line goes through any two points
    sure = "" if r2 is None or known.sum() < 3 else f", R2 {r2:.2f}"
    return f"distortion = {a:.4g} ln(1 - accuracy) {b:+.4g}{sure} ({known.sum()} models)"


def clever_table(
    subjects: Sequence[Subject], outcomes: Sequence[Confirmed], config: Clever, count: int, told: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean untargeted CLEVER score beside the distortion of an attack, over the same images for all subjects.

    Args:
        subjects: the models.
        outcomes: of an attack that seeks the least distortion in the score's norm.
        config: how the score is estimated.
        count: how many images are scored at most, the first that all subjects have right and were fooled on.
        told: what the attack is.

    Returns:
        Mean scores and distortions, shape (subjects,).

    Raises:
        ValueError: there is no such image.
    """
    chosen = jointly_fooled(outcomes, told)[:count]
    rows, means = [], []
    for subject, outcome in zip(subjects, outcomes, strict=True):
        samples = subject.samples
        canvases, labels, ids = samples.canvases[chosen], samples.labels[chosen], [samples.ids[i] for i in chosen]
        classes = subject.model.outputs(canvases[:1]).shape[1] - subject.victim.offset
        made = clever(config, subject.victim, canvases, labels, ids, other_classes(labels, classes), seed=SEED)
        scores, sizes = made.untargeted, outcome.distortions[config.norm][chosen]
        means.append((np.nanmean(scores), sizes.mean()))
        told_of = correlation(scores, sizes), f"{np.mean(scores > sizes):.0%}", f"{made.fitted.mean():.0%}"
        rows.append([subject.name, *(f"{one:.4g}" for one in means[-1]), *told_of])
    print(
        f"\nCLEVER ({config.norm}, radius {config.reach:g}, {config.batches} batches of {config.points} points, the "
        f"least over all classes) beside the distortion of {told}, on {len(chosen)} images that all have right.\n"
    )
    head = ["model", "mean CLEVER", "mean distortion", "rank correlation", "score above distortion", "fits taken"]
    print_table(head, rows)
    scores, sizes = np.array(means).T
    print(f"\nrank correlation of the means over {len(subjects)} models: {correlation(scores, sizes)}")
    return scores, sizes


def jointly_fooled(outcomes: Sequence[Confirmed], told: str) -> NDArray[np.intp]:
    """Positions of the images that every model has right and was fooled on.

    Raises:
        ValueError: there is none.
    """
    joint = np.flatnonzero(np.all([one.success for one in outcomes], axis=0))
    if not len(joint):
        raise ValueError(f"no image was turned on every model by {told}: nothing can be compared")
    return joint


def correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> str:
    """Spearman's, a dash where one of them does not vary."""
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return "-"
    return f"{spearmanr(first, second).statistic:.2f}"


def print_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A markdown table."""
    lines = [list(head), ["---"] * len(head), *([str(cell) for cell in row] for row in rows)]
    print("\n".join(f"| {' | '.join(line)} |" for line in lines))
