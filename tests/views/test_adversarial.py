"""Attacked samples as a data set: who is shown what, at which size."""

import json

import numpy as np
import pytest

from pytest_robust.data import open_dataset
from pytest_robust.data.mapped import Images
from pytest_robust.errors import Mark, RobustError
from pytest_robust.registry import catalog, default_registry
from pytest_robust.spec.plan import AttackPlan, DatasetPlan, Geometry, ModelPlan, PathText, ShiftPlan
from pytest_robust.views.adversarial import MID_GREY, resized
from pytest_robust.views.base import ViewInputs
from tests.views.made_pack import made

MARK = Mark("specs/a.yaml", 3, 3)


ATTACKS = ("fgsm", "ifgsm", "pgd", "budget", "cw", "ead", "square")


def expand(**entry):
    suite = catalog()["adversarial"]
    read = suite.options.model_validate_json(json.dumps(entry), strict=True)
    return [(one.shift, one.severity, dict(one.parameters)) for one in suite.expand(read)]


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)


@pytest.fixture
def npz(tmp_path, images):
    np.savez(tmp_path / "x.npz", x=images, y=np.arange(5) % 3)
    return DatasetPlan("npz", MARK, PathText("x.npz", tmp_path, MARK), classes=3)


def derive(npz, pack, *, epsilon=0.1, rule="canvas", source=None, geometry=None, digest=None):
    shift = ShiftPlan(
        "adversarial",
        "adversarial",
        "pgd_linf",
        epsilon,
        1,
        npz,
        MARK,
        {"attack": "pgd", "epsilon": epsilon, "size_rule": rule},
        attack=AttackPlan("pgd", source),
    )
    view = default_registry().view(shift)
    craft = None if pack is None else lambda: (pack, digest)
    return view.derive(ViewInputs(shift, geometry or Geometry(), 0, None, open_dataset, craft))


def source_of(crop):
    return ModelPlan("net", PathText("net.onnx", ".", MARK), MARK, geometry=Geometry(crop=crop))


def test_attacked_samples_are_shown_as_attacked_and_the_others_clean(npz, images):
    tried = [True, False, True, True, False]
    shown = derive(npz, made(images, tried)).dataset
    for index, attacked in enumerate(tried):
        expected = 255 - images[index] if attacked else images[index]
        np.testing.assert_array_equal(shown.canvas(index, Geometry()), expected)
    assert shown.samples.digest == open_dataset(npz).samples.digest


def test_epsilon_0_shows_the_clean_images_whatever_was_crafted(npz, images):
    shown = derive(npz, made(images, [True] * 5), epsilon=0).dataset
    np.testing.assert_array_equal(shown.canvas(2, Geometry()), images[2])


def test_what_a_golden_must_share(npz, images):
    pack = made(images, [True] * 5)
    own = derive(npz, pack)
    assert own.parameters == {"attack": "pgd", "epsilon": 0.1, "size_rule": "canvas"}
    assert own.source == "generated"
    other = derive(npz, pack, source=source_of(None))
    assert other.parameters["source_sha256"] == "ab" * 32
    stored = derive(npz, pack, source=source_of(None), digest="d1")
    assert (stored.parameters["pack"], stored.source) == ("d1", "stored")
    assert "source_sha256" not in stored.parameters


def test_another_canvas_is_refused_or_brought_to_size(npz, images):
    tried = [True, False, True, True, False]
    small = images[:, 2:6, 2:6]
    pack = made(small, tried)
    with pytest.raises(RobustError, match=r"specs/a.yaml:3:3: adversarial.pgd_linf-0.1 is crafted .*size_rule: survey"):
        derive(npz, pack, source=source_of(4))
    shown = derive(npz, pack, source=source_of(4), rule="survey").dataset
    embedded = shown.canvas(0, Geometry())
    np.testing.assert_array_equal(embedded[2:6, 2:6], 255 - small[0])
    embedded[2:6, 2:6] = MID_GREY
    assert np.all(embedded == MID_GREY)
    cropped = derive(npz, made(images, tried), source=source_of(None), geometry=Geometry(crop=4), rule="survey").dataset
    np.testing.assert_array_equal(cropped.canvas(0, Geometry(crop=4)), 255 - small[0])


def test_the_size_rule_holds_for_all_samples_and_at_epsilon_0(npz, images):
    tried = [True, False, True, True, False]
    pack = made(images[:, 2:6, 2:6], tried)
    shown = derive(npz, pack, source=source_of(4), rule="survey").dataset
    identity = derive(npz, pack, source=source_of(4), rule="survey", epsilon=0).dataset
    for index, attacked in enumerate(tried):
        clean = resized(images[index, 2:6, 2:6], (8, 8, 3))
        np.testing.assert_array_equal(identity.canvas(index, Geometry()), clean)
        if not attacked:
            np.testing.assert_array_equal(shown.canvas(index, Geometry()), clean)


