"""The committed table of the claims says what the spec says, and its figures give its verdicts."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pytest_robust.errors import RobustError
from pytest_robust.registry import catalog
from pytest_robust.spec.build import load_plan
from pytest_robust.spec.plan import AggregatePlan
from specs.claims.table import CLAIMS, HEAD, REASONS, SPEC, claim_of, reasons, table

README = (SPEC.parent / "claims" / "README.md").read_text(encoding="utf-8")
ROWS = {
    row[0]: row[1:]
    for row in (line.strip("| ").split(" | ") for line in README.partition(HEAD)[2].partition(REASONS)[0].splitlines())
    if row[0]
}
NAMES = {words: name for name, (words, _) in CLAIMS.items()}


def in_spec() -> dict[str, list[AggregatePlan]]:
    """The claims of the spec by their names less the seed, in the order of a row of the table."""
    found: dict[str, list[AggregatePlan]] = {}
    for claim in sorted(load_plan(SPEC, catalog()).aggregates, key=lambda one: one.models[0]):
        if claim.level == "block":
            found.setdefault(claim_of(claim.name), []).append(claim)
    return found


def values(cell: str) -> list[str]:
    """What a cell of the table lists, without the names of recipes and the units."""
    return [re.sub(r"^[a-z]\w* (?=\S)| (pp|%)$", "", one) for one in re.split("[;,] ", cell)]


def test_the_table_has_the_claims_of_the_spec_in_their_own_words() -> None:
    assert len(NAMES) == len(CLAIMS)
    assert {NAMES[words] for words in ROWS} == set(CLAIMS) == set(in_spec())
    assert {papers for papers, *_ in ROWS.values()} == {papers for _, papers in CLAIMS.values()}


@pytest.mark.parametrize("words", ROWS)
def test_the_figures_of_a_row_give_its_verdicts_and_what_fails_is_expected(words: str) -> None:
    _, limit, measured, verdict = ROWS[words]
    claims = in_spec()[NAMES[words]]
    ((key, bound),) = claims[0].limits.items()
    assert all(dict(claim.limits) == {key: bound} for claim in claims)
    figure = float(re.findall(r"[+-]?\d+\.\d+", limit)[0]) / (100 if limit.endswith(("pp", "%")) else 1)
    assert figure == pytest.approx(bound)
    assert ("at most" in limit) == key.startswith("max")
    found = [float(one) / (100 if measured.endswith(("pp", "%")) else 1) for one in values(measured)]
    verdicts = values(verdict) if len(values(verdict)) > 1 else [verdict] * len(found)
    assert len(found) == len(verdicts) == len(claims)
    for claim, value, said in zip(claims, found, verdicts, strict=True):
        kept = value <= bound if key.startswith("max") else value >= bound
        assert (said == "fails") == (not kept) == (claim.expect is not None), claim.id
        assert said in ("holds", "open", "fails")


def test_the_reasons_are_those_of_the_spec_and_give_what_was_measured() -> None:
    assert README.partition(REASONS)[2].strip().splitlines() == list(reasons())
    for claims in in_spec().values():
        assert all(re.match(r"measured [+-]?\d", claim.expect) for claim in claims if claim.expect)


def test_the_readme_links_to_the_table() -> None:
    assert "(specs/claims/README.md)" in (SPEC.parents[1] / "README.md").read_text(encoding="utf-8")


def judged(name: str, model: str, **other: Any) -> dict[str, Any]:
    """An aggregate as a report has it."""
    one = {"id": f"s::_all::{name}", "models": [model, "plain-0"], "kind": "compare", "value": 0.5, "level": "block"}
    return one | {"limit": {"min_gain": 0.0}, "verdict": "PASS"} | other


def report() -> list[dict[str, Any]]:
    """All claims, each judged on one net."""
    return [judged(name, "other-0") for name in CLAIMS]


def row(aggregates: Sequence[Mapping[str, Any]], name: str) -> str:
    lines = table(aggregates, {"plain-0": 0.99, "dyntta-0": 0.975})
    (found,) = (line for line in lines if line.startswith(f"| {CLAIMS[name][0]} |"))
    return found.split(" | ", 2)[2]


def test_a_row_lists_its_seeds_by_recipe() -> None:
    name = "augmix-helps-scaled"
    others = [one for one in report() if not one["id"].endswith(name)]
    seeds = [
        judged(f"{name}-1", "b-1", value=-0.00001, verdict="INCONCLUSIVE"),
        judged(f"{name}-0", "b-0", value=0.01234),
        judged(f"{name}-2", "b-2", value=-0.1, verdict="BELOW_FLOOR"),
    ]
    assert row(others + seeds, name) == "at least +0.00 pp | +1.23 pp, +0.00 pp, -10.00 pp | holds, open, fails |"
    more = [judged(name, "a-0", verdict="UNEXPECTED_PASS"), judged(name, "c-0", level="warn", verdict="BELOW_FLOOR")]
    expected = "a +50.00 pp; b +1.23 pp, +0.00 pp, -10.00 pp | a holds; b holds, open, fails |"
    assert row(others + seeds + more, name).endswith(expected)


def test_a_clean_loss_is_that_of_the_clean_cells() -> None:
    name = "dyntta-costs-little"
    others = [one for one in report() if not one["id"].endswith(name)]
    loss = judged(name, "dyntta-0", limit={"max_clean_loss": 0.02})
    assert row([*others, loss], name) == "clean loss at most +2.00 pp | +1.50 pp | holds |"


def test_a_claim_that_was_not_judged_has_no_row() -> None:
    for wrong in (report()[1:], [report()[0] | {"verdict": "ERROR"}, *report()[1:]]):
        with pytest.raises(RobustError, match="does not judge detail"):
            list(table(wrong, {}))
