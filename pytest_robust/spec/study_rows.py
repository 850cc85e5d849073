"""The rows of `aggregates` that study attacks, gradients and fingerprints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pytest_robust.spec.aggregate_base import Aggregate, Golden, one_of
from pytest_robust.spec.types import Correlation, Distortion, Fraction, Given, Names, Spelt, Strict, Text


class UniquenessSpec(Strict):
    """How well a fingerprint tells copies of its owner from other models."""

    entry: Given[Text] = Field(default=None, description="Which entry of the suite fingerprint, where it has several.")
    copies: Names = Field(description="Copies of the owner, such as quantized ones; the owner itself may be one.")
    unrelated: Names = Field(description="Models that have nothing to do with it.")


class AttackSpec(Strict):
    """One attack of an entry of the suite adversarial."""

    entry: Given[Text] = Field(default=None, description="Which entry of the suite adversarial, where it has several.")
    severity: Given[int | float] = Field(default=None, description="Which severity, where the entry has several.")
    model: Names = Field(default=[], description="Only these models; absent = all.")


class TransferSpec(AttackSpec):
    """Adversarial images of every model on every other one."""

    match: Literal["top1", "top5"] = Field(
        default="top1",
        description="top1: the target predicts another class, or of targeted attacks the wanted one; top5: the wanted"
        " one is among its five most probable.",
    )


class ParetoSpec(AttackSpec):
    """Accuracy against the distortion that it takes to turn a model."""

    norm: Annotated[Literal["linf", "l2", "l1", "l0"], Spelt()] = Field(
        description="Norm of the distortion, pixels counting from 0 to 1."
    )


class CleverSpec(Strict):
    """CLEVER: how far an image is from a change of class, judged by the slopes around it (arXiv 1801.10578)."""

    norm: Annotated[Literal["linf", "l2", "l1"], Spelt()] = Field(default="l2", description="Norm of the distortion.")
    targets: Literal["top2", "random", "least_likely", "all"] = Field(
        default="top2",
        description="The class that an image is to be kept from: the second most likely, a random or the least likely"
        " one; all: the nearest of all.",
    )
    samples: Annotated[int, Field(ge=1, le=10**6)] = Field(
        default=10, description="How many clean images, the same for every model; those that it has wrong are left out."
    )
    batches: Annotated[int, Field(ge=2, le=10**6)] = Field(
        default=50, description="Batches of random points per image, whose largest slopes are fitted; published: 500."
    )
    points: Annotated[int, Field(ge=1, le=10**6)] = Field(
        default=64, description="Points per batch; published: 1024. Fewer miss steep places, and the score rises."
    )
    radius: Given[Distortion] = Field(
        default=None,
        description="How far the points are drawn, pixels counting from 0 to 1, and the highest score; default 0.1 for"
        " linf, 3 for l2, 30 for l1.",
    )
    model: Names = Field(default=[], description="Only these models; absent = all.")


class UniquenessRow(Golden):
    """Mean match rate over copies less that over unrelated models, with its limits."""

    model_config = one_of("min", "max_regression")

    uniqueness: UniquenessSpec = Field(description="Which fingerprint, and which models.")
    min: Given[Correlation] = Field(default=None, description="Lowest uniqueness, between -1 and 1.")
    max_regression: Given[Fraction] = Field(
        default=None, description="Largest fall of the uniqueness below the golden's."
    )


class TransferRow(Aggregate):
    """The transfer matrix of the models, with a limit on its largest rate."""

    transfer: TransferSpec = Field(description="Which attack, over which models; needs images of other models.")
    max: Given[Fraction] = Field(
        default=None,
        description="Highest share of one model's adversarial images that turn another one, of those whose clean image"
        " both have right; absent = the matrix is only reported.",
    )


class ParetoRow(Aggregate):
    """The frontier of accuracy and robustness over the models, and the line through it, with limits."""

    pareto: ParetoSpec = Field(description="Which attack, which norm, over which models; needs attacks on themselves.")
    min_r2: Given[Fraction] = Field(
        default=None,
        description="Lowest R2 of the fit distortion = a ln(1 - accuracy) + b over the models of the frontier.",
    )
    on_frontier: Given[Text] = Field(default=None, description="A model that no other one may beat in both.")


class CleverRow(Aggregate):
    """CLEVER of each model, with its limit; needs gradients, so no operator without one."""

    clever: CleverSpec = Field(description="Which norm and targets, over how many images and points.")
    min_clever: Given[Distortion] = Field(
        default=None, description="Lowest mean score, in the norm's units; absent = it is only reported."
    )
