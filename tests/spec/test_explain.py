"""Errors of any option model, such as a user's own suite may have, become sentences with a place."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from typing_extensions import TypeAliasType

from pytest_robust.errors import SpecError
from pytest_robust.spec.build import load_plan
from pytest_robust.spec.catalog import Suite, Variant


def check_even(value: int) -> int:
    if value % 2:
        raise ValueError(f"{value} is odd; take an even number")
    return value


Positive = TypeAliasType("Positive", Annotated[int, Field(ge=1)])


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Corner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    at: tuple[int, float]


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    even: Annotated[int, AfterValidator(check_even)] = 2
    tens: Annotated[int, Field(multiple_of=10)] = 10
    code: Annotated[str, Field(pattern="^[A-Z]+$", max_length=3)] = "A"
    pair: Annotated[list[int], Field(min_length=2)] = [1, 2]
    size: Literal["auto"] | Annotated[int, Field(ge=1)] | list[Annotated[float, Field(lt=1)]] = "auto"
    table: dict[Annotated[int, Field(ge=1)], dict[str, Annotated[float, Field(gt=0)]]] = {}
    colour: Colour = Colour.RED
    alias: Positive = 1
    corners: list[Corner] = []
    corner: Corner | bool = False
    exact: Literal[1, 2, True] | None = None
    level: Annotated[float, Field(le=3)] = Field(default=0.5, ge=0.25)
    named: Annotated[int, Field(alias="as")] = 0

    @model_validator(mode="after")
    def check_together(self) -> Options:
        if self.even == 8 and self.tens == 80:
            raise ValueError("8 and 80 do not go together")
        return self


def suite(options: type[BaseModel]) -> dict[str, Suite]:
    def expand(entry: Any) -> list[Variant]:
        return [Variant("s", 1, 1, {"entry": json.loads(entry.model_dump_json())})]

    return {"own": Suite("own", options, expand)}


@pytest.mark.parametrize(
    ("keys", "messages"),
    [
        ("even: ^3", ["`even`: 3 is odd; take an even number"]),
        ("tens: ^5", ["`tens`: input should be a multiple of 10"]),
        ("code: ^ab", ["`code` must be text like ^[A-Z]+$, not 'ab'"]),
        ("code: ^ABCD", ["`code` must have at most 3 characters"]),
        ("pair: ^[1]", ["`pair` must have at least 2 values"]),
        ("size: ^0", ["`size` must be at least 1, not 0"]),
        ("size: ^autoo", ["`size` must be 'auto' or a whole number or a list, not 'autoo', did you mean 'auto'?"]),
        ("size: [0.5, ^1.5]", ["a value of `size` must be below 1, not 1.5"]),
        ("table: {^0: {}}", ["this key must be at least 1, not '0'"]),
        ("table: {^x: {}}", ["this key must be a whole number, not 'x'"]),
        ("table: {1: {x: ^0}}", ["`x` must be above 0, not 0"]),
        ("table: {1: {x: ^a, y: ^b}}", ["`x` must be a number, not 'a'", "`y` must be a number, not 'b'"]),
        ("colour: ^green", ["`colour` must be 'red' or 'blue', not 'green'"]),
        (
            "corners: [{at: [1, 2]}, {at: [^x, 2], ^att: 3}]",
            ["a value of `at` must be a whole number, not 'x'", "unknown key"],
        ),
        ("corners: [^{}]", ["the key 'at' is missing"]),
        ("corners: [{at: ^[1]}]", ["`at` lacks value number 2"]),
        ("^corner: {}", ["the key 'at' is missing"]),
        ("corner: ^3", ["`corner` must be a mapping or true or false, not 3"]),
        ("corner: {^att: 1, at: [1, 2]}", ["unknown key 'att', did you mean 'at'?"]),
        ("level: ^4", ["`level` must be between 0.25 and 3, not 4"]),
        ("level: ^0", ["`level` must be between 0.25 and 3, not 0"]),
        ("^named: 3", ["unknown key 'named' (known: alias, as, code"]),
        ("alias: ^0", ["`alias` must be at least 1, not 0"]),
        ("tens: ^true", ["`tens` must be a whole number, not true"]),
    ],
)
def test_sentences(keys: str, messages: list[str], tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    columns = []
    line = ""
    for part in f"- {{suite: own, {keys}}}".split("^"):
        line += part
        columns.append(len(line) + 1)
    path.write_text(f"format: 1\nmodels: {{a: {{path: x}}}}\nshifts:\n{line}\n")
    with pytest.raises(SpecError) as caught:
        load_plan(path, suite(Options))
    found = [(p.mark.line, p.mark.column, p.message) for p in caught.value.problems]
    assert [(line, column) for line, column, _ in found] == [(4, column) for column in columns[:-1]], found
    for (_, _, said), message in zip(found, messages, strict=True):
        assert said.startswith(message)


@pytest.mark.parametrize(
    "keys", ["even: 4", "size: [0.5]", "table: {3: {x: 1}}", "colour: blue", "corner: true", "exact: true", "as: 3"]
)
def test_what_fits_passes(keys: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(f"format: 1\nmodels: {{a: {{path: x}}}}\nshifts:\n- {{suite: own, {keys}}}\n")
    plan = load_plan(path, suite(Options))
    assert [cell.key for cell in plan.cells] == ["clean", "own.s-1"]


def test_what_a_model_says_of_several_keys_is_said_of_the_entry(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("format: 1\nmodels: {a: {path: x}}\nshifts: [{suite: own, even: 8, tens: 80}]\n")
    with pytest.raises(SpecError, match=r":3:10: 8 and 80 do not go together$"):
        load_plan(path, suite(Options))


def test_a_problem_without_a_key_speaks_of_this(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("format: 1\nmodels: {a: [x]}\n")
    with pytest.raises(SpecError, match=r":2:13: this must be a mapping, not a list$"):
        load_plan(path, {})
