"""Adversarial examples as a view: what an attack on a source model made of the samples, shown to any model.

Every sample is there, so that accuracy over a white-box case is robust accuracy: those that were not attacked (the
source has them wrong, or the target is their label) are shown clean. Who crafts is the run's business, see
`ViewInputs.craft`.

Where a measured model's canvas is not the source's, `size_rule: canvas` refuses, and `survey` does as the released code
of arXiv 1808.01688: the centre of an image that is larger, a smaller one in the middle of mid-grey. That is done to all
samples of the entry, attacked or not, so that epsilon 0 is the exact identity of what the other epsilons start from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np

from pytest_robust.data import Dataset
from pytest_robust.errors import RobustError
from pytest_robust.views.attack_entry import SUITE, VERSION, Attack
from pytest_robust.views.base import Derived, View, ViewInputs
from pytest_robust.views.packs import canvas_sha256

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_robust.spec.plan import Geometry, Json
    from pytest_robust.views.packs import Pack

MID_GREY = 128
"""The level next to the middle of the range, at 127.5."""


@dataclass(frozen=True, eq=False)
class AdversarialDataset(Dataset):
    """The samples of a data set, those that were attacked as the attack left them.

    Attributes:
        inner: the clean images.
        pack: what was made of them, sample by sample the same; None at epsilon 0, which makes nothing of them.
        geometry: the source's, by which the attacked canvases were made.
        checked: whether the clean canvases are compared with those that the pack was made of.
    """

    inner: Dataset
    pack: Pack | None
    geometry: Geometry
    checked: bool

    def image(self, index: int) -> NDArray[np.uint8]:
        """The clean image; see `Dataset.image`."""
        return self.inner.image(index)

    def canvas(self, index: int, geometry: Geometry) -> NDArray[np.uint8]:
        """The source's canvas, attacked or clean, brought to the size of the measured model's; see `Dataset.canvas`.

        Raises:
            RobustError: the pack was crafted on another image.
        """
        pack = self.pack if self.pack and self.pack.tried[index] else None
        made = self._attacked(pack, index) if pack else self.inner.canvas(index, self.geometry)
        return made if geometry == self.geometry else resized(made, self.inner.canvas(index, geometry).shape)

    def _attacked(self, pack: Pack, index: int) -> NDArray[np.uint8]:
        row = int(np.count_nonzero(pack.tried[:index]))
        made = pack.canvases[row]
        if self.checked:
            clean = self.inner.canvas(index, self.geometry)
            if not np.array_equal(canvas_sha256(clean), pack.clean[row]) or clean.shape != made.shape:
                raise RobustError(
                    f"the pack was crafted on another image of {self.samples.ids[index]} than the data set gives, or "
                    "under another geometry or Pillow: craft it anew by pytest-robust craft"
                )
        return made


def original(dataset: Dataset, index: int) -> NDArray[np.uint8]:
    """The clean canvas of a sample of an `AdversarialDataset`, as the source is shown it."""
    assert isinstance(dataset, AdversarialDataset), "attacks are shown as such a data set"
    return dataset.inner.canvas(index, dataset.geometry)


def resized(image: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The centre of an image, axis by axis where it is larger than `shape`, amid mid-grey where it is smaller."""
    made = np.full(shape, MID_GREY, np.uint8)
    there, here = zip(*(_overlap(own, wanted) for own, wanted in zip(image.shape, shape, strict=True)), strict=True)
    made[here] = image[there]
    return made


def _overlap(own: int, wanted: int) -> tuple[slice, slice]:
    length = min(own, wanted)
    first, start = (own - length) // 2, (wanted - length) // 2
    return slice(first, first + length), slice(start, start + length)


def _derive(inputs: ViewInputs) -> Derived:
    shift, attack = inputs.shift, inputs.shift.attack
    assert attack is not None, "the registry chooses this view for attacks"
    if inputs.craft is None:
        raise RobustError(
            f"{shift.mark}: {shift.label} is crafted on a model, so a run makes its images and no preview; to look at "
            "them, write them by pytest-robust craft"
        )
    source = inputs.geometry if attack.source is None else attack.source.geometry
    if source != inputs.geometry and shift.parameters["size_rule"] == "canvas":
        raise RobustError(
            f"{shift.mark}: {shift.label} is crafted under another geometry than the measured model's, so its canvases "
            "are not this model's: set size_rule: survey, exclude the pair, or give both one geometry"
        )
    made, digest = inputs.craft()
    recorded: dict[str, Json] = dict(shift.parameters)
    if digest is not None:
        recorded["pack"] = digest
    elif attack.source is not None:
        recorded["source_sha256"] = made.source_sha256
    base = inputs.open(shift.dataset)
    dataset = AdversarialDataset(
        base.samples,
        base.classes,
        base.class_names,
        base,
        None if shift.parameters.get("epsilon") == 0 else made,
        source,
        digest is not None,
        groups=base.groups,
        notes=base.notes,
    )
    return Derived(dataset, recorded, "generated" if digest is None else "stored", notes=made.notes, pack=made)


_SOURCES = {
    "fgsm": "Goodfellow et al. (arXiv 1412.6572), options of arXiv 1808.01688",
    "ifgsm": "I-FGSM of arXiv 1808.01688",
    "pgd": "Madry et al. (arXiv 1706.06083), the nearest point of the ball",
    "budget": "optimal budget of arXiv 1808.01688",
    "cw": "Carlini and Wagner, L2 (arXiv 1608.04644)",
    "ead": "EAD, L1 decision rule (arXiv 1709.04114)",
    "square": "Andriushchenko et al. (arXiv 1912.00049), by ONNX Runtime alone",
}
VIEWS = tuple(
    View(
        name,
        "adversarial",
        VERSION,
        _SOURCES[name],
        _derive,
        f"ask for it in a spec by {{suite: adversarial, attack: {name}}}, or call pytest_robust.attacks",
        options={"source": "self", "targeted": None, "size_rule": "canvas", "only": None},
    )
    for name in get_args(Attack)
)
SUITES = (SUITE,)
