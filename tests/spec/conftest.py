from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pytest_robust.errors import SpecError
from pytest_robust.spec.build import load_plan
from pytest_robust.spec.catalog import Catalog, Suite, Variant
from pytest_robust.spec.mce import IMAGENET_C
from pytest_robust.spec.plan import Plan

TODAY = datetime.date(2026, 6, 1)

CORRUPTIONS = (*IMAGENET_C, "speckle_noise")


class CorruptionOptions(BaseModel):
    """Common corruptions."""

    model_config = ConfigDict(extra="forbid")
    corruptions: list[Literal[CORRUPTIONS]] = Field(default=list(IMAGENET_C), description="Which ones.")  # type: ignore[valid-type]
    severities: list[Annotated[int, Field(ge=1, le=5)]] = Field(
        default=[1, 2, 3, 4, 5], description="Which severities."
    )
    stored: str | None = Field(default=None, description="A folder of published images.")


class ScalingOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    multiples: list[Annotated[float, Field(gt=0, le=16)]]
    mode: Literal["down_up", "zoom_crop", "feed_scaled"] = "down_up"


class NormGrid(BaseModel):
    model_config = ConfigDict(extra="forbid")
    radius: float


class LpOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    norms: dict[Literal["inf", "2", "0"], tuple[float, ...]] = Field(min_length=1)
    grid: NormGrid | None = None
    signed: bool = False


class TextOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    words: list[str] = []
    table: Annotated[
        tuple[Literal[1, 2], ...], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else (v,))
    ] = (1,)


def corruptions(options: Any) -> Iterator[Variant]:
    for name in options.corruptions:
        for severity in options.severities:
            yield Variant(name, severity, 1, {} if options.stored is None else {"stored": options.stored})


def scaling(options: Any) -> Iterator[Variant]:
    if options.mode == "feed_scaled" and max(options.multiples) > 4:
        raise ValueError("feed_scaled goes up to 4")
    for multiple in options.multiples:
        yield Variant(options.mode, multiple, 2, {"multiple": multiple}, options.mode == "feed_scaled")


def lp_noise(options: Any) -> Iterator[Variant]:
    for norm, radii in options.norms.items():
        for radius in radii:
            yield Variant(f"l{norm}", radius, 1)


def words(options: Any) -> Iterator[Variant]:
    for word in options.words:
        yield Variant("word", word, 1)


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    suites = (
        Suite("imagenet-c", CorruptionOptions, corruptions),
        Suite("scaling", ScalingOptions, scaling),
        Suite("lp-noise", LpOptions, lp_noise),
        Suite("words", TextOptions, words),
    )
    return {suite.name: suite for suite in suites}


Load = Callable[..., Plan]
Refuse = Callable[..., None]


@pytest.fixture
def load(tmp_path: Path, catalog: Catalog) -> Load:
    """Plan of a spec given as text, with `TODAY` as the date."""

    def load_text(text: str, **options: Any) -> Plan:
        path = tmp_path / options.pop("file", "spec.yaml")
        path.write_text(text, encoding="utf-8")
        return load_plan(path, catalog, **{"display": "spec.yaml", "today": TODAY, **options})

    return load_text


@pytest.fixture
def refuse(load: Load) -> Refuse:
    """``refuse(text, *messages)``: the spec is refused with exactly these problems, in this order.

    Each `^` in the text is taken out and marks where one problem must be reported; a message is the beginning of
    its sentence.
    """

    def check(text: str, *messages: str, **options: Any) -> None:
        places, clean = [], ""
        for part in text.split("^")[:-1]:
            clean += part
            places.append((clean.count("\n") + 1, len(clean) - clean.rfind("\n")))
        with pytest.raises(SpecError) as caught:
            load(text.replace("^", ""), **options)
        problems = caught.value.problems
        found = [f"{problem.mark.line}:{problem.mark.column}: {problem.message}" for problem in problems]
        wanted = [f"{line}:{column}: {message}" for (line, column), message in zip(places, messages, strict=True)]
        starts = [sentence[: len(message)] for sentence, message in zip(found, wanted, strict=False)]
        assert (starts, found[len(wanted) :]) == (wanted, []), "\n".join(found)
        assert {problem.mark.file for problem in problems} == {"spec.yaml"}

    return check
