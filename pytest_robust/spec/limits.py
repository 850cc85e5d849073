"""The part of the spec language that judges: selectors, thresholds, waivers, gate and profiles."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from pytest_robust.spec.types import (
    DATE,
    Count,
    Distortion,
    Fraction,
    Given,
    Level,
    Name,
    Names,
    OneOrMore,
    Said,
    Severities,
    Strict,
    Text,
)

Roles = Annotated[list[Literal["latest", "anchor"]], Field(min_length=1), OneOrMore()]
AGAINST = "Which goldens to compare with; anchor needs `golden: {anchor: ...}`."


class Where(Strict):
    """Selects cells: every key given must match, one of its values is enough."""

    model: Names = Field(default=[], description="Names of models.")
    suite: Names = Field(default=[], description="Suites; `natural` for entries with a data set of their own, `clean`.")
    shift: Names = Field(
        default=[], description="Shifts within a suite, such as fog; `clean` for the unshifted images."
    )
    severity: Severities = Field(default=[], description="Severities, as the case names show them.")
    entry: Names = Field(default=[], description="Entries of `shifts`, by name (the suite's name unless given).")


class WaiverWhere(Where):
    """Selects cells, or with `aggregate` the aggregates of that name."""

    aggregate: Names = Field(
        default=[], description="Names of aggregates, such as imagenet-c.mce; no cell is selected then."
    )


LIMITS = (
    "min_accuracy",
    "max_drop",
    "max_regression",
    "max_negative_flips",
    "max_success_rate",
    "min_distortion",
    "max_transfer",
    "max_match",
)
"""What a row of `thresholds` can limit."""


class MinDistortion(Strict):
    """Lowest mean distortion by norm, over the images that an attack turned; pixels count from 0 to 1."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    linf: Given[Distortion] = Field(default=None, description="Largest change of any value: 0.0314 is 8 grey levels.")
    l2: Given[Distortion] = Field(default=None, description="Euclidean length of the change.")
    l1: Given[Distortion] = Field(default=None, description="Sum of the changes.")
    l0: Given[Distortion] = Field(default=None, description="Number of values (three per pixel) that change.")


class ExpectSpec(Strict):
    """What is known not to hold: the case fails as expected, and fails in earnest once the limit holds."""

    fails: Said = Field(description="The measured figure and the reason, as the report repeats them.")


EXPECT = "A limit that is known not to hold, and why; one limit per row. That it holds again is a failure."


class ThresholdSpec(Strict):
    """Limits on cells. Every row that matches a cell applies to it."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": [key]} for key in LIMITS]})

    where: Where = Field(default=Where(), description="The cells that the row applies to; absent = all.")
    min_accuracy: Given[Fraction] = Field(default=None, description="Lowest accuracy, as a fraction.")
    max_drop: Given[Fraction] = Field(
        default=None, description="Largest loss of accuracy against the clean images of the same model, as a fraction."
    )
    max_regression: Given[Fraction] = Field(
        default=None, description="Largest loss of accuracy against the golden, as a fraction."
    )
    max_negative_flips: Given[Fraction] = Field(
        default=None, description="Largest share of samples that the golden had right and that are now wrong."
    )
    max_success_rate: Given[Fraction] = Field(
        default=None,
        description="Largest share of the attacked images that turn the model, as a fraction; for attacks on the model"
        " itself.",
    )
    min_distortion: Given[MinDistortion] = Field(
        default=None,
        description="Lowest mean distortion of the images that turn the model, such as {l2: 0.5}; met where none does.",
    )
    max_transfer: Given[Fraction] = Field(
        default=None,
        description="Largest share of another model's adversarial images that turn this one, as a fraction, of those"
        " whose clean image both have right.",
    )
    max_match: Given[Fraction] = Field(
        default=None,
        description="Largest share of a fingerprint's images that the model answers as the fingerprint's owner does;"
        " for models that must be others; max_drop, max_regression and max_negative_flips of wider rows do not apply to"
        " these cases, which stay in the goldens. The owner itself takes min_accuracy.",
    )
    level: Level = Field(default="block", description="block: a breach fails the case; warn: it is only reported.")
    against: Roles = Field(default=["latest"], description=AGAINST)
    expect: Given[ExpectSpec] = Field(default=None, description=EXPECT)


class GateSpec(Strict):
    """How verdicts are reached."""

    alpha: Annotated[float, Field(gt=0, le=0.5)] = Field(
        default=0.01, description="Risk per model of calling a regression where there is none."
    )
    inconclusive: Literal["warn", "fail", "pass"] = Field(
        default="warn", description="What a drop above the limit does that too few samples leave open."
    )
    require: Literal["proven"] | None = Field(
        default=None, description="proven: a pass needs an upper bound of the drop within the limit."
    )
    golden_device: Literal["same", "any"] = Field(
        default="same", description="any: goldens of another device class count too, with the near-tie rule."
    )


class GoldenSpec(Strict):
    """Where the goldens are."""

    path: Text = Field(description="The folder of the goldens, relative to this file.")
    anchor: Given[Name] = Field(default=None, description="Name of a frozen release golden.")


class WaiverSpec(Strict):
    """Turns failures into expected failures until a date."""

    where: WaiverWhere = Field(description="The cells or aggregates that may fail.")
    until: Annotated[str, Field(pattern=DATE)] = Field(
        description="Last day, such as 2030-01-31; then the waiver is an error."
    )
    owner: Text = Field(description="Who looks after it.")
    reason: Text = Field(description="Why it may fail.")


class ProfileSpec(Strict):
    """Changes to the spec under --robust-profile=NAME."""

    limit: Count | None = Field(default=None, description="Samples per data set in place of every `limit`; null = all.")
    severities: Severities = Field(
        default=[],
        description="Keep only cells of these severities; clean and shifts without severity stay. Aggregates but"
        " `compare` leave the profile if they lose a cell.",
    )
    exclude: list[Where] = Field(default=[], description="Cells to leave out, beside the spec's own `exclude`.")
    level: Given[Level] = Field(default=None, description="The level of every row, in place of its own.")
    gate: GateSpec = Field(default=GateSpec(), description="Keys of `gate` to change.")
