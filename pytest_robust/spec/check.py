"""Checks the sections of a spec against the language.

Each element of a section is validated by itself, so that one bad row hides no problem in the others.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from pytest_robust.spec.annotations import step, unfold
from pytest_robust.spec.explain import explain
from pytest_robust.spec.loader import Node
from pytest_robust.spec.problems import Place, Problems, show

if TYPE_CHECKING:
    from collections.abc import Iterator

M = TypeVar("M", bound=BaseModel)
M_co = TypeVar("M_co", bound=BaseModel, covariant=True)


@dataclass(frozen=True, slots=True)
class Item(Generic[M_co]):
    """One element of a section: its place (that of its key, if it has one), its node and what it says.

    `value` is None where the element is wrong; the problems are noted then.
    """

    name: str
    at: Place
    node: Node
    value: M_co | None


class Reader:
    """Takes the sections out of a spec's root."""

    def __init__(self, root: Node, problems: Problems) -> None:
        self.root = root
        self.problems = problems

    def keys(self, model: type[M], names: tuple[str, ...]) -> M | None:
        """These keys of the root, validated together as `model`."""
        found = [name for name in names if name in self.root.keys]
        part = Node(
            self.root.place,
            {name: node for name, _, node in self.root.items() if name in found},
            {name: self.root.keys[name] for name in found},
        )
        return validate(model, part, self.root.place, self.problems)

    def one(self, key: str, model: type[M]) -> Item[M]:
        """A section that is one mapping; an absent one is all defaults."""
        node = self.root.get(key) or Node(self.root.place, {})
        at = self.root.key(key)
        return Item(key, at, node, validate(model, node, at, self.problems))

    def table(self, key: str, model: type[M]) -> list[Item[M]]:
        """A section of named mappings."""
        node = self.root.get(key)
        if node is None:
            return []
        if not isinstance(node.value, dict):
            self.problems.add(node.place, f"`{key}` must be a mapping of names, not {show(node.plain())}")
            return []
        return [Item(name, at, row, validate(model, row, at, self.problems)) for name, at, row in node.items()]

    def rows(self, key: str) -> list[Node]:
        """A section that is a list; its elements are still to be validated."""
        node = self.root.get(key)
        if node is None:
            return []
        if not isinstance(node.value, list):
            hint = "; begin each row with `- `" if isinstance(node.value, dict) else ""
            self.problems.add(node.place, f"`{key}` must be a list, not {show(node.plain())}{hint}")
            return []
        return node.value

    def listed(self, key: str, model: type[M]) -> list[Item[M]]:
        """A section that is a list of one kind of row."""
        return [Item(key, row.place, row, validate(model, row, row.place, self.problems)) for row in self.rows(key)]


def validate(model: type[M], node: Node, at: Place, problems: Problems) -> M | None:
    """Validate one mapping strictly.

    Args:
        model: the pydantic model; JSON semantics hold, so a list may become a tuple but `3` never text.
        node: the value.
        at: where a missing key is reported, the place of the mapping's own key.
        problems: takes what is wrong.

    Returns:
        The validated model, or None after noting at least one problem.
    """
    text = json.dumps(node.plain())
    try:
        value = model.model_validate_json(text, strict=True)
    except ValidationError as error:
        explain(error, model, node, at, problems)
        return None
    # Python's true equals 1, and so it passes as a choice of 1 even where pydantic is strict.
    strays = list(_stray_booleans(node, [model])) if "true" in text or "false" in text else []
    for stray, choices in strays:
        wanted = " or ".join(show(choice) for choice in choices)
        problems.add(stray.place, f"this must be {wanted}, not {show(stray.value)}")
    return None if strays else value


def _stray_booleans(node: Node, kinds: list[Any]) -> Iterator[tuple[Node, tuple[Any, ...]]]:
    """The booleans of a document that stand where only other choices are listed."""
    if isinstance(node.value, dict):
        for key, _, child in node.items():
            yield from _stray_booleans(child, [after for kind in kinds for after in step(kind, key)])
    elif isinstance(node.value, list):
        for index, child in enumerate(node.value):
            yield from _stray_booleans(child, [after for kind in kinds for after in step(kind, index)])
    elif isinstance(node.value, bool):
        # A single value may stand for a list of one.
        listed = [after for kind in kinds for after in step(kind, 0)]
        plain = [inner for kind in (*kinds, *listed) for inner, _ in unfold(kind)]
        choices = [get_args(kind) for kind in plain if get_origin(kind) is Literal]
        if choices and bool not in plain and not any(isinstance(one, bool) for args in choices for one in args):
            yield node, choices[0]
