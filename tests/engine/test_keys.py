"""What makes two columns of specs one pass."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_robust.engine.keys import pass_key
from pytest_robust.errors import Mark
from pytest_robust.spec.plan import CellPlan, DatasetPlan, ModelPlan, PathText, ShiftPlan

MARK = Mark("specs/a.yaml", 3, 3)


def path(text: str, base: str = "/specs", line: int = 3) -> PathText:
    return PathText(text, Path(base), Mark("a.yaml", line, 1))


def key(**changes: Any) -> str:
    shift = ShiftPlan("c", "imagenet-c", "fog", 1, 1, DatasetPlan("digits", MARK), MARK, {"stored": "../c"}, False)
    shift = replace(shift, **{"stored": path("../c"), **changes})
    return pass_key(CellPlan(ModelPlan("net", path("net.onnx"), MARK), shift, ()), 0)


def test_a_published_set_is_the_folder_and_not_the_line_that_names_it() -> None:
    assert key(stored=path("../c", line=9)) == key()
    assert key(stored=path("../c", base="/other")) != key()


def test_the_classes_of_the_models_matter_to_a_natural_shift() -> None:
    mains = [DatasetPlan("folder", MARK, path("val"), classes=classes) for classes in (None, ("a", "b"), ("b", "a"))]
    assert len({key(main=main) for main in (None, *mains)}) == 4


def test_what_a_case_is_called_and_where_it_stands_makes_no_difference() -> None:
    assert key(entry="d", mark=Mark("b.yaml", 1, 1)) == key()
