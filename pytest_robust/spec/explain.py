"""Turns pydantic's errors into sentences, each with the place in the document that it speaks of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotated_types import Ge, Gt, Le, Lt

from pytest_robust.spec.annotations import key_types, keys_of, metadata_of, step
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


@dataclass(frozen=True, slots=True)
class _Fault:
    """One error of pydantic, tied to the document.

    Attributes:
        detail: the error as pydantic reports it.
        subject: how a sentence about it begins.
        path: the keys and indices that lead to it.
        place: where it is reported.
        value: what stands there; for a missing or unknown key, the mapping around it.
        expected: the annotations of what may stand there.
    """

    detail: Any
    subject: str
    path: tuple[str, ...]
    place: Place
    value: Node
    expected: list[Any]

    @property
    def type(self) -> str:
        """Pydantic's name of the error."""
        return str(self.detail["type"])

    @property
    def wanted(self) -> str | None:
        """What a value of another kind should have been; None for other errors."""
        if self.type in ("literal_error", "enum"):
            return str(self.detail["ctx"]["expected"])
        return _KINDS.get(self.type)


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
    passed |= {fault.path for fault in faults if fault.wanted is None}
    kinds: dict[tuple[str, ...], list[_Fault]] = {}
    for fault in faults:
        if fault.wanted is None:
            problems.add(fault.place, _sentence(fault))
        elif fault.path not in passed:
            kinds.setdefault(fault.path, []).append(fault)
    for branches in kinds.values():
        problems.add(branches[0].place, _wrong_kind(branches))


def _locate(detail: Any, model: type[BaseModel], node: Node, at: Place) -> _Fault:
    """Follow an error's location through the document and the types side by side.

    Names of union branches and indices into a value that was wrapped as a list stand in locations too; they match
    nothing in the document and are stepped over.
    """
    kind, parts = detail["type"], detail["loc"]
    here, owner, subject = node, at, ""
    path: list[str] = []
    expected: list[Any] = [model]
    around = expected
    for part in parts[:-1] if kind in ("extra_forbidden", "missing") else parts:
        if isinstance(here.value, dict) and part in here.value:
            owner, here = here.keys[part], here.value[part]
            subject = f"`{part}`"
        elif isinstance(here.value, list) and isinstance(part, int):
            here = here.value[part]
            owner = here.place
            subject = f"a value of {subject}" if subject.startswith("`") else subject
        elif part == "[key]" and path:
            here, subject = Node(owner, path[-1]), "this key"
            expected = [key for old in around for key in key_types(old)]
            break
        else:
            expected = [after for old in expected for after in step(old, part)] or expected
            continue
        around, expected = expected, [after for old in expected for after in step(old, part)]
        path.append(str(part))
    if kind in ("extra_forbidden", "missing"):
        path.append(str(parts[-1]))
        place = here.key(path[-1]) if kind == "extra_forbidden" else owner
        if isinstance(here.value, list):
            place = here.place
        return _Fault(detail, subject, tuple(path), place, here, expected)
    return _Fault(detail, subject or "this", tuple(path), here.place, here, expected)


def _sentence(fault: _Fault) -> str:
    """What to say of an error that is not one of kind."""
    context: Mapping[str, Any] = fault.detail.get("ctx", {})
    subject, value = fault.subject, fault.value.plain()
    last = fault.detail["loc"][-1] if fault.detail["loc"] else ""
    match fault.type:
        case "extra_forbidden":
            valid = sorted({name for kind in fault.expected for name in keys_of(kind)})
            return f"unknown key '{last}'{did_you_mean(last, valid)}"
        case "missing":
            if isinstance(last, int):
                return f"{subject} lacks value number {last + 1}"
            return f"the key '{last}' is missing"
        case "not_given":
            return f"{subject} {fault.detail['msg']}"
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            return f"{subject} must be {_bounds(fault)}, not {show(value)}{_percent(fault, value)}"
        case "string_pattern_mismatch":
            pattern = str(context["pattern"])
            return f"{subject} must be {PATTERNS.get(pattern, f'text like {pattern}')}, not {show(value)}"
        case "too_short" | "string_too_short":
            least = context["min_length"]
            return f"{subject} must " + ("not be empty" if least == 1 else f"have at least {least} {_units(fault)}")
        case "too_long" | "string_too_long":
            return f"{subject} must have at most {context['max_length']} {_units(fault)}"
        case "value_error" | "assertion_error":
            return f"{subject}: {context['error']}" if fault.path else str(context["error"])
    message = str(fault.detail["msg"])
    return f"{subject}: {message[:1].lower()}{message[1:]}"


def _units(fault: _Fault) -> str:
    return "characters" if fault.type.startswith("string") else "values"


def _wrong_kind(branches: list[_Fault]) -> str:
    """What to say of a value that is of none of the kinds that may stand there."""
    fault, value = branches[0], branches[0].value.plain()
    kinds = list(dict.fromkeys(str(branch.wanted) for branch in branches))
    if "a number" in kinds:
        kinds = [kind for kind in kinds if kind != "a whole number"]
    choices = [name for kind in kinds if kind not in _KINDS.values() for name in re.split(", | or ", kind)]
    near = did_you_mean(value, (name.strip("'") for name in choices)) if isinstance(value, str) else ""
    near = near if "did you mean" in near else ""
    if near and len(choices) > _FEW:
        return f"{fault.subject} cannot be {show(value)}{near}"
    quotes = kinds == ["text"] and isinstance(value, (bool, int, float))
    if fault.path[-1:] == ("enhancer",):
        kinds = [f"{kind} {{path: FILE.onnx}}" if kind == "a mapping" else kind for kind in kinds]
    return (
        f"{fault.subject} must be {' or '.join(kinds)}, not {show(value)}{near}"
        f"{'; put quotes around it' if quotes else ''}"
    )


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
