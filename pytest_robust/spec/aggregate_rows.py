"""The part of the spec language that speaks of several cells at once: the rows of `aggregates`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pytest_robust.spec.aggregate_base import Aggregate, Golden, one_of
from pytest_robust.spec.study_rows import CleverRow, ParetoRow, TransferRow, UniquenessRow
from pytest_robust.spec.types import (
    Correlation,
    Fraction,
    Given,
    Growth,
    Names,
    Ratio,
    Strict,
    Text,
)

Metric = Literal["ece", "rmsce", "nll", "brier", "top5_error"]


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


class GroupMeansSpec(CellsSpec):
    """Accuracy by shift (SI-Score's factors size, rotation, location), each the mean over its values."""

    shift: Names = Field(default=[], description="Only these shifts; absent = all of the suite.")


class ScoresSpec(CellsSpec):
    """A number that the model's probabilities give, averaged over cells; needs `scores: true` in the spec."""

    metric: Metric = Field(
        description="ece: expected calibration error, 15 bins; rmsce: root mean square calibration error, 100 bins;"
        " nll: negative log-likelihood in nats; brier: Brier score, summed over the classes; top5_error: share of"
        " samples whose class is not among the five most probable.",
    )


class CompareSpec(Strict):
    """A model against another one on the same shifts."""

    model: Text = Field(description="The model that should be better.")
    against: Text = Field(description="The model to compare it with.")
    suite: Text = Field(description="The suite to compare on.")
    entry: Given[Text] = Field(default=None, description="Which entry of the suite, where it has several.")


class MceRow(Golden):
    """Mean corruption error of each model, with its limits."""

    model_config = one_of("max", "max_regression")

    mce: MceSpec = Field(description="What to average, and relative to which reference.")
    max: Given[Ratio] = Field(default=None, description="Highest mCE; 1 is as bad as the reference.")
    max_regression: Given[Fraction] = Field(
        default=None,
        description="Largest rise of mCE over the golden's; the reference's errors are this run's in both.",
    )


class MeanErrorRow(Golden):
    """Mean error of each model, with its limits."""

    model_config = one_of("max", "max_regression")

    mean_error: MeanErrorSpec = Field(description="Which cells to average.")
    max: Given[Fraction] = Field(default=None, description="Highest mean error, as a fraction.")
    max_regression: Given[Fraction] = Field(
        default=None, description="Largest rise of the mean error over the golden's."
    )


class IceRow(Golden):
    """Imperceptible corruption error of each model: how much its error grows relative to its clean error."""

    model_config = one_of("max", "max_regression")

    ice: CellsSpec = Field(description="The imperceptible shifts.")
    max: Given[Growth] = Field(default=None, description="Highest iCE: 0.1 allows the clean error to grow by a tenth.")
    max_regression: Given[Fraction] = Field(default=None, description="Largest rise of iCE over the golden's.")


class GroupMeansRow(Golden):
    """Mean over shifts of the mean accuracy over the shift's values, of each model, with its limits."""

    model_config = one_of("min", "max_regression")

    group_means: GroupMeansSpec = Field(description="Which shifts; the report shows the mean of each.")
    min: Given[Fraction] = Field(default=None, description="Lowest mean of the means, as a fraction.")
    max_regression: Given[Fraction] = Field(
        default=None,
        description="Largest fall of the mean of the means below the golden's; needs a case per value of a factor.",
    )


class WorstClassRow(Golden):
    """Accuracy of each model's worst class, averaged over cells, with its limits."""

    model_config = one_of("min", "max_regression")

    worst_class: CellsSpec = Field(description="Which cells to average over.")
    min: Given[Fraction] = Field(default=None, description="Lowest accuracy of any class, as a fraction.")
    max_regression: Given[Fraction] = Field(
        default=None,
        description="Largest fall of the worst class's accuracy below the golden's, whichever class it was there.",
    )


class PhaseRelianceRow(Golden):
    """Predictions that follow the owner of the phase less those that follow the owner of the amplitude."""

    model_config = one_of("min", "max", "max_regression")

    phase_reliance: CellsSpec = Field(
        description="Cells of fourier's amplitude_swap and phase_swap; only those of which the other sample gives more"
        " than half count."
    )
    min: Given[Correlation] = Field(default=None, description="Lowest reliance, between -1 and 1.")
    max: Given[Correlation] = Field(default=None, description="Highest reliance, between -1 and 1.")
    max_regression: Given[Fraction] = Field(
        default=None, description="Largest fall of the reliance on phase below the golden's."
    )


class ScoresRow(Aggregate):
    """Calibration, proper scores and top-5 error of each model, with their limit."""

    scores: ScoresSpec = Field(description="Which number, over which cells; `suite: clean` for the unshifted images.")
    max: Annotated[float, Field(ge=0, le=1000)] = Field(
        description="Highest mean over the cells; at most 1 for ece, rmsce and top5_error, 2 for brier."
    )


class TrendRow(Golden):
    """Correlation of severity and accuracy drop of each model, with its limits."""

    model_config = one_of("min_spearman", "min_pearson", "max_regression")

    trend: TrendSpec = Field(description="Which severities to correlate.")
    min_spearman: Given[Correlation] = Field(default=None, description="Lowest rank correlation.")
    min_pearson: Given[Correlation] = Field(default=None, description="Lowest linear correlation.")
    max_regression: Given[Fraction] = Field(
        default=None,
        description="Largest fall of the correlation below the golden's: of the rank correlation, but of the linear one"
        " where min_pearson alone is given.",
    )


class MonotoneRow(Golden):
    """Accuracy that never rises, by more than the allowance, as a shift grows stronger."""

    monotone: MonotoneSpec = Field(description="Which severities, and how much noise is allowed.")
    max_regression: Given[Fraction] = Field(
        default=None, description="Largest growth of the largest rise over the golden's, as a fraction."
    )


class CompareRow(Golden):
    """Gain of one model over another, with its limits."""

    model_config = one_of("min_gain", "max_clean_loss", "max_regression")

    compare: CompareSpec = Field(description="Which two models, and where.")
    min_gain: Given[Correlation] = Field(
        default=None, description="Lowest gain in mean accuracy over the suite's cells, as a fraction; may be negative."
    )
    max_clean_loss: Given[Fraction] = Field(
        default=None, description="Largest loss of accuracy on the clean images, as a fraction."
    )
    max_regression: Given[Fraction] = Field(
        default=None, description="Largest loss of the gain against that of the two models' goldens."
    )


class ErrorReductionRow(Golden):
    """Share of another model's mean error that a model avoids, with its limits."""

    model_config = one_of("min", "max_regression")

    error_reduction: CompareSpec = Field(description="Which two models, and where.")
    min: Given[Correlation] = Field(
        default=None, description="Lowest reduction: 0.2 is a fifth fewer errors; negative allows more errors."
    )
    max_regression: Given[Fraction] = Field(
        default=None, description="Largest loss of the reduction against that of the two models' goldens."
    )


AggregateRow = (
    MceRow
    | MeanErrorRow
    | IceRow
    | GroupMeansRow
    | TrendRow
    | MonotoneRow
    | WorstClassRow
    | PhaseRelianceRow
    | ScoresRow
    | CompareRow
    | ErrorReductionRow
    | UniquenessRow
    | TransferRow
    | ParetoRow
    | CleverRow
)
