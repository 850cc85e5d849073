"""SI-Score's images made from cut-outs: the same pairs of object and background in every scene.

A sample's id is that of its pair; where a case holds several scenes, their own part stands before it, as in
``area-0.5/koala.png+beach2.jpg``. So the cases of a factor share their samples.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_robust.data import Dataset
from pytest_robust.data.compose import Scene, inside
from pytest_robust.data.cutouts import PairedDataset, paired_digits
from pytest_robust.data.digits import DigitsDataset
from pytest_robust.errors import RobustError
from pytest_robust.measurement import Samples, digest_of
from pytest_robust.views.base import Derived, ViewInputs
from pytest_robust.views.factors import Setting, setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from pytest_robust.spec.plan import Geometry

MIXED = (
    "rotation: the entry mixes multiples of 90 degrees with other angles; only the others are blurred by "
    "interpolation, so compare within one of the two kinds"
)


@dataclass(frozen=True, slots=True)
class _Shot:
    """One image to be made: the pair's position, the scene, and its part of the id."""

    pair: int
    scene: Scene
    name: str
    value: str


@dataclass(frozen=True, eq=False)
class ComposedDataset(Dataset):
    """Pairs in given scenes; composed at the canvas's size, so no geometry is applied."""

    pairs: PairedDataset
    shots: tuple[_Shot, ...]
    side: int

    def image(self, index: int) -> NDArray[np.uint8]:
        """The composed image, uint8 (side, side, 3); see `Dataset.image`."""
        shot = self.shots[index]
        return self.pairs.composed(shot.pair, shot.scene, self.side)

    def canvas(self, index: int, geometry: Geometry) -> NDArray[np.uint8]:
        """The composed image; see `Dataset.canvas`."""
        return self.image(index)

    def metadata(self, index: int) -> dict[str, str | int | float]:
        """SI-Score's columns for one image; `image_id` is the sample's id."""
        shot = self.shots[index]
        height, width = self.pairs.cutout(shot.pair).shape[:2]
        cutout, background = self.pairs.pairs[shot.pair]
        return {
            "image_id": self.samples.ids[index],
            "x_coord": shot.scene.x,
            "y_coord": shot.scene.y,
            "area": shot.scene.area,
            "rotation": shot.scene.rotation,
            "foreground_class": int(self.samples.labels[index]),
            "foreground_instance": cutout,
            "background": background,
            "bg_resolution_width": self.side,
            "bg_resolution_height": self.side,
            "pct_inside_image": round(inside((width, height), shot.scene, self.side), 4),
        }


def derive(inputs: ViewInputs) -> Derived:
    """The samples of one factor at some of its values.

    Raises:
        RobustError: the data set has no cut-outs, or at one of the values no object lies far enough inside.
    """
    shift, options = inputs.shift, _Options.of(inputs)
    pairs = _pairs(inputs)
    side = options.background or inputs.geometry.crop or pairs.side
    settings = [setting(shift.shift, value) for value in options.values]
    many = len(settings) > 1
    every = [
        _Shot(pair, scene, _name(shift.shift, one, scene, many), one.text)
        for one in settings
        for scene in one.scenes
        for pair in range(len(pairs.pairs))
    ]
    shots = [shot for shot in every if options.min_inside == 0 or _share(pairs, shot, side) >= options.min_inside]
    seen = {shot.value for shot in shots}
    for one in settings:
        if one.text not in seen:
            place = f" at {one.text}" if many else ""
            raise RobustError(
                f"{shift.mark}: no object of {shift.label}{place} is inside by {options.min_inside:g} or more; lower "
                "min_inside, or leave the value out"
            )
    ids = pairs.samples.ids
    shots.sort(key=lambda shot: shot.name + ids[shot.pair])
    labels = pairs.samples.labels[[shot.pair for shot in shots]]
    names = tuple(shot.name + ids[shot.pair] for shot in shots)
    samples = pairs.samples
    if names != ids:
        digest = digest_of([samples.digest.encode(), *(name.encode() for name in names)])
        samples = Samples(names, labels, digest)
    groups = {shift.shift: tuple(shot.value for shot in shots)} if many else {}
    dataset = ComposedDataset(samples, pairs.classes, pairs.class_names, pairs, tuple(shots), side, groups=groups)
    notes = [*pairs.notes, *([MIXED] if options.mixed else [])]
    all_of, left = (
        Counter((int(pairs.samples.labels[shot.pair]), shot.value if many else "") for shot in of)
        for of in (every, shots)
    )
    if note := _uneven(all_of - left, all_of, options.min_inside):
        notes.append(note)
    return Derived(
        dataset,
        {"values": options.values, "background": side, "min_inside": options.min_inside},
        notes=tuple(notes),
    )


@dataclass(frozen=True, slots=True)
class _Options:
    values: list[Any]
    background: int | None
    min_inside: float
    mixed: bool

    @classmethod
    def of(cls, inputs: ViewInputs) -> _Options:
        given: Mapping[str, Any] = inputs.shift.parameters
        return cls(given["values"], given["background"], given["min_inside"], given.get("mixed", False))


def _pairs(inputs: ViewInputs) -> PairedDataset:
    plan = inputs.shift.dataset
    found = inputs.open(plan)
    if isinstance(found, PairedDataset):
        return found
    if isinstance(found, DigitsDataset):
        return paired_digits(found, plan.seed)
    raise RobustError(
        f"{inputs.shift.mark}: the data set source {plan.source} has no cut-outs; give the entry a `dataset` of its "
        "own with the source cutouts or digits"
    )


def _name(factor: str, one: Setting, scene: Scene, many: bool) -> str:
    parts = [f"{factor}-{one.text}"] if many else []
    if len(one.scenes) > 1:
        parts.append(f"area-{scene.area:g}")
    return "".join(f"{part}/" for part in parts)


def _share(pairs: PairedDataset, shot: _Shot, side: int) -> float:
    height, width = pairs.cutout(shot.pair).shape[:2]
    return inside((width, height), shot.scene, side)


def _uneven(dropped: Counter[tuple[int, str]], all_of: Counter[tuple[int, str]], limit: float) -> str | None:
    """A sentence where classes lose different shares of their images, at a value where there are several."""
    shares = {key: dropped[key] / all_of[key] for key in all_of}
    if len(set(shares.values())) < 2:
        return None
    worst = sorted(shares, key=lambda key: (-shares[key], key))[:3]
    said = ", ".join(
        f"class {label}{value and f' at {value}'} {dropped[label, value]} of {all_of[label, value]}"
        for label, value in worst
    )
    over = "the values and classes" if worst[0][1] else "the classes"
    return (
        f"min_inside {limit:g} leaves out {dropped.total()} of {all_of.total()} images, unevenly over {over} "
        f"({said}); the accuracies of such cases do not compare"
    )
