from __future__ import annotations

from pathlib import Path

import pytest

from pytest_robust.errors import RobustError
from pytest_robust.spec.plan import Geometry, ModelPlan, Plan, Preprocess
from tests.spec.conftest import Load, Refuse

PIN = "9F3C" * 16
BASE = f"""\
format: 1
dataset: {{geometry: {{resize: 256, crop: 224}}}}
models:
  base:
    path: base.onnx
    sha256: {PIN}
    preprocess: {{size: 224, mean: [0.5, 0.4, 0.3], channels: bgr, layout: nhwc}}
    output: {{name: logits, label_offset: 1}}
    enhancer: {{path: up.onnx, sha256: {PIN}}}
"""


def models(plan: Plan) -> dict[str, ModelPlan]:
    return {model.name: model for model in plan.models}


def test_a_model_has_all_its_keys(load: Load) -> None:
    model = load(BASE).models[0]
    assert (model.path.text, model.sha256) == ("base.onnx", PIN.lower())
    assert model.preprocess == Preprocess(224, mean=(0.5, 0.4, 0.3), channels="bgr", layout="nhwc")
    assert (model.output, model.label_offset) == ("logits", 1)
    assert model.geometry == Geometry(256, 224)
    assert model.enhancer is not None
    assert (model.enhancer.path.text, model.enhancer.sha256) == ("up.onnx", PIN.lower())
    assert (str(model.mark), str(model.path.mark)) == ("spec.yaml:4:3", "spec.yaml:5:11")
    assert not model.candidate


def test_like_merges_key_by_key_and_a_path_leaves_the_pin(load: Load) -> None:
    found = models(
        load(
            BASE
            + "  same: {like: base}\n"
            + "  other: {like: base, path: other.onnx, preprocess: {size: 288}, geometry: {crop: 200}}\n"
            + "  bare: {like: other, enhancer: null, output: {name: null}}\n"
            + "  lit: {like: base, enhancer: {path: lit.onnx}, sha256: null}\n"
        )
    )
    base = found["base"]
    assert (found["same"].path, found["same"].sha256) == (base.path, base.sha256)
    assert found["same"].enhancer == base.enhancer
    other = found["other"]
    assert (other.path.text, other.sha256) == ("other.onnx", None)
    assert other.preprocess == Preprocess(288, mean=(0.5, 0.4, 0.3), channels="bgr", layout="nhwc")
    assert other.geometry == Geometry(256, 200)
    assert other.enhancer == base.enhancer
    bare = found["bare"]
    assert (bare.path.text, bare.enhancer, bare.output, bare.label_offset) == ("other.onnx", None, None, 1)
    assert bare.preprocess == other.preprocess
    lit = found["lit"]
    assert (lit.path.text, lit.sha256) == ("base.onnx", None)
    assert lit.enhancer is not None
    assert (lit.enhancer.path.text, lit.enhancer.sha256) == ("lit.onnx", None)


def test_like_may_point_down_the_file(load: Load) -> None:
    text = "format: 1\nmodels:\n  b: {like: c}\n  c: {like: d}\n  d: {path: d.onnx}\n"
    assert [model.path.text for model in load(text).models] == ["d.onnx"] * 3


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a: {like: ^a}", "`like` goes in a circle: a -> a"),
        ("a: {like: b}\n b: {like: c}\n c: {like: ^b}", "`like` goes in a circle: b -> c -> b"),
        ("modle: {path: x}\n a: {like: ^model}", "no model 'model' to be like, did you mean 'modle'?"),
        ("^a: {}", "the key 'path' is missing; give the ONNX file, or `like:` another model"),
        ("a: {path: ^}", "`path` has no value"),
        ("a: {path: ^3}", "`path` must be text, not 3; put quotes around it"),
        ("a: {path: x, sha256: ^9f3c}", "`sha256` must be a sha256 of 64 hexadecimal digits, not '9f3c'"),
        ("a: {path: x, ^enhancer: {sha256: null}}", "the key 'path' is missing; give the enhancer's"),
        ("a: {path: x, ^geometry: {resize: 200, crop: 224}}", "crop 224 is larger than the resized short side 200"),
        ("a: {path: x, geometry: {crop: 32}, ^preprocess: {size: 64, fit: crop}}", "size 64 cannot be cut out of a"),
        ("a: {path: x, preprocess: {std: [1, ^0, 1]}}", "a value of `std` must be above 0, not 0"),
        ("a: {path: x, preprocess: {^mean: [0, 0]}}", "`mean` needs one value per channel"),
        ("a: {path: x, preprocess: {mean: ^0}}", "`mean` must be a list, not 0"),
        ("a: {path: x, preprocess: {mean: ^[0, 0, 0, 0]}}", "`mean` must have at most 3 values"),
        ("a: {path: x, preprocess: {scale: ^-1}}", "`scale` must be above 0, not -1"),
        ("a: {path: x, output: {label_offset: ^1.5}}", "`label_offset` must be a whole number, not 1.5"),
        ("^_all: {path: x}", "the model '_all' needs a name of letters, digits"),
        ("^a b: {path: x}", "the model 'a b' needs a name of letters, digits"),
        ("^a::b: {path: x}", "the model 'a::b' needs a name of letters, digits"),
        ('^"a\\n": {path: x}', "the model 'a\n' needs a name"),
        ("a: ^net.onnx", "this must be a mapping, not 'net.onnx'"),
        ("a: {path: x, ^pth: 3}", "unknown key 'pth', did you mean 'path'?"),
    ],
)
def test_wrong_models(rows: str, message: str, refuse: Refuse) -> None:
    refuse(f"format: 1\nmodels:\n {rows}\n", message)


def test_a_variant_of_a_broken_model_is_not_blamed(refuse: Refuse) -> None:
    rows = "a: {path: x, ^size: 3}\n b: {like: a}\nthresholds: [{where: {model: [a, b]}, min_accuracy: 1}]"
    refuse(f"format: 1\nmodels:\n {rows}\n", "unknown key 'size'")


def test_a_candidate_goes_before_like(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/tmp")
    text = (
        BASE
        + f"  same: {{like: base, sha256: {PIN}, geometry: {{crop: 192}}}}\n"
        + f"  other: {{like: same, path: other.onnx, sha256: {PIN}}}\n"
    )
    found = models(load(text, candidates={"base": Path("new.onnx")}))
    for name in ("base", "same"):
        assert found[name].path.resolve() == Path("/tmp/new.onnx")
        assert (found[name].candidate, found[name].sha256) == (True, None)
    assert found["same"].geometry == Geometry(256, 192)
    assert (found["other"].path.text, found["other"].candidate) == ("other.onnx", False)
    assert found["other"].sha256 == PIN.lower()
    only = models(load(text, candidates={"other": Path("/abs/new.onnx")}))
    assert (only["base"].candidate, only["same"].candidate, only["other"].candidate) == (False, False, True)
    assert only["other"].path.resolve() == Path("/abs/new.onnx")


def test_an_unknown_candidate_names_the_closest_model(load: Load) -> None:
    with pytest.raises(RobustError, match=r"^spec\.yaml has no model 'bass' .*, did you mean 'base'\?$"):
        load(BASE, candidates={"bass": Path("x")})
