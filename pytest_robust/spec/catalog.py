"""What the spec language must know of shift suites, and no more.

The registry of `pytest_robust.shifts` fills a `Catalog`; the plan reads it. So the language can expand and
check any suite, a user's own included, without knowing how images are shifted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pytest_robust.spec.plan import Json, Severity


@dataclass(frozen=True, slots=True)
class Variant:
    """One shift of a suite at one severity, as a spec entry asks for it."""

    shift: str
    severity: Severity
    version: int
    parameters: Mapping[str, Json] = field(default_factory=dict)
    changes_size: bool = False
    side: int | None = None
    """The side of the square canvases that the numbers are for, where they are for one size."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A named family of shifts.

    `options` is the pydantic model of the keys that an entry of this suite takes beside `name` and `suite`
    (unknown keys forbidden); `expand` turns a validated entry into variants in the order of the report and
    raises ValueError, with a sentence, for combinations that cannot be.
    """

    name: str
    options: type[BaseModel]
    expand: Callable[[Any], Iterable[Variant]]


Catalog = Mapping[str, Suite]
