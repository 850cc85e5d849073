"""Attacks from plain parameters, as a spec's entry states them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_robust.attacks.budget import OptimalBudget
from pytest_robust.attacks.carlini_wagner import CarliniWagner
from pytest_robust.attacks.elastic_net import ElasticNet
from pytest_robust.attacks.gradient_sign import FastGradient
from pytest_robust.attacks.projected import ProjectedGradient
from pytest_robust.attacks.square import Square

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_robust.attacks.craft import GradientAttack

_SEARCH = ("confidence", "search_steps", "learning_rate", "initial_constant")


def named(parameters: Mapping[str, Any]) -> GradientAttack | Square:
    """The attack of a case.

    Args:
        parameters: the attack's name as `attack`, and its numbers; pixels count from 0 to 1.
    """
    match parameters["attack"]:
        case "fgsm":
            return FastGradient(**_some(parameters, "epsilon", "norm", "objective"))
        case "ifgsm":
            return _projected(parameters, parameters["epsilon"], "rescale")
        case "pgd":
            return _projected(parameters, parameters["epsilon"], "nearest")
        case "budget":
            return OptimalBudget(_projected(parameters, parameters["start"], "rescale"), parameters["attempts"])
        case "cw":
            return CarliniWagner(iterations=parameters["steps"], **_some(parameters, *_SEARCH))
        case "ead":
            return ElasticNet(iterations=parameters["steps"], **_some(parameters, *_SEARCH, "beta"))
        case "square":
            return Square(**_some(parameters, "epsilon", "norm", "queries"))
    raise ValueError(f"there is no attack {parameters['attack']!r}")


def _projected(parameters: Mapping[str, Any], epsilon: float, projection: Any) -> ProjectedGradient:
    return ProjectedGradient(
        epsilon,
        iterations=parameters["steps"],
        projection=projection,
        **_some(parameters, "norm", "step", "random_start", "objective"),
    )


def _some(parameters: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: parameters[name] for name in names if name in parameters}
