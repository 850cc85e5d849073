"""What the rows of `aggregates` have in common."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from pytest_robust.spec.limits import AGAINST, EXPECT, ExpectSpec, Roles
from pytest_robust.spec.types import Given, Level, Name, Strict


class Aggregate(Strict):
    """What every row of `aggregates` takes."""

    name: Given[Name] = Field(
        default=None,
        description="The aggregate's name in its node id; <entry>.<kind> (<entry>.<metric> for scores), or"
        " <entry>.<shift>.<kind> for trend and monotone, unless given.",
    )
    level: Level = Field(default="block", description="block: a breach fails the aggregate; warn: it is only reported.")
    expect: Given[ExpectSpec] = Field(default=None, description=EXPECT)


class Golden(Aggregate):
    """What a row takes whose value is compared with a golden's."""

    against: Roles = Field(default=["latest"], description=AGAINST)


def one_of(*keys: str) -> ConfigDict:
    """For the JSON Schema: at least one of these limits."""
    return ConfigDict(json_schema_extra={"anyOf": [{"required": [key]} for key in keys]})
