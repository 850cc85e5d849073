"""Hooks that a user's conftest may implement."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_robust.registry import Registry


def pytest_robust_register(registry: Registry) -> None:
    """Add shifts of your own; called before a spec is read, for the specs at or below the folder of the conftest.

    A shift is what it resolves its severity to for a canvas of some size, and what it does to a batch of images, uint8
    (N, H, W, 3), with these numbers; see `pytest_robust.shifts.base.PixelShift`. What it draws it draws from `bits`,
    one stream per image, so that a picture's bytes hang on nothing but seed, parameters and id. Functions of yours are
    called by one thread at a time, so they may keep a buffer between calls; what they return is copied::

        from pytest_robust.shifts.base import PixelShift

        def resolve(parameters, height, width):
            return {"divisor": parameters["severity"]}

        def dim(images, bits, divisor):
            return images // divisor

        def pytest_robust_register(registry):
            registry.add(PixelShift("dim", "mine", 1, "our own camera", [2, 4], resolve, dim))

    A spec then asks for it by ``{suite: mine}``, or ``{suite: mine, severities: [4]}``.

    Args:
        registry: takes the shifts by `add`.
    """
