"""Checks nodes against the language and says what is wrong in sentences with a place.

Each element of a section is validated by itself, so that one bad row hides no problem in the others.
"""

from __future__ import annotations

import json
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from pytest_robust.spec.loader import Node, Place, Problems, did_you_mean, show
from pytest_robust.spec.types import PATTERNS

M = TypeVar("M", bound=BaseModel)
M_co = TypeVar("M_co", bound=BaseModel, covariant=True)

_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "null",
}
"""Errors of pydantic that mean a value of the wrong kind, and the kind that was wanted."""


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
    try:
        return model.model_validate_json(json.dumps(node.plain()), strict=True)
    except ValidationError as error:
        _explain(error, model, node, at, problems)
        return None


@dataclass(slots=True)
class _Fault:
    """One error of pydantic, tied to the document."""

    type: str
    path: tuple[str, ...]
    place: Place
    value: Node
    last: str
    expected: list[Any]
    detail: Any


def _explain(error: ValidationError, model: type[BaseModel], node: Node, at: Place, problems: Problems) -> None:
    faults = [_locate(detail, model, node, at) for detail in error.errors(include_url=False)]
    kinds: dict[tuple[str, ...], list[str]] = {}
    for fault in faults:
        # A union reports every branch: the branch that got deeper into the value is the one that was meant.
        deeper = any(len(o.path) > len(fault.path) and o.path[: len(fault.path)] == fault.path for o in faults)
        if fault.type not in _KINDS:
            problems.add(fault.place, _sentence(fault))
        elif not deeper:
            kinds.setdefault(fault.path, []).append(_KINDS[fault.type])
    for fault in faults:
        wanted = kinds.pop(fault.path, None)
        if wanted:
            problems.add(fault.place, _wrong_kind(wanted, fault))


def _locate(detail: Any, model: type[BaseModel], node: Node, at: Place) -> _Fault:
    """Follow an error's location through the document and the types side by side.

    Names of union branches and indices into a value that was wrapped as a list stand in locations too; they match
    nothing in the document and are stepped over.
    """
    kind, parts = detail["type"], detail["loc"]
    last = str(parts[-1]) if parts else ""
    here, owner = node, at
    path: list[str] = []
    expected: list[Any] = [model]
    for part in parts[:-1] if kind in ("extra_forbidden", "missing") else parts:
        expected = [step for old in expected for step in _step(old, part)] or expected
        if isinstance(here.value, dict) and part in here.value:
            owner, here = here.keys[part], here.value[part]
        elif isinstance(here.value, list) and isinstance(part, int):
            here = here.value[part]
            owner = here.place
        else:
            continue
        path.append(str(part))
    if kind == "extra_forbidden":
        return _Fault(kind, (*path, last), here.key(last), here, last, expected, detail)
    if kind == "missing":
        return _Fault(kind, (*path, last), owner, here, last, expected, detail)
    return _Fault(kind, tuple(path), here.place, here, last, expected, detail)


def _sentence(fault: _Fault) -> str:
    context: Mapping[str, Any] = fault.detail.get("ctx", {})
    value = fault.value.plain()
    if fault.type == "extra_forbidden":
        valid = sorted({name for kind in fault.expected for name in keys_of(kind)})
        return f"unknown key '{fault.last}'{did_you_mean(fault.last, valid)}"
    if fault.type == "missing":
        return f"the key '{fault.last}' is missing"
    if fault.type == "not_given":
        return str(fault.detail["msg"])
    if fault.type in ("literal_error", "enum"):
        choices = str(context["expected"])
        near = did_you_mean(value, choices.replace(" or ", ", ").replace("'", "").split(", "))
        return f"must be {choices}, not {show(value)}" + (near if "did you mean" in near else "")
    if fault.type in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        return f"must be {_bounds(fault)}, not {show(value)}{_percent(fault, value)}"
    if fault.type == "string_pattern_mismatch":
        pattern = str(context["pattern"])
        return f"must be {PATTERNS.get(pattern, f'text like {pattern}')}, not {show(value)}"
    if fault.type in ("too_short", "string_too_short"):
        what = "values" if fault.type == "too_short" else "characters"
        least = context["min_length"]
        return "must not be empty" if least == 1 else f"must have at least {least} {what}"
    if fault.type in ("too_long", "string_too_long"):
        return f"must have at most {context['max_length']} {'values' if fault.type == 'too_long' else 'characters'}"
    if fault.type in ("value_error", "assertion_error"):
        return str(context.get("error", fault.detail["msg"]))
    message = str(fault.detail["msg"])
    return message[0].lower() + message[1:]