def test_each_axis_is_cropped_or_embedded_by_itself():
    image = np.arange(2 * 6 * 3, dtype=np.uint8).reshape(2, 6, 3)
    result = resized(image, (4, 4, 3))
    np.testing.assert_array_equal(result[1:3], image[:, 1:5])
    assert np.all(result[[0, 3]] == MID_GREY)


def test_a_pack_of_other_images_is_refused_where_it_is_shown(npz, images):
    other = images.copy()
    other[3, 0, 0, 0] ^= 1
    shown = derive(npz, made(other, [True] * 5), digest="d1").dataset
    shown.canvas(2, Geometry())
    with pytest.raises(RobustError, match="crafted on another image of 000003"):
        shown.canvas(3, Geometry())


def test_a_pack_of_canvases_of_another_size_is_refused(npz, images):
    larger = Images.of(np.zeros((5, 9, 9, 3), np.uint8))
    shown = derive(npz, made(images, [True] * 5, canvases=larger), digest="d1").dataset
    with pytest.raises(RobustError, match=r"crafted on another image of 000000 .* another geometry"):
        shown.canvas(0, Geometry())


def test_a_view_without_a_run_says_how_to_see_the_images(npz):
    with pytest.raises(RobustError, match="pytest-robust craft"):
        derive(npz, None)


def test_the_default_of_each_attack():
    names = {attack: expand(attack=attack)[0][:2] for attack in ATTACKS}
    assert names == {
        "fgsm": ("fgsm_linf", 0.03),
        "ifgsm": ("ifgsm_linf", 0.03),
        "pgd": ("pgd_linf", 0.03),
        "budget": ("budget_linf", None),
        "cw": ("cw", 0),
        "ead": ("ead", 0),
        "square": ("square_linf", 0.03),
    }


def test_units_and_steps():
    ((_, severity, levels),) = expand(attack="pgd", epsilons=[8], units="levels", steps=20, step=2)
    assert (severity, levels["epsilon"], levels["levels"], levels["step"]) == (8, 8 / 255, 8, 2 / 255)
    ((_, _, pixels),) = expand(attack="pgd", epsilons=[0.1], steps=5)
    assert (pixels["levels"], pixels["step"]) == (25.5, pytest.approx(0.05))
    ((_, _, survey),) = expand(attack="ifgsm", epsilons=[0.1], steps=5)
    assert survey["step"] == pytest.approx(0.02)
    assert [one[1] for one in expand(attack="fgsm", norm=2, epsilons=[2, 0.5, 0])] == [0, 0.5, 2]


@pytest.mark.parametrize(
    ("name", "norm"),
    [
        *(("l2", norm) for norm in (2, 2.0, "2", "L2", "l2")),
        *(("linf", norm) for norm in ("inf", "Linf", ".inf", float("inf"))),
        *(("l1", norm) for norm in (1, 1.0, "l_1")),
    ],
    ids=repr,
)
def test_a_norm_is_the_same_however_it_is_written(name, norm):
    assert expand(attack="pgd", norm=norm) == expand(attack="pgd", norm=name)
    assert expand(attack="pgd", norm=norm)[0][2]["norm"] == name


@pytest.mark.parametrize("norm", [3, 0, True, "max", "", None, [2]], ids=repr)
def test_another_norm_is_refused(norm):
    with pytest.raises(ValueError, match="Input should be 'linf', 'l2' or 'l1'"):
        expand(attack="pgd", norm=norm)


def test_a_batch_that_is_asked_for_is_recorded():
    ((_, _, asked),) = expand(attack="pgd", batch=3)
    assert asked["batch"] == 3
    assert "batch" not in expand(attack="pgd")[0][2]


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"attack": "fgsm", "steps": 3}, "steps is no key of fgsm"),
        ({"attack": "cw", "epsilons": [0.1]}, "epsilons is no key of cw"),
        ({"attack": "square", "norm": 1}, "square takes the norms linf and l2"),
        ({"attack": "pgd", "epsilons": [8]}, "the epsilon 8 is above 1, the whole range of a pixel; for grey levels"),
        ({"attack": "pgd", "epsilons": [300], "units": "levels"}, "the epsilon 300 is above 255"),
        ({"attack": "pgd", "units": "levels"}, "units: levels says what `epsilons` are in"),
        ({"attack": "pgd", "models": ["a"]}, "models are those of `only: jointly_correct`"),
    ],
)
def test_entries_that_cannot_be(entry, sentence):
    with pytest.raises(ValueError, match=sentence):
        expand(**entry)
