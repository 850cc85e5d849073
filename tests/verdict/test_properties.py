from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_robust.spec.plan import Gate
from pytest_robust.verdict import Evidence, Verdict, fails, judge, updated

from .cases import compared, flips, golden, row

FRACTIONS = st.integers(0, 20).map(lambda k: k / 20)
LIMITS = ("min_accuracy", "max_drop", "max_regression", "max_negative_flips")
LEVELS = st.sampled_from(["block", "warn"])
GATES = st.builds(
    Gate,
    alpha=st.sampled_from([0.5, 0.05, 0.01, 1e-6]),
    inconclusive=st.sampled_from(["warn", "fail", "pass"]),
    require=st.sampled_from([None, "proven"]),
)


@st.composite
def threshold_rows(draw, level=LEVELS):
    limits = draw(st.dictionaries(st.sampled_from(LIMITS), FRACTIONS, min_size=1))
    against = draw(st.sampled_from([("latest",), ("anchor",), ("latest", "anchor")]))
    return row(draw(st.integers(1, 99)), **limits, level=draw(level), against=against)


@st.composite
def tables(draw, n, correct):
    """Flips from some golden to a cell with `correct` of n right."""
    c = draw(st.integers(0, correct))
    b = draw(st.integers(0, n - correct))
    firm = draw(st.none() | st.tuples(st.integers(0, b), st.integers(0, c)))
    return flips(n, correct - c + b, b, c), firm


@st.composite
def evidences(draw):
    n = draw(st.integers(0, 60))
    correct = draw(st.integers(0, n))
    goldens = {}
    if n:
        for role in draw(st.sets(st.sampled_from(["latest", "anchor"]))):
            table, firm = draw(tables(n, correct))
            goldens[role] = golden(table, role, firm)
    return Evidence(
        n=n,
        correct=correct,
        clean=draw(st.none() | st.just((9, 10))),
        goldens=goldens,
        family=draw(st.integers(0, 100)),
        error=draw(st.none() | st.just("out of memory")),
        smoke=draw(st.booleans()),
    )


ROWS = st.lists(threshold_rows(), max_size=4)


@settings(deadline=None)
@given(evidences(), ROWS, GATES)
def test_verdict_level_and_reasons_follow_from_the_findings(evidence, rows, gate):
    found = judge(evidence, rows, gate)
    blocking = [finding for finding in found.findings if finding.level == "block"]
    speaking = blocking or found.findings
    if speaking:
        assert found.verdict.rank == min(finding.verdict.rank for finding in speaking)
        assert found.level == ("block" if blocking else "warn")
    else:
        assert found.verdict in (Verdict.IMPROVED, Verdict.PASS)
        assert found.level == "block"
    assert all(finding.sentence in found.reasons for finding in found.findings)
    assert len(set(found.reasons)) == len(found.reasons)
    assert found.headline
    assert "\n" not in found.headline


@settings(deadline=None)
@given(evidences(), ROWS, threshold_rows(st.just("warn")), GATES)
def test_a_further_warning_never_changes_what_fails(evidence, rows, warning, gate):
    assert fails(judge(evidence, [*rows, warning], gate), gate) == fails(judge(evidence, rows, gate), gate)


@settings(deadline=None)
@given(evidences(), ROWS, threshold_rows(), GATES)
def test_a_further_row_never_makes_a_failure_pass(evidence, rows, further, gate):
    if fails(judge(evidence, rows, gate), gate):
        strict = replace(gate, inconclusive="fail")
        assert fails(judge(evidence, [*rows, further], strict), strict)


@settings(deadline=None)
@given(evidences(), ROWS, GATES, st.randoms())
def test_the_order_of_rows_decides_nothing(evidence, rows, gate, random):
    found = judge(evidence, rows, gate)
    shuffled = random.sample(rows, len(rows))
    other = judge(evidence, shuffled, gate)
    assert (other.verdict, other.level, other.proven) == (found.verdict, found.level, found.proven)
    assert sorted(other.reasons) == sorted(found.reasons)


@settings(deadline=None)
@given(evidences(), ROWS, GATES)
def test_an_update_never_raises_a_verdict_and_keeps_floors(evidence, rows, gate):
    before = judge(evidence, rows, gate)
    after = updated(before, evidence)
    if fails(after, gate):
        assert fails(before, gate)
    hard = [finding for finding in before.findings if finding.subject in ("run", "floor", "clean")]
    if any(finding.level == "block" for finding in hard):
        assert fails(after, gate)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))), FRACTIONS, st.integers(0, 50))
def test_losing_more_is_never_judged_better(size, limit, family):
    """From no loss to all lost the verdict on a regression only moves towards REGRESSED."""
    n, was = size
    rows = [row(max_regression=limit)]
    gate = Gate(alpha=0.05)
    ranks = [judge(compared(n, was, b, 0, family=family), rows, gate).verdict.rank for b in range(was + 1)]
    assert ranks == sorted(ranks, reverse=True)


@settings(deadline=None)
@given(st.integers(1, 400), st.data())
def test_a_regression_needs_more_evidence_in_a_larger_family(n, data):
    b = data.draw(st.integers(0, n))
    c = data.draw(st.integers(0, n - b))
    rows = [row(max_regression=0.0)]
    verdicts = [judge(compared(n, b, b, c, family=m), rows, Gate()).verdict for m in (1, 10, 1000)]
    regressed = [verdict is Verdict.REGRESSED for verdict in verdicts]
    assert regressed == sorted(regressed, reverse=True)