def _wrong_kind(wanted: list[str], fault: _Fault) -> str:
    kinds = list(dict.fromkeys(wanted))
    if "a number" in kinds:
        kinds = [kind for kind in kinds if kind != "a whole number"]
    given = fault.value.plain()
    text = f"must be {' or '.join(kinds)}, not {show(given)}"
    if kinds == ["text"] and isinstance(given, (bool, int, float)):
        text += "; put quotes around it"
    return text


def _bounds(fault: _Fault) -> str:
    found = {type(bound): bound for kind in fault.expected for bound in _metadata(kind)}
    low, high = found.get(Ge), found.get(Le)
    if low and high:
        return f"between {low.ge} and {high.le}"
    words = {Ge: "at least", Gt: "above", Le: "at most", Lt: "below"}
    parts = [f"{word} {getattr(found[kind], kind.__name__.lower())}" for kind, word in words.items() if kind in found]
    if parts:
        return " and ".join(parts)
    limits = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    return " and ".join(f"{limits[key]} {value}" for key, value in fault.detail["ctx"].items() if key in limits)


def _percent(fault: _Fault, value: object) -> str:
    is_fraction = any(isinstance(bound, Le) and bound.le == 1 for kind in fault.expected for bound in _metadata(kind))
    if is_fraction and isinstance(value, (int, float)) and 1 < value <= 100:
        return f"; it is a fraction, so write {value:g} % as {value / 100:g}"
    return ""


def _unfold(kind: Any) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The plain types in an annotation, each with the metadata around it."""
    if isinstance(kind, FieldInfo):
        for inner, metadata in _unfold(kind.annotation):
            yield inner, (*metadata, *kind.metadata)
    elif get_origin(kind) is Annotated:
        inner_kind, *around = get_args(kind)
        flat = [part for item in around for part in (item.metadata if isinstance(item, FieldInfo) else [item])]
        for inner, metadata in _unfold(inner_kind):
            yield inner, (*metadata, *flat)
    elif get_origin(kind) in (Union, types.UnionType):
        for option in get_args(kind):
            yield from _unfold(option)
    else:
        yield kind, ()


def _metadata(kind: Any) -> list[Any]:
    return [part for _, metadata in _unfold(kind) for part in metadata]


def _fields(kind: Any) -> dict[str, FieldInfo]:
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return {}
    return {field.alias or name: field for name, field in kind.model_fields.items()}


def keys_of(kind: Any) -> Iterator[str]:
    """The keys that a mapping of this type takes."""
    for inner, _ in _unfold(kind):
        yield from _fields(inner)


def _step(kind: Any, part: str | int) -> Iterator[Any]:
    """The types that a key or index of a value of this type has."""
    for inner, _ in _unfold(kind):
        arguments = get_args(inner)
        origin = get_origin(inner)
        if isinstance(part, str) and part in _fields(inner):
            yield _fields(inner)[part]
        elif isinstance(part, int) and origin in (list, tuple, set, frozenset) and arguments:
            fixed = origin is tuple and arguments[-1] is not Ellipsis and part < len(arguments)
            yield arguments[part] if fixed else arguments[0]
        elif isinstance(origin, type) and issubclass(origin, Mapping) and len(arguments) == 2:
            yield arguments[1]
