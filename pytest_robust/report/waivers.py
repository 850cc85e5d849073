"""Waivers that excused nothing in a complete run: whoever reads them believes in a failure that is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_UNKNOWN = {"ERROR", "UPDATED"}
"""Verdicts that do not say whether the case fails."""


def unused_waivers(run: Mapping[str, Any], records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """One sentence per waiver that nothing needs any more.

    Only a complete run of what the specs declare can tell: not a smoke run, not one with a candidate, and not a spec
    under a profile, which may leave out what fails.

    Args:
        run: the part `run` of a report.
        records: its cells and aggregates.
    """
    if not run["complete"] or run["smoke"] or run["candidates"]:
        return
    verdicts = {record["id"]: record["verdict"] for record in records}
    for spec in run["specs"].values():
        for waiver in spec["waivers"] if spec["profile"] is None else ():
            cases = waiver["cases"]
            if not any(case in run["waived"] or verdicts[case] in _UNKNOWN for case in cases):
                none = "its case did not fail" if len(cases) == 1 else f"none of its {len(cases)} cases failed"
                yield f"{waiver['place']}: this waiver of {waiver['owner']} is unused, {none}; remove it"
