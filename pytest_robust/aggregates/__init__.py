"""Aggregates: values over several cells, from the predictions of their members, held against the spec's limits."""

from pytest_robust.aggregates.judge import Circumstances, judge_aggregate
from pytest_robust.aggregates.values import Results

__all__ = ["Circumstances", "Results", "judge_aggregate"]
