from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import yaml

from pytest_robust.errors import SpecError
from pytest_robust.registry import catalog as real_catalog
from pytest_robust.spec.catalog import Catalog
from pytest_robust.spec.schema import json_schema
from tests.spec.conftest import Load
from tests.spec.test_aggregates import HEAD as AGGREGATES
from tests.spec.test_design import SPEC
from tests.spec.test_models import BASE
from tests.spec.test_rows import HEAD, PROFILES


@pytest.fixture(scope="module")
def validator(catalog: Catalog) -> jsonschema.Draft202012Validator:
    schema = json.loads(json.dumps(json_schema(catalog)))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def document(text: str) -> Any:
    """The spec as an editor sees it: JSON values with text keys."""
    return json.loads(json.dumps(yaml.safe_load(text)))


GOOD = [
    SPEC,
    BASE + "  same: {like: base, sha256: null, enhancer: null}\n",
    HEAD + PROFILES,
    HEAD + "waivers: [{where: {model: [a, b], severity: [1, x]}, until: '2026-06-01', owner: a, reason: r}]\n",
    HEAD.replace("golden: g", "golden: {path: g, anchor: v1}") + "thresholds: [{max_regression: 0, against: anchor}]\n",
    AGGREGATES + "aggregates: [{name: n, mce: {suite: lp-noise, reference: a, model: big}, max: 2, level: warn}]\n",
    "format: 1\ndataset: {source: npz, path: x, classes: 3, arrays: {y: z}}\nmodels: {a: {path: x}}\n",
    "format: 1\nmodels: {a: {path: x}}\nshifts:\n"
    "- {name: s, dataset: {}, classes_map: {a: 1, b: c}, label_subset: [0, 3]}\n"
    "- {name: t, dataset: {}, label_subset: imagenet-r}\n",
]


@pytest.mark.parametrize("text", GOOD)
def test_what_the_loader_takes_the_schema_takes(
    text: str, validator: jsonschema.Draft202012Validator, load: Load
) -> None:
    load(text)
    validator.validate(document(text))


@pytest.mark.parametrize(
    "line",
    [
        "sed: 3",
        "seed: true",
        "seed: -1",
        "golden: [a]",
        "golden:",
        "golden: {anchor: v1}",
        "gate: {alpha: 1}",
        "gate: {inconclusive: maybe}",
        "dataset: {source: floder}",
        "dataset: {classes: []}",
        "dataset: {path: }",
        "dataset: {geometry: {crop: 0}}",
        "models: {}",
        "models: {_a: {path: x}}",
        "models: {a b: {path: x}}",
        "models: {a: {path: x, sha256: 9f3c}}",
        "models: {a: {path: x, preprocess: {channels: rbg}}}",
        "models: {a: {path: x, preprocess: {std: [0]}}}",
        "models: {a: net.onnx}",
        "shifts: [{suite: imagenet-d}]",
        "shifts: [{suite: imagenet-c, corruptions: [fgo]}]",
        "shifts: [{suite: imagenet-c, severities: [6]}]",
        "shifts: [{suite: imagenet-c, name: _x}]",
        "shifts: [{suite: scaling}]",
        "shifts: [{suite: scaling, multiples: [1], stored: x}]",
        "shifts: [{suite: lp-noise, norms: {inf: [1]}, grid: {}}]",
        "shifts: [{name: s}]",
        "shifts: [{name: s, dataset: {source: npz, path: x, geometry: {crop: 3}}}]",
        "shifts: [{name: s, dataset: {}, label_subset: [1, 1]}]",
        "shifts: [{name: s, dataset: {}, label_subset: [1]}]",
        "shifts: [{name: s, dataset: {}, classes_map: {a: -1}}]",
        "exclude: [{modle: a}]",
        "exclude: [{model: []}]",
        "thresholds: [{level: warn}]",
        "thresholds: [{min_accuracy: 75}]",
        "thresholds: [{min_accuracy: }]",
        "thresholds: [{max_regression: 0, against: ancor}]",
        "thresholds: [{where: {severity: true}, min_accuracy: 0.5}]",
        "aggregates: [{max: 1}]",
        "aggregates: [{mce: {suite: imagenet-c, reference: alexnet}}]",
        "aggregates: [{mce: {suite: imagenet-c, reference: alexnet}, min_gain: 1}]",
        "aggregates: [{trend: {suite: scaling}, min_spearman: 2}]",
        "waivers: [{where: {model: a}, until: soon, owner: a, reason: b}]",
        "waivers: [{where: {model: a}, until: '2030-01-01', owner: a}]",
        "profiles: {p: {limit: 0}}",
        "profiles: {_p: {limit: 1}}",
    ],
)
def test_what_the_schema_refuses_the_loader_refuses(
    line: str, validator: jsonschema.Draft202012Validator, load: Load
) -> None:
    parts = {"format": "format: 1", "models": "models: {a: {path: a.onnx}}", line.split(":")[0]: line}
    text = "\n".join(parts.values()) + "\n"
    assert not validator.is_valid(document(text))
    with pytest.raises(SpecError):
        load(text)


def descend(schema: Any, where: str = "") -> Any:
    if isinstance(schema, dict):
        yield where, schema
        for key, value in schema.items():
            yield from descend(value, f"{where}/{key}")
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            yield from descend(value, f"{where}/{index}")


def test_every_key_of_the_language_is_described(catalog: Catalog) -> None:
    schema = json_schema({name: catalog[name] for name in ("imagenet-c",)})
    bare = [
        f"{where}/{key}"
        for where, part in descend(schema)
        if isinstance(part.get("properties"), dict)
        for key, value in part["properties"].items()
        if not value.get("description")
    ]
    assert bare == []


def test_every_reference_resolves_and_nothing_lies_around(catalog: Catalog) -> None:
    schema = json_schema(catalog)
    used = {part["$ref"].removeprefix("#/$defs/") for _, part in descend(schema) if isinstance(part.get("$ref"), str)}
    assert used == set(schema["$defs"])
    assert "lp-noise.NormGrid" in used


def test_the_schema_of_this_packages_suites_is_valid() -> None:
    schema = json.loads(json.dumps(json_schema(real_catalog())))
    jsonschema.Draft202012Validator.check_schema(schema)
    text = "format: 1\nmodels: {a: {path: a}}\nshifts: [{suite: imagenet-c}, {suite: scaling, multiples: [2]}]\n"
    jsonschema.Draft202012Validator(schema).validate(document(text))
