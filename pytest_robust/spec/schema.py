"""The JSON Schema of the spec language, for editors; made from the models that the loader itself validates with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_robust.spec.language import NaturalEntry, Spec
from pytest_robust.spec.types import NAME

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pytest_robust.spec.catalog import Catalog, Suite

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(catalog: Catalog) -> dict[str, Any]:
    """Describe the language with the options of every known suite.

    Args:
        catalog: the suites that `shifts` may name.

    Returns:
        A JSON Schema (draft 2020-12) as plain JSON values. It refuses unknown keys, wrong types and values out of
        range; names that must exist elsewhere in the spec are left to the loader.
    """
    schema = Spec.model_json_schema(ref_template="#/$defs/{model}")
    definitions: dict[str, Any] = schema["$defs"]
    definitions.pop("SuiteEntry")
    entries = [_suite(suite, definitions) for suite in catalog.values()]
    natural = {"$ref": f"#/$defs/{NaturalEntry.__name__}"}
    schema["properties"]["shifts"]["items"] = {"anyOf": [*entries, natural]}
    for section in ("models", "profiles"):
        schema["properties"][section]["propertyNames"] = {"pattern": NAME}
    schema = _tidy(schema)
    return {"$schema": DIALECT, **schema}


def _suite(suite: Suite, definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema of one suite's entry; what its options refer to joins the shared definitions."""
    prefix = f"{suite.name}."
    own = _options(suite.options, prefix)
    for name, definition in own.pop("$defs", {}).items():
        definitions[prefix + name] = definition
    name = {"type": "string", "pattern": NAME, "description": "First part of the case names; the suite's unless given."}
    about = {"const": suite.name, "description": own.get("description", f"The shifts of {suite.name}.")}
    return {
        **own,
        "type": "object",
        "title": suite.name,
        "properties": {"suite": about, "name": name, **own.get("properties", {})},
        "required": ["suite", *own.get("required", [])],
        "additionalProperties": False,
    }


def _options(model: type[BaseModel], prefix: str) -> dict[str, Any]:
    return model.model_json_schema(ref_template=f"#/$defs/{prefix}{{model}}")


def _tidy(value: Any) -> Any:
    """Drop the titles that pydantic makes of key names, and defaults that only mean that a key is absent."""
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _tidy(item)
        for key, item in value.items()
        if not (key == "default" and (item is None or item == [] or isinstance(item, dict)))
        and not (key == "title" and "properties" not in value)
    }
