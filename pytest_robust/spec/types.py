"""The small types that the spec language is made of: strict mappings, names, fractions, one value or a list."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

NAME = r"^[A-Za-z0-9.-][A-Za-z0-9_.-]*$"
SHA256 = r"^[0-9a-fA-F]{64}$"
SAID = r"\S"
DATE = r"^\d{4}-\d{2}-\d{2}$"

PATTERNS = {
    NAME: "a name of letters, digits, '.', '_' and '-' that does not begin with '_'",
    SHA256: "a sha256 of 64 hexadecimal digits",
    SAID: "text that says something",
    DATE: "a date such as 2030-01-31",
}
"""Patterns in words, for messages."""


class _Given:
    """Marks an optional key that must have a value once it is written: `min_accuracy:` alone would set no limit."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self._refuse_null, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        described = handler(schema)
        options = [option for option in described.get("anyOf", []) if option != {"type": "null"}]
        return options[0] if len(options) == 1 else {**described, "anyOf": options}

    @staticmethod
    def _refuse_null(value: object) -> object:
        if value is None:
            raise PydanticCustomError("not_given", "has no value; give one or remove the key")
        return value


class OneOrMore:
    """Marks a list that may also be written as one value."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self._listed, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        many = handler(schema)
        return {"anyOf": [many["items"], many]}

    @staticmethod
    def _listed(value: object) -> object:
        if value is None:
            raise PydanticCustomError("not_given", "has no value; give one or remove the key")
        return value if isinstance(value, list) else [value]


class Spelt:
    """Marks a norm that may also be written as 2 or inf, where its own name is l2 or linf."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self._named, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        norms = handler(schema)["enum"]
        return {"enum": [*norms, *(norm[1:] if norm == "linf" else int(norm[1:]) for norm in norms)]}

    @staticmethod
    def _named(value: object) -> object:
        name = "l" + str(value).lower().lstrip("l_.").removesuffix(".0")
        return name if name in ("linf", "l2", "l1", "l0") else value


T = TypeVar("T")


def _distinct(values: list[T]) -> list[T]:
    for position, value in enumerate(values):
        if value in values[:position]:
            raise ValueError(f"{value} is given twice")
    return values


Given = Annotated[T | None, _Given()]
Fraction = Annotated[float, Field(ge=0, le=1)]
Correlation = Annotated[float, Field(ge=-1, le=1)]
Ratio = Annotated[float, Field(ge=0, le=10)]
Distortion = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Growth = Annotated[float, Field(ge=-1, le=1000)]
Side = Annotated[int, Field(ge=1, le=16384)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Name = Annotated[str, Field(pattern=NAME)]
Text = Annotated[str, Field(min_length=1)]
Said = Annotated[str, Field(pattern=SAID)]
Sha256 = Annotated[str, Field(pattern=SHA256)]
Classes = Annotated[list[Text], Field(min_length=1)] | Count
Index = Annotated[int, Field(ge=0, lt=65535)]
ClassesMap = Annotated[dict[Text, Text | Index], Field(min_length=1)]
Subset = Annotated[
    list[Index], Field(min_length=2), AfterValidator(_distinct), Field(json_schema_extra={"uniqueItems": True})
]
Names = Annotated[list[str], Field(min_length=1), OneOrMore()]
Severities = Annotated[list[int | float | str], Field(min_length=1), OneOrMore()]
Level = Literal["block", "warn"]


class Strict(BaseModel):
    """A mapping of the spec: no unknown keys, no conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
