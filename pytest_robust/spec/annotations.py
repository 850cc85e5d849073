"""Walks type annotations of pydantic models along a path, to say what a place of the document may hold."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo


def unfold(kind: Any) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The plain types in an annotation, each with the metadata around it."""
    if isinstance(kind, FieldInfo):
        for inner, metadata in unfold(kind.annotation):
            yield inner, (*metadata, *kind.metadata)
    elif get_origin(kind) is Annotated:
        inner_kind, *around = get_args(kind)
        flat = [part for item in around for part in (item.metadata if isinstance(item, FieldInfo) else [item])]
        for inner, metadata in unfold(inner_kind):
            yield inner, (*metadata, *flat)
    elif get_origin(kind) in (Union, types.UnionType):
        for option in get_args(kind):
            yield from unfold(option)
    else:
        yield kind, ()


def metadata_of(kind: Any) -> list[Any]:
    """Everything that `Annotated` and `Field` say of a type, bounds for instance."""
    return [part for _, metadata in unfold(kind) for part in metadata]


def _fields(kind: Any) -> dict[str, FieldInfo]:
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return {}
    return {field.alias or name: field for name, field in kind.model_fields.items()}


def keys_of(kind: Any) -> Iterator[str]:
    """The keys that a mapping of this type takes."""
    for inner, _ in unfold(kind):
        yield from _fields(inner)


def step(kind: Any, part: str | int) -> Iterator[Any]:
    """The types that a key or index of a value of this type has."""
    for inner, _ in unfold(kind):
        arguments = get_args(inner)
        origin = get_origin(inner)
        if isinstance(part, str) and part in _fields(inner):
            yield _fields(inner)[part]
        elif isinstance(part, int) and origin in (list, tuple, set, frozenset) and arguments:
            fixed = origin is tuple and arguments[-1] is not Ellipsis and part < len(arguments)
            yield arguments[part] if fixed else arguments[0]
        elif isinstance(origin, type) and issubclass(origin, Mapping) and len(arguments) == 2:
            yield arguments[1]


def key_types(kind: Any) -> Iterator[Any]:
    """The types that the keys of a mapping of this type have."""
    for inner, _ in unfold(kind):
        origin = get_origin(inner)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            yield get_args(inner)[0]
