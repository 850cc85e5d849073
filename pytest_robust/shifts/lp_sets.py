"""The named sets of Lp corruptions of arXiv 2305.05400.

Their epsilons belong to the canvas size of their data set: 32 x 32 for CIFAR, 64 x 64 for TinyImageNet. At another
size the same epsilon of a finite norm is another strength.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SIDES = {"cifar": 32, "tinyimagenet": 64}
"""Side of the canvases that the epsilons are for, in pixels."""

SETS: Mapping[tuple[str, str], Mapping[str, tuple[float, ...]]] = {
    ("lp-test", "cifar"): {
        "l0": (0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.12),
        "l0.5": (25e3, 50e3, 75e3, 100e3, 150e3, 200e3, 250e3, 300e3, 350e3, 400e3),
        "l1": (12.5, 25, 37.5, 50, 75, 100, 125, 150, 175, 200),
        "l2": (0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4, 5),
        "l5": (0.03, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6),
        "l10": (0.02, 0.03, 0.05, 0.07, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3),
        "l50": (0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.18),
        "l200": (0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.09, 0.11, 0.13, 0.15),
        "linf": (0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.12, 0.15),
    },
    ("lp-test", "tinyimagenet"): {
        "l0": (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3),
        "l0.5": (2e5, 4e5, 7e5, 12e5, 18e5, 25e5, 35e5, 50e5, 80e5, 120e5),
        "l1": (37.5, 75, 125, 200, 300, 400, 600, 800, 1100, 1500),
        "l2": (0.5, 1, 2, 3, 4, 5, 7.5, 10, 15, 20),
        "l5": (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5),
        "l10": (0.02, 0.04, 0.06, 0.1, 0.14, 0.18, 0.25, 0.35, 0.5, 0.7),
        "l50": (0.02, 0.03, 0.04, 0.07, 0.1, 0.13, 0.16, 0.2, 0.25, 0.35),
        "l200": (0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3),
        "linf": (0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3),
    },
    ("lp-imperceptible", "cifar"): {
        "l0.5": (25e3,),
        "l1": (25,),
        "l2": (0.5,),
        "l10": (0.03,),
        "l50": (0.02,),
        "linf": (0.01,),
    },
    ("lp-imperceptible", "tinyimagenet"): {
        "l0.5": (7e5,),
        "l1": (125,),
        "l2": (2,),
        "l10": (0.06,),
        "l50": (0.04,),
        "linf": (0.01,),
    },
    ("lp-test-v1", "cifar"): {
        "l0": (0.01, 0.02, 0.04),
        "l0linear": (0.02, 0.03, 0.06),
        "l0.5": (1e5, 2e5, 5e5),
        "l1": (40, 80, 200),
        "l2": (1, 2, 4),
        "l5": (0.2, 0.4, 1),
        "l10": (0.15, 0.3, 0.7),
        "l50": (0.1, 0.2, 0.5),
        "l200": (0.1, 0.2, 0.5),
        "linf": (0.02, 0.03, 0.05, 0.1),
        "saltpepper": (0.01, 0.02),
    },
    ("lp-imperceptible-v1", "cifar"): {
        "l0.5": (5e4,),
        "l1": (25,),
        "l2": (0.5,),
        "l10": (0.06,),
        "l50": (0.05,),
        "linf": (0.01,),
    },
}
"""(set, data) -> shift -> epsilons: lp-test for mCE_Lp and lp-imperceptible for iCE of version 3 (VISAPP 2024),
those with -v1 of version 1 (May 2023)."""
