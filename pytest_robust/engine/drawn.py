"""Counts by what each sample draws, where a shift does not treat all samples alike."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_robust.measurement import count_groups
from pytest_robust.registry import default_registry
from pytest_robust.shifts.rng import Streams

if TYPE_CHECKING:
    from pytest_robust.measurement import Measurement, Samples
    from pytest_robust.spec.plan import ShiftPlan


def with_draws(measurement: Measurement, shift: ShiftPlan, seed: int, samples: Samples) -> Measurement:
    """The measurement with groups by what its shift draws for each sample, beside those of the data set.

    They follow from the seed, the ids and the recorded parameters, so a measurement from the cache has them too.

    Args:
        measurement: of a whole data set.
        shift: what was shown.
        seed: the spec's seed.
        samples: the measurement's.
    """
    registry = default_registry()
    if registry.view(shift) is not None:
        return measurement
    found = registry.pixel_shift(shift.suite, shift.shift)
    if found.groups is None:
        return measurement
    streams = Streams(seed, found.name, measurement.parameters)
    columns = found.groups([streams.for_id(name) for name in samples.ids], **measurement.parameters)
    drawn = count_groups(measurement.predicted, samples.labels, columns)
    return replace(measurement, groups={**measurement.groups, **drawn})
