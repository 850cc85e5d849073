"""What an entry ``{suite: adversarial}`` of a spec takes, and the cases that it asks for."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pytest_robust.shifts.suites import DISTINCT, LISTED
from pytest_robust.spec.catalog import Suite, Variant
from pytest_robust.spec.types import Count, Given, Names, Spelt, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_robust.spec.plan import Json

VERSION = 1
LEVELS = 255
"""Grey levels of the whole range of a pixel."""

Attack = Literal["fgsm", "ifgsm", "pgd", "budget", "cw", "ead", "square"]

_BUDGETED = ("fgsm", "ifgsm", "pgd", "square")
_ITERATED = ("steps", "step", "norm", "objective")
_SEARCHED = ("confidences", "steps", "search_steps", "learning_rate", "initial_constant")
_TAKES: dict[str, tuple[str, ...]] = {
    "fgsm": ("epsilons", "units", "norm", "objective"),
    "ifgsm": ("epsilons", "units", *_ITERATED),
    "pgd": ("epsilons", "units", *_ITERATED, "random_start"),
    "budget": ("start", "attempts", "units", *_ITERATED),
    "cw": _SEARCHED,
    "ead": (*_SEARCHED, "beta"),
    "square": ("epsilons", "units", "norm", "queries"),
}
_OF_SOME = frozenset(key for keys in _TAKES.values() for key in keys)
_EPSILONS: dict[str, tuple[float, ...]] = {"linf": (0.03,), "l2": (0.5,), "l1": (12,)}

_Number = Annotated[float, Field(ge=0)]
_Positive = Annotated[float, Field(gt=0)]
_Severities = Annotated[list[_Number], DISTINCT, LISTED]


class AdversarialOptions(BaseModel):
    """Adversarial examples of a model, crafted once and shown to every model; ONNX Runtime confirms each."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    attack: Attack = Field(
        "pgd",
        description="fgsm, ifgsm and pgd keep a budget; budget searches the least one per image; cw (L2) and ead (L1)"
        " seek the least distortion; square needs no gradient.",
    )
    source: Text = Field(
        "self",
        description="Which model is attacked: self, each measured model by itself (white box); a model's name; each,"
        " all models of the spec one after the other (a transfer matrix).",
    )
    norm: Annotated[Literal["linf", "l2", "l1"], Spelt()] = Field(
        "linf", description="Norm of the budget and of the steps, also written inf, 2 or 1; square takes linf and l2."
    )
    epsilons: Given[_Severities] = Field(
        None, description="Budgets in `units`, the severities; default 0.03 for linf, 0.5 for l2, 12 for l1."
    )
    units: Literal["pixels", "levels"] = Field(
        "pixels",
        description="Of epsilons, step and start. pixels: a pixel counts from 0 to 1, which is as wide as -0.5 to 0.5;"
        " levels: from 0 to 255.",
    )
    confidences: _Severities = Field(
        [0], description="cw, ead: by how much the wanted logit must lead; the severities."
    )
    steps: Given[Count] = Field(None, description="Iterations; default 10, of cw and ead 1000.")
    step: Given[_Positive] = Field(
        None, description="Size of a step; default epsilon / steps, of pgd 2.5 times as much; of budget it follows."
    )
    random_start: bool = Field(True, description="pgd: begin at a random point of the ball, the sample's own.")
    objective: Literal["cross_entropy", "logit"] = Field(
        "cross_entropy", description="What is raised: the loss, or the one logit of arXiv 1808.01688."
    )
    start: Given[_Positive] = Field(None, description="budget: the first budget that is tried; default 0.02 of 0 to 1.")
    attempts: Count = Field(9, description="budget: how many budgets are tried per image.")
    search_steps: Count = Field(9, description="cw, ead: how many constants are tried at most.")
    learning_rate: _Positive = Field(1e-3, description="cw, ead: of the descent.")
    initial_constant: _Positive = Field(0.01, description="cw, ead: weight of the goal at first.")
    beta: _Positive = Field(1e-3, description="ead: weight of the L1 norm.")
    queries: Count = Field(5000, description="square: how often each sample may be shown to the source.")
    targeted: Given[Literal["top2", "random", "least_likely"]] = Field(
        None, description="Aim at one class: the second most likely, a random or the least likely one; absent: any."
    )
    size_rule: Literal["canvas", "survey"] = Field(
        "canvas",
        description="Where the measured model's canvas is another one than the source's. canvas: an error; survey: the"
        " centre of a larger image, a smaller one amid mid-grey.",
    )
    only: Given[Literal["jointly_correct"]] = Field(
        None, description="Attack only samples that all `models` have right when clean, to compare distortions."
    )
    models: Given[Annotated[Names, DISTINCT, LISTED]] = Field(
        None, description="The models of `only`; default all of the spec."
    )
    per_class: Given[Count] = Field(
        None,
        description="Measure this entry on up to so many images of each class, a part of those that the data set's"
        " limit leaves; the drop from clean is then taken over the same images.",
    )
    pack: Given[Text] = Field(
        None,
        description="Show what `pytest-robust craft` wrote, a .npz or its folder, and craft nothing. ${NAME} is filled"
        " in when the run starts.",
    )
    batch: Given[Count] = Field(None, description="Images crafted at once; default by their size.")


