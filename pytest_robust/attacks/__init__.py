"""Adversarial attacks on a batch of canvases, and what counts of them. It imports torch: import it at run time only.

An attack is a frozen value that says what to do. `craft` runs it through the torch twin of an ONNX classifier
(`open_victim`), `craft_by_queries` through ONNX Runtime alone, and `confirm` shows the rounded canvases to ONNX
Runtime, whose word counts. Nothing about a sample depends on the others of its batch, beyond the last bits of floats.
"""

from pytest_robust.attacks.budget import OptimalBudget
from pytest_robust.attacks.carlini_wagner import CarliniWagner
from pytest_robust.attacks.clever import Clever, CleverScores, clever, other_classes
from pytest_robust.attacks.confirm import Confirmed, confirm
from pytest_robust.attacks.craft import Crafted, GradientAttack, Samples, craft, craft_by_queries
from pytest_robust.attacks.elastic_net import ElasticNet
from pytest_robust.attacks.fingerprint import Fingerprint, Recipe, make_fingerprint
from pytest_robust.attacks.gradient_sign import FastGradient
from pytest_robust.attacks.projected import ProjectedGradient
from pytest_robust.attacks.square import Square
from pytest_robust.attacks.targets import choose_targets
from pytest_robust.attacks.victim import Victim, black_box, check_twin, open_victim

__all__ = [
    "CarliniWagner",
    "Clever",
    "CleverScores",
    "Confirmed",
    "Crafted",
    "ElasticNet",
    "FastGradient",
    "Fingerprint",
    "GradientAttack",
    "OptimalBudget",
    "ProjectedGradient",
    "Recipe",
    "Samples",
    "Square",
    "Victim",
    "black_box",
    "check_twin",
    "choose_targets",
    "clever",
    "confirm",
    "craft",
    "craft_by_queries",
    "make_fingerprint",
    "open_victim",
    "other_classes",
]
