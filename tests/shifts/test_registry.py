"""The registry, the spec entries of the suites, and shifts of the user's own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pytest_robust.errors import RobustError
from pytest_robust.registry import Registry, catalog, default_registry, pixel_shift
from pytest_robust.shifts.base import PixelShift
from pytest_robust.shifts.streams import make
from pytest_robust.spec.mce import IMAGENET_C, STAND_INS


def darker(rule: Callable[..., Any] | None = None, **changes: Any) -> PixelShift:
    def apply(images: Any, bits: Any, *, by: int) -> Any:
        return images // by

    def resolve(parameters: Any, height: int, width: int) -> dict[str, Any]:
        return {"by": int(parameters["severity"])}

    return replace(PixelShift("darker", "mine", 1, "ours", (2, 3), resolve, rule or apply), **changes)


def expand(suite: str, registry: Registry | None = None, **entry: Any) -> list[tuple[str, Any, dict[str, Any]]]:
    found = (registry or default_registry()).catalog()[suite]
    # strictly and from JSON, as a spec is read
    read = found.options.model_validate_json(json.dumps(entry), strict=True)
    return [(v.shift, v.severity, dict(v.parameters)) for v in found.expand(read)]


LEAST: dict[str, dict[str, object]] = {"fingerprint": {"path": "fp.npz"}}
"""The keys that an entry must have, by suite."""


def test_the_catalog_names_the_suites_and_every_variant_can_be_made() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), np.uint8)
    assert set(catalog()) >= {"imagenet-c", "imagenet-c-extra", "scaling", "lp-noise", "fourier", "imagenet-c-bar"}
    views = {(view.suite, view.name): view for view in default_registry().views()}
    # the view of an attack goes by the attack's own name, which an entry extends by norm and source
    for suite in (one for name, one in catalog().items() if name != "adversarial"):
        for variant in suite.expand(suite.options.model_validate(LEAST.get(suite.name, {}))):
            if view := views.get((suite.name, variant.shift)):
                assert variant.version == view.version
                continue
            shift = pixel_shift(suite.name, variant.shift)
            assert (variant.version, variant.changes_size) == (shift.version, shift.changes_size)
            numbers = shift.resolve(variant.parameters, 8, 8)
            assert make(shift, images, ["a"], 0, numbers).shape == (1, 8, 8, 3)


def test_an_entry_takes_everything_by_default_in_the_papers_order() -> None:
    rows = expand("imagenet-c")
    assert [row[0] for row in rows[::5]] == [STAND_INS.get(name, name) for name in IMAGENET_C]
    assert [row[1] for row in rows[:5]] == [1, 2, 3, 4, 5]
    assert rows[2] == ("gaussian_noise", 3, {"severity": 3, "table": "auto"})
    assert {row[0] for row in expand("imagenet-c-extra")} == {
        "speckle_noise",
        "gaussian_blur",
        "spatter",
        "saturate",
    }


def test_an_entry_chooses_and_the_order_stays() -> None:
    rows = expand("imagenet-c", corruptions=["contrast", "gaussian_noise"], severities=[5, 1], table=32)
    assert [row[:2] for row in rows] == [("gaussian_noise", 1), ("gaussian_noise", 5), ("contrast", 1), ("contrast", 5)]
    assert rows[0][2]["table"] == 32


@pytest.mark.parametrize(
    "entry",
    [
        {"corruptions": ["haze"]},
        {"corruptions": []},
        {"corruptions": ["contrast", "contrast"]},
        {"severities": [0]},
        {"severities": [6]},
        {"severities": []},
        {"severities": [2, 2]},
        {"severities": 3},
        {"severities": ["3"]},
        {"table": 48},
        {"multiples": [2]},
    ],
)
def test_entries_are_validated(entry: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        catalog()["imagenet-c"].options.model_validate(entry)


def test_the_json_schema_lists_the_names() -> None:
    schema = catalog()["imagenet-c"].options.model_json_schema()
    assert schema["properties"]["corruptions"]["items"]["enum"] == list(IMAGENET_C)
    assert schema["properties"]["severities"]["items"]["enum"] == [1, 2, 3, 4, 5]
    assert schema["additionalProperties"] is False
    mode = catalog()["scaling"].options.model_json_schema()["properties"]["mode"]
    assert {option["type"] for option in mode["anyOf"]} == {"string", "array"}


def test_collecting_imports_no_image_library() -> None:
    code = (
        "import sys; from pytest_robust.registry import catalog; catalog();"
        "print([name for name in ('scipy', 'cv2', 'PIL', 'torch', 'onnxruntime') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert done.stdout.strip() == "[]"


def test_a_shift_of_the_users_own_becomes_a_suite() -> None:
    registry = Registry()
    registry.add(darker())
    assert expand("mine", registry) == [("darker", 2, {"severity": 2}), ("darker", 3, {"severity": 3})]
    assert expand("mine", registry, severities=[3]) == [("darker", 3, {"severity": 3})]
    shift = registry.pixel_shift("mine", "darker")
    images = np.full((1, 2, 2, 3), 90, np.uint8)
    assert np.all(make(shift, images, ["a"], 0, shift.resolve({"severity": 3}, 2, 2)) == 30)
    assert ("mine", "darker") not in {(shift.suite, shift.name) for shift in default_registry().shifts()}, (
        "registries are apart"
    )


def test_shifts_of_one_suite_may_differ_in_their_severities() -> None:
    registry = Registry()
    registry.add(darker())
    registry.add(darker(name="any", severities=()))
    with pytest.raises(ValueError, match="any takes any number as its severity"):
        expand("mine", registry)
    assert expand("mine", registry, severities=[2.0])[1] == ("any", 2.0, {"severity": 2.0})
    with pytest.raises(ValueError, match=r"darker has no severity 0\.5; it has 2, 3"):
        expand("mine", registry, severities=[0.5])
    assert expand("mine", registry, corruptions=["darker"])[0][0] == "darker"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"suite": "imagenet-c"}, "the suite imagenet-c is built in"),
        ({"suite": "natural"}, "the suite natural is built in"),
        ({"suite": "stored"}, "the suite stored is built in"),
        ({"name": "a.b"}, "'a.b' must consist of letters, digits"),
        ({"suite": "a b"}, "'a b' must consist of letters, digits"),
    ],
)
def test_what_would_break_a_case_name_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RobustError, match=sentence):
        Registry().add(darker(**changes))


def test_a_definition_may_be_read_again_but_a_name_is_given_once() -> None:
    registry = Registry()
    registry.add(darker())
    registry.add(darker())
    assert len(registry.shifts()) == len(Registry().shifts()) + 1
    with pytest.raises(RobustError, match=r"mine\.darker is added twice"):
        registry.add(darker(rule=lambda images, bits, by: images))


def test_what_is_added_to_one_registry_is_shared_with_the_process_alone() -> None:
    process = Registry()
    here, there = Registry(process), Registry(process)
    here.add(darker())
    assert "mine" in here.catalog()
    assert "mine" not in there.catalog()
    assert process.pixel_shift("mine", "darker").name == "darker"
    there.add(darker())
    with pytest.raises(RobustError, match=r"mine\.darker is added twice"):
        Registry(process).add(darker(rule=lambda images, bits, by: images))


def test_a_name_that_the_process_refuses_is_not_known_in_part() -> None:
    process = Registry()
    process.add(darker())
    here = Registry(process)
    with pytest.raises(RobustError, match="added twice"):
        here.add(darker(rule=lambda images, bits, by: images))
    assert "mine" not in here.catalog()


def test_unknown_shifts_are_named() -> None:
    with pytest.raises(RobustError, match=r"there is no shift mine\.darker; a shift of your own must be registered"):
        pixel_shift("mine", "darker")


def test_names_are_found_alone_or_with_their_suite() -> None:
    registry = Registry()
    assert registry.find("down_up") is registry.find("scaling.down_up")
    registry.add(darker(name="contrast"))
    assert registry.find("mine.contrast").suite == "mine"
    with pytest.raises(ValueError, match=r"'contrast' is the name of imagenet-c\.contrast and mine\.contrast"):
        registry.find("contrast")
    with pytest.raises(ValueError, match=r"there is no shift 'imagenet-c.fogg'; did you mean 'imagenet-c.fog'"):
        registry.find("imagenet-c.fogg")
    with pytest.raises(ValueError, match="there is no shift 'gausian_noise'; did you mean 'gaussian_noise'"):
        registry.find("gausian_noise")
    with pytest.raises(ValueError, match=r"there is no shift 'zzz'$"):
        registry.find("zzz")