def _expand(entry: AdversarialOptions) -> list[Variant]:
    _check(entry)
    name = entry.attack if entry.attack in ("cw", "ead") else f"{entry.attack}_{entry.norm}"
    name += f".to_{entry.targeted}" if entry.targeted else ""
    if entry.attack in _BUDGETED:
        severities: Sequence[float | None] = entry.epsilons or _EPSILONS[entry.norm]
    else:
        severities = (None,) if entry.attack == "budget" else entry.confidences
    return [
        Variant(name, one if one is None else _whole(one), VERSION, _parameters(entry, one))
        for one in sorted(severities, key=lambda value: value or 0)
    ]


def _check(entry: AdversarialOptions) -> None:
    for key in type(entry).model_fields:
        if key in entry.model_fields_set & _OF_SOME and key not in _TAKES[entry.attack]:
            raise ValueError(f"{key} is no key of {entry.attack}, which takes {', '.join(_TAKES[entry.attack])}")
    if entry.attack == "square" and entry.norm == "l1":
        raise ValueError("square takes the norms linf and l2")
    if entry.models and not entry.only:
        raise ValueError("models are those of `only: jointly_correct`, which is not asked for")
    scale = LEVELS if entry.units == "levels" else 1
    if scale != 1 and entry.epsilons is None and entry.attack in _BUDGETED:
        raise ValueError("units: levels says what `epsilons` are in; give them")
    if scale != 1 and entry.start is None and entry.step is None and entry.attack == "budget":
        raise ValueError("units: levels says what `start` and `step` are in; give them")
    sizes = {"epsilon": max(entry.epsilons or (0,)), "step": entry.step or 0, "start": entry.start or 0}
    for key, value in sizes.items():
        if entry.norm == "linf" and value > scale:
            hint = "; for grey levels set units: levels" if scale == 1 else ""
            raise ValueError(f"the {key} {value:g} is above {scale}, the whole range of a pixel{hint}")


def _parameters(entry: AdversarialOptions, severity: float | None) -> dict[str, Json]:
    """Everything that makes the images, in the units of the attacks: pixels count from 0 to 1."""
    scale = LEVELS if entry.units == "levels" else 1
    made: dict[str, Any] = {"attack": entry.attack}
    takes = _TAKES[entry.attack]
    if "norm" in takes:
        made["norm"] = entry.norm
    if "epsilons" in takes and severity is not None:
        made |= {"epsilon": severity / scale, "levels": _whole(round(severity / scale * LEVELS, 6))}
    if "steps" in takes:
        made["steps"] = entry.steps or (1000 if entry.attack in ("cw", "ead") else 10)
    if "step" in takes and entry.attack != "budget":
        share = (2.5 if entry.attack == "pgd" else 1) / made["steps"]
        made["step"] = made["epsilon"] * share if entry.step is None else entry.step / scale
    if entry.attack == "budget":
        made["start"] = 0.02 if entry.start is None else entry.start / scale
        if entry.step is not None:
            made["step"] = entry.step / scale
    if "confidences" in takes:
        made["confidence"] = severity
    plain = ("objective", "random_start", "attempts", "search_steps", "learning_rate", "initial_constant", "beta")
    made |= {key: getattr(entry, key) for key in (*plain, "queries") if key in takes}
    made |= {key: getattr(entry, key) for key in ("targeted", "only", "batch") if getattr(entry, key)}
    return {**made, "size_rule": entry.size_rule}


def _whole(number: float) -> int | float:
    return int(number) if math.isfinite(number) and float(number).is_integer() else number


def canonical(parameters: Any) -> str:
    """Parameters as one text, to be compared and digested."""
    return json.dumps(dict(parameters), sort_keys=True)


SUITE = Suite("adversarial", AdversarialOptions, _expand)
