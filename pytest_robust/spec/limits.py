"""The part of the spec language that judges: selectors, thresholds, aggregates, waivers, gate and profiles."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from pytest_robust.spec.types import (
    DATE,
    Correlation,
    Count,
    Fraction,
    Given,
    Growth,
    Level,
    Name,
    Names,
    OneOrMore,
    Ratio,
    Severities,
    Strict,
    Text,
)


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


class ThresholdSpec(Strict):
    """Limits on cells. Every row that matches a cell applies to it."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": [key]} for key in ("min_accuracy", "max_drop", "max_regression", "max_negative_flips")
            ]
        }
    )

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
    level: Level = Field(default="block", description="block: a breach fails the case; warn: it is only reported.")
    against: Annotated[list[Literal["latest", "anchor"]], Field(min_length=1), OneOrMore()] = Field(
        default=["latest"], description="Which goldens to compare with; anchor needs `golden: {anchor: ...}`."
    )


class MceSpec(Strict):
    """Mean corruption error."""

    suite: Text = Field(description="The suite to average over.")
    reference: Text = Field(
        description="alexnet (needs the 15 ImageNet-C corruptions at severities 1 to 5 and a 224 canvas), or a model"
        " of this spec."
    )
    entry: Given[Text] = Field(default=None, description="Which entry of the suite, where it has several.")
    model: Names = Field(default=[], description="Only these models; absent = every model that the reference fits.")
    relative: bool = Field(
        default=False,
        description="true: relative mCE, of the errors beyond the error on clean images, of model and reference alike.",
    )


class TrendSpec(Strict):
    """Correlation of accuracy drop with severity."""

    suite: Text = Field(description="The suite.")
    mode: Given[Text] = Field(default=None, description="The shift within the suite; the same as `shift`.")
    shift: Given[Text] = Field(default=None, description="The shift within the suite, where it has several.")
    entry: Given[Text] = Field(default=None, description="Which entry of the suite, where it has several.")
    model: Names = Field(default=[], description="Only these models; absent = all.")


class MonotoneSpec(TrendSpec):
    """Accuracy that never rises as a shift grows stronger."""

    allowance: Fraction = Field(
        default=0.0,
        description="Largest rise of accuracy from one severity to any stronger one that is put down to noise, as a"
        " fraction.",
    )


class CellsSpec(Strict):
    """The cells of a suite, or of named entries."""

    suite: Given[Text] = Field(default=None, description="The suite; not needed where `entry` says enough.")
    entry: Names = Field(default=[], description="Entries of `shifts`, by name; several are taken together.")
    model: Names = Field(default=[], description="Only these models; absent = all.")


class MeanErrorSpec(CellsSpec):
    """Mean error over cells, every cell counting the same."""

    without: Names = Field(
        default=[], description="Shifts to leave out, such as the four noises for the mean error without noise."
    )


class CompareSpec(Strict):
    """A model against another one on the same shifts."""

    model: Text = Field(description="The model that should be better.")
    against: Text = Field(description="The model to compare it with.")
    suite: Text = Field(description="The suite to compare on.")
    entry: Given[Text] = Field(default=None, description="Which entry of the suite, where it has several.")


class _Aggregate(Strict):
    name: Given[Name] = Field(
        default=None,
        description="The aggregate's name in its node id; <entry>.<kind>, or <entry>.<shift>.<kind> for trend and"
        " monotone, unless given.",
    )
    level: Level = Field(default="block", description="block: a breach fails the aggregate; warn: it is only reported.")


class MceRow(_Aggregate):
    """Mean corruption error of each model, with its limits."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["max"]}, {"required": ["max_regression"]}]})

    mce: MceSpec = Field(description="What to average, and relative to which reference.")
    max: Given[Ratio] = Field(default=None, description="Highest mCE; 1 is as bad as the reference.")
    max_regression: Given[Fraction] = Field(
        default=None,
        description="Largest rise of mCE over the golden's; the reference's errors are this run's in both.",
    )


class MeanErrorRow(_Aggregate):
    """Mean error of each model, with its limits."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["max"]}, {"required": ["max_regression"]}]})

    mean_error: MeanErrorSpec = Field(description="Which cells to average.")
    max: Given[Fraction] = Field(default=None, description="Highest mean error, as a fraction.")
    max_regression: Given[Fraction] = Field(
        default=None, description="Largest rise of the mean error over the golden's."
    )


class IceRow(_Aggregate):
    """Imperceptible corruption error of each model: how much its error grows relative to its clean error."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["max"]}, {"required": ["max_regression"]}]})

    ice: CellsSpec = Field(description="The imperceptible shifts.")
    max: Given[Growth] = Field(default=None, description="Highest iCE: 0.1 allows the clean error to grow by a tenth.")
    max_regression: Given[Fraction] = Field(default=None, description="Largest rise of iCE over the golden's.")


class WorstClassRow(_Aggregate):
    """Accuracy of each model's worst class, averaged over cells, with its limit."""

    worst_class: CellsSpec = Field(description="Which cells to average over.")
    min: Fraction = Field(description="Lowest accuracy of any class, as a fraction.")


class TrendRow(_Aggregate):
    """Correlation of severity and accuracy drop of each model, with its limits."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["min_spearman"]}, {"required": ["min_pearson"]}]}
    )

    trend: TrendSpec = Field(description="Which severities to correlate.")
    min_spearman: Given[Correlation] = Field(default=None, description="Lowest rank correlation.")
    min_pearson: Given[Correlation] = Field(default=None, description="Lowest linear correlation.")


class MonotoneRow(_Aggregate):
    """Accuracy that never rises, by more than the allowance, as a shift grows stronger."""

    monotone: MonotoneSpec = Field(description="Which severities, and how much noise is allowed.")


class CompareRow(_Aggregate):
    """Gain of one model over another, with its limits."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["min_gain"]}, {"required": ["max_clean_loss"]}]}
    )

    compare: CompareSpec = Field(description="Which two models, and where.")
    min_gain: Given[Correlation] = Field(
        default=None, description="Lowest gain in mean accuracy over the suite's cells, as a fraction; may be negative."
    )
    max_clean_loss: Given[Fraction] = Field(
        default=None, description="Largest loss of accuracy on the clean images, as a fraction."
    )


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
