"""Whatever the text, a spec gives a plan or a `SpecError` that prints; nothing else ever comes out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_robust.errors import Problem, SpecError
from pytest_robust.spec.build import load_plan
from pytest_robust.spec.catalog import Catalog
from pytest_robust.spec.plan import Plan
from tests.spec.conftest import TODAY
from tests.spec.test_design import SPEC
from tests.spec.test_rows import HEAD, PROFILES, WAIVER

WHOLE = (
    SPEC + f"waivers: [{{where: {{model: resnet50}}, {WAIVER}}}]\nprofiles: {{quick: {{limit: 5, severities: 3}}}}\n"
)
LINE = re.compile(r"s:\d+:\d+: \S")


@pytest.fixture(scope="module")
def survive(tmp_path_factory: pytest.TempPathFactory, catalog: Catalog) -> Callable[[str | bytes], None]:
    path: Path = tmp_path_factory.mktemp("fuzz") / "s.yaml"

    def read(text: str | bytes) -> None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        plan, problems = attempt(path)
        # One line per problem, in the order of the file.
        assert all(LINE.match(str(problem)) for problem in problems)
        assert list(problems) == sorted(problems)
        assert (plan is None) == bool(problems)
        if plan is not None:
            ids = [cell.id for cell in plan.cells] + [aggregate.id for aggregate in plan.aggregates]
            assert len(ids) == len(set(ids))
            assert all(re.fullmatch(r"[A-Za-z0-9_.-]+::[A-Za-z0-9_.-]+", name) for name in ids)

    def attempt(path: Path) -> tuple[Plan | None, tuple[Problem, ...]]:
        try:
            return load_plan(path, catalog, display="s", today=TODAY), ()
        except SpecError as error:
            return None, error.problems

    return read


@settings(max_examples=3000, deadline=None)
@given(text=st.text(max_size=200) | st.binary(max_size=200))
def test_any_text(survive: Callable[[str | bytes], None], text: str | bytes) -> None:
    survive(text)


@settings(max_examples=3000, deadline=None)
@given(text=st.text(alphabet="ab:-{}[],&*!|>'\"%@`#?~ \n\t01.<", max_size=60))
def test_text_of_yamls_own_characters(survive: Callable[[str | bytes], None], text: str) -> None:
    survive(text)
    survive(f"format: 1\nmodels: {{a: {{path: x}}}}\nthresholds: {text}\n")


TOKENS = sorted(set(re.findall(r"[A-Za-z_][\w.-]*|\d[\d.]*|[{}\[\],:]|\n *-? ?", WHOLE)))


@settings(max_examples=3000, deadline=None)
@given(data=st.data())
def test_mutations_of_a_valid_spec(survive: Callable[[str | bytes], None], data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([WHOLE, HEAD + PROFILES]))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        piece = data.draw(st.sampled_from(["", "null", "true", "-1", "1e999", ".nan", "[]", "{}", "'", "\t", *TOKENS]))
        text = text[:start] + piece + text[end:]
    survive(text)


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.floats(-2, 2) | st.sampled_from([*TOKENS, "a", "b", "fog"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(TOKENS), inner, max_size=3),
    max_leaves=6,
)
KEYS = re.findall(r"^\w+", WHOLE, re.MULTILINE)
SCALARS = re.findall(r"(?<=: )[^\s{}\[\],#][^{}\[\],#\n]*|(?<=[\[ ])\d[\d.]*", WHOLE)


@settings(max_examples=3000, deadline=None)
@given(key=st.sampled_from(KEYS), value=values)
def test_any_value_in_any_section(survive: Callable[[str | bytes], None], key: str, value: Any) -> None:
    parts = {"format": "format: 1", "models": "models: {a: {path: x}}", key: f"{key}: {json.dumps(value)}"}
    survive("\n".join(parts.values()))


@settings(max_examples=3000, deadline=None)
@given(position=st.integers(0, len(SCALARS) - 1), value=values)
def test_any_value_in_any_place(survive: Callable[[str | bytes], None], position: int, value: Any) -> None:
    survive(WHOLE.replace(SCALARS[position], json.dumps(value), 1))
