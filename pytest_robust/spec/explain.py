"""Turns pydantic's errors into sentences, each with the place in the document that it speaks of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotated_types import Ge, Gt, Le, Lt

from pytest_robust.spec.annotations import keys_of, metadata_of, step
from pytest_robust.spec.loader import Node
from pytest_robust.spec.problems import Place, Problems, did_you_mean, show
from pytest_robust.spec.types import PATTERNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel, ValidationError

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

_FEW = 4
"""So many choices are listed although one of them is close."""


@dataclass(slots=True)
class _Fault:
    """One error of pydantic, tied to the document; `subject` is how a sentence about it begins."""

    type: str
    subject: str
    path: tuple[str, ...]
    place: Place
    value: Node
    last: str
    expected: list[Any]
    detail: Any


def explain(error: ValidationError, model: type[BaseModel], node: Node, at: Place, problems: Problems) -> None:
    """Note every error of one validation.

    Args:
        error: what pydantic says.
        model: the type that the node was validated as.
        node: the value.
        at: where a key is reported that is missing from the value itself.
        problems: takes the sentences.
    """
    faults = [_locate(detail, model, node, at) for detail in error.errors(include_url=False)]
    # A union reports every branch: the one that got deeper into the value, or past its kind, is the one that was meant.
    passed = {fault.path[:depth] for fault in faults for depth in range(len(fault.path))}
    passed |= {fault.path for fault in faults if fault.type not in _KINDS and fault.type != "literal_error"}
    kinds: dict[tuple[str, ...], list[str]] = {}
    for fault in faults:
        if fault.path in passed and (fault.type in _KINDS or fault.type == "literal_error"):
            continue
        if fault.type in _KINDS:
            kinds.setdefault(fault.path, []).append(_KINDS[fault.type])
        else:
            problems.add(fault.place, _sentence(fault))
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
    subject = ""
    expected: list[Any] = [model]
    for part in parts[:-1] if kind in ("extra_forbidden", "missing") else parts:
        expected = [after for old in expected for after in step(old, part)] or expected
        if isinstance(here.value, dict) and part in here.value:
            owner, here = here.keys[part], here.value[part]
            subject = f"`{part}`"
        elif isinstance(here.value, list) and isinstance(part, int):
            here = here.value[part]
            owner = here.place
            subject = subject if subject.startswith("a value") or not subject else f"a value of {subject}"
        elif part == "[key]" and path:
            here = Node(owner, path[-1])
            subject = "this key"
        else:
            continue
        path.append(str(part))
    if kind == "extra_forbidden":
        return _Fault(kind, subject, (*path, last), here.key(last), here, last, expected, detail)
    if kind == "missing":
        return _Fault(kind, subject, (*path, last), owner, here, last, expected, detail)
    subject = subject or "this"
    return _Fault(kind, subject, tuple(path), here.place, here, last, expected, detail)


def _sentence(fault: _Fault) -> str:
    context: Mapping[str, Any] = fault.detail.get("ctx", {})
    value = fault.value.plain()
    if fault.type == "extra_forbidden":
        valid = sorted({name for kind in fault.expected for name in keys_of(kind)})
        return f"unknown key '{fault.last}'{did_you_mean(fault.last, valid)}"
    if fault.type == "missing":
        return f"the key '{fault.last}' is missing"
    if fault.type == "not_given":
        return f"{fault.subject} {fault.detail['msg']}"
    if fault.type in ("literal_error", "enum"):
        choices = str(context["expected"])
        names = choices.replace(" or ", ", ").replace("'", "").split(", ")
        near = did_you_mean(value, names) if isinstance(value, str) else ""
        near = near if "did you mean" in near else ""
        if near and len(names) > _FEW:
            return f"{fault.subject} cannot be {show(value)}{near}"
        return f"{fault.subject} must be {choices}, not {show(value)}{near}"
    if fault.type in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        return f"{fault.subject} must be {_bounds(fault)}, not {show(value)}{_percent(fault, value)}"
    if fault.type == "string_pattern_mismatch":
        pattern = str(context["pattern"])
        return f"{fault.subject} must be {PATTERNS.get(pattern, f'text like {pattern}')}, not {show(value)}"
    if fault.type in ("too_short", "string_too_short"):
        what = "values" if fault.type == "too_short" else "characters"
        least = context["min_length"]
        return f"{fault.subject} must " + ("not be empty" if least == 1 else f"have at least {least} {what}")
    if fault.type in ("too_long", "string_too_long"):
        what = "values" if fault.type == "too_long" else "characters"
        return f"{fault.subject} must have at most {context['max_length']} {what}"
    if fault.type in ("value_error", "assertion_error"):
        return f"{fault.subject}: {context.get('error', fault.detail['msg'])}"
    message = str(fault.detail["msg"])
    return f"{fault.subject}: {message[:1].lower()}{message[1:]}"


def _wrong_kind(wanted: list[str], fault: _Fault) -> str:
    kinds = list(dict.fromkeys(wanted))
    if "a number" in kinds:
        kinds = [kind for kind in kinds if kind != "a whole number"]
    given = fault.value.plain()
    text = f"{fault.subject} must be {' or '.join(kinds)}, not {show(given)}"
    if kinds == ["text"] and isinstance(given, (bool, int, float)):
        text += "; put quotes around it"
    return text


def _bounds(fault: _Fault) -> str:
    found = {type(bound): bound for kind in fault.expected for bound in metadata_of(kind)}
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
    is_fraction = any(isinstance(bound, Le) and bound.le == 1 for kind in fault.expected for bound in metadata_of(kind))
    if is_fraction and isinstance(value, (int, float)) and 1 < value <= 100:
        return f"; it is a fraction, so write {value:g} % as {value / 100:g}"
    return ""
