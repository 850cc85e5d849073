"""What a spec asks for, resolved: plain frozen values that the rest of the house reads.

`spec.language` describes the YAML, `spec.build` turns a valid document into one `Plan`. Nothing here reads a
file, a variable of the environment or an image; strings such as `path` are kept as written and are resolved
by `resolve_path` when the run needs them.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from pytest_robust.errors import Mark, RobustError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Json = bool | int | float | str | None | list["Json"] | dict[str, "Json"]
Severity = int | float | str | None
Level = Literal["block", "warn"]
Role = Literal["latest", "anchor"]
AggregateKind = Literal[
    "mce",
    "mean_error",
    "ice",
    "group_means",
    "trend",
    "monotone",
    "worst_class",
    "phase_reliance",
    "scores",
    "compare",
    "error_reduction",
    "uniqueness",
    "transfer",
    "pareto",
    "clever",
]

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class PathText:
    """A path as the spec writes it, with the folder it is relative to."""

    text: str
    base: Path
    mark: Mark = field(compare=False)

    def resolve(self) -> Path:
        """Fill in `${NAME}` from the environment and anchor a relative path at the spec's folder.

        Raises:
            RobustError: a variable is not set; the sentence names it and the line that uses it.
        """

        def value(match: re.Match[str]) -> str:
            found = os.environ.get(match[1])
            if not found:
                raise RobustError(f"{self.mark}: the environment variable {match[1]} is not set; set it to a path")
            return found

        return self.base / _VARIABLE.sub(value, self.text)


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a decoded image becomes the canvas: short side to `resize`, then the centre `crop` square (pixels).

    `rounding` says what becomes of the fractions of a pixel: ``torchvision`` truncates the long side and rounds the
    crop's offset half to even, ``nearest`` rounds the long side and truncates the offset, as Keras and TensorFlow
    pipelines do. One pixel is worth a point of accuracy on some models, so take what the model was trained with.
    """

    resize: int | None = None
    crop: int | None = None
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    rounding: Literal["torchvision", "nearest"] = "torchvision"


@dataclass(frozen=True, slots=True)
class DatasetPlan:
    """Where labelled images come from. Equal plans are the same data set and share their decoded images."""

    source: Literal["folder", "manifest", "npz", "cutouts", "digits"]
    mark: Mark = field(compare=False)
    path: PathText | None = None
    labels: PathText | None = None
    classes: tuple[str, ...] | int | None = None
    arrays: tuple[str, str] = ("x", "y")
    split: Literal["train", "test"] = "test"
    limit: int | None = None
    seed: int = 0
    per_class: int | None = None


@dataclass(frozen=True, slots=True)
class Preprocess:
    """Canvas -> model input: ``(pixel * scale - mean) / std`` per channel, pixels in 0..255.

    `size` is the side of the model's input in pixels; a canvas of another size is resized (`fit: resize`) or
    centre-cropped (`fit: crop`) to it. None feeds the canvas as it is.
    """

    size: int | None = None
    fit: Literal["resize", "crop"] = "resize"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    channels: Literal["rgb", "bgr"] = "rgb"
    layout: Literal["nchw", "nhwc"] = "nchw"


@dataclass(frozen=True, slots=True)
class EnhancerPlan:
    """An image-to-image ONNX model in front of a classifier."""

    path: PathText
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ModelPlan:
    """One model of the spec, after `like:`."""

    name: str
    path: PathText
    mark: Mark = field(compare=False)
    sha256: str | None = None
    preprocess: Preprocess = Preprocess()
    output: str | None = None
    output_kind: Literal["logits", "probabilities"] | None = None
    label_offset: int = 0
    geometry: Geometry = Geometry()
    enhancer: EnhancerPlan | None = None
    candidate: bool = False
    """Put in place of the spec's own file by the command line; not checked against the pin."""


@dataclass(frozen=True, slots=True)
class AttackPlan:
    """Which model the images of a column are crafted on, and for whom they count.

    Attributes:
        name: the attack's.
        source: the model that is attacked; None where each measured model is its own source.
        jointly: only samples that all of these have right when clean are attacked; empty for no such limit.
        pack: a crafted pack, or a folder of packs, that is shown in place of crafting.
        batch: images crafted at once, which changes no more than the last bits of floats; None for as many as suit.
        per_class: the images of each class that the entry asks for, a part of the spec's; None for all.
    """

    name: str
    source: ModelPlan | None = None
    jointly: tuple[ModelPlan, ...] = ()
    pack: PathText | None = None
    batch: int | None = None
    per_class: int | None = None


@dataclass(frozen=True, slots=True)
class ShiftPlan:
    """One column of the matrix: one shift at one severity.

    `parameters` is everything beyond the image and the sample id that the shift needs to be told; `changes_size`
    says that the shifted canvas has another size and must reach the model unresized. `stored` is the folder of a
    published set, `textures` that of photographs which the shift blends in. `main` is the spec's own data set, whose
    classes the models have, where `dataset` is another one. `side` is the side in pixels of the square canvases that
    the numbers are for, where they are for one size. `attack` is there where the images are adversarial.
    """

    entry: str
    suite: str
    shift: str
    severity: Severity
    version: int
    dataset: DatasetPlan
    mark: Mark
    parameters: Mapping[str, Json] = field(default_factory=dict)
    changes_size: bool = False
    stored: PathText | None = None
    main: DatasetPlan | None = None
    textures: PathText | None = None
    side: int | None = None
    attack: AttackPlan | None = None

    @property
    def label(self) -> str:
        """`<entry>.<shift>-<severity>`, the shift's part of a cell's id; `clean` for the identity."""
        name = self.shift if self.suite == "clean" else f"{self.entry}.{self.shift}"
        return name if self.severity is None else f"{name}-{severity_text(self.severity)}"


def severity_text(severity: Severity) -> str:
    """The severity as ids print it: 3, 0.5, 4 (never 4.0)."""
    return format(severity, ".12g") if isinstance(severity, float) else str(severity)


ATTACK_LIMITS = ("max_success_rate", "min_distortion", "max_transfer")
"""The limits that only attacks have."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """One row of `thresholds`; None means that the row does not set a limit.

    Limits are fractions in [0, 1], but for `min_distortion`: by norm the lowest mean, pixels counting from 0 to 1.
    """

    mark: Mark
    min_accuracy: float | None = None
    max_drop: float | None = None
    max_regression: float | None = None
    max_negative_flips: float | None = None
    max_success_rate: float | None = None
    min_distortion: tuple[tuple[str, float], ...] | None = None
    max_transfer: float | None = None
    max_match: float | None = None
    level: Level = "block"
    against: tuple[Role, ...] = ("latest",)
    expect: str | None = None
    """Why its limit is expected not to hold; a breach is excused then, and that it holds is a failure."""

    @property
    def needs_golden(self) -> bool:
        """Whether the row can only be judged against a golden."""
        return self.max_regression is not None or self.max_negative_flips is not None

    @property
    def limits(self) -> bool:
        """Whether the row sets any limit."""
        plain = (self.min_accuracy, self.max_drop, self.max_match)
        return any(limit is not None for limit in plain) or self.needs_golden or self.limits_attack

    @property
    def limits_attack(self) -> bool:
        """Whether the row sets a limit that only attacks have."""
        return any(getattr(self, key) is not None for key in ATTACK_LIMITS)


@dataclass(frozen=True, slots=True)
class Waiver:
    """Turns a failure into an expected failure until a date (ISO, inclusive)."""

    mark: Mark
    until: str
    owner: str
    reason: str


@dataclass(frozen=True, slots=True)
class CellPlan:
    """One model x shift pair: one pytest item. `id` is unique in its spec: ``resnet50::imagenet-c.fog-3``."""

    model: ModelPlan
    shift: ShiftPlan
    thresholds: tuple[Threshold, ...]
    waiver: Waiver | None = None
    scored: bool = False
    """Whether what the model's probabilities say is kept beside the predicted classes."""

    @property
    def key(self) -> str:
        """The cell's name within its model, as goldens store it."""
        return self.shift.label

    @property
    def id(self) -> str:
        """The cell's node id after the spec's path."""
        return f"{self.model.name}::{self.shift.label}"

    @property
    def source(self) -> ModelPlan:
        """The model that an attack's images are crafted on."""
        attack = self.shift.attack
        return self.model if attack is None or attack.source is None else attack.source


@dataclass(frozen=True, slots=True)
class AggregatePlan:
    """A value over several cells: one pytest item.

    `options` holds what is special to the kind (``reference`` of mce, ``against`` of compare, ...); `limits` the
    bounds it is judged by (``max``, ``min_gain``, ``max_regression``, ...), and `against` the goldens that
    ``max_regression`` speaks of. `expect` says why the limit is expected not to hold, as in `Threshold`.
    """

    name: str
    kind: AggregateKind
    models: tuple[str, ...]
    members: tuple[CellPlan, ...]
    mark: Mark
    options: Mapping[str, Json]
    limits: Mapping[str, float]
    level: Level = "block"
    waiver: Waiver | None = None
    against: tuple[Role, ...] = ("latest",)
    expect: str | None = None

    @property
    def owner(self) -> str:
        """The node that holds the aggregate: its model, or `_all` for several."""
        return self.id.partition("::")[0]

    @property
    def id(self) -> str:
        """The aggregate's node id after the spec's path."""
        return aggregate_id(self.models, self.name)


def aggregate_id(models: Sequence[str], name: str) -> str:
    """The node id of an aggregate over these models after the spec's path."""
    return f"{models[0] if len(models) == 1 else '_all'}::{name}"


@dataclass(frozen=True, slots=True)
class Gate:
    """How verdicts are reached (`gate:` of the spec)."""

    alpha: float = 0.01
    inconclusive: Literal["warn", "fail", "pass"] = "warn"
    require: Literal["proven"] | None = None
    golden_device: Literal["same", "any"] = "same"


@dataclass(frozen=True)
class Plan:
    """A whole spec, resolved into cells and aggregates in the order they are collected."""

    path: Path
    name: str
    """The spec's file name without suffixes: `resnet` of `specs/resnet.yaml`."""
    sha256: str
    seed: int
    models: tuple[ModelPlan, ...]
    shifts: tuple[ShiftPlan, ...]
    cells: tuple[CellPlan, ...]
    aggregates: tuple[AggregatePlan, ...]
    gate: Gate
    golden: Path | None
    anchor: str | None = None
    owner: str = ""
    """How goldens name the spec, wherever it is run from: its path from its golden folder, in POSIX form; of a folder
    that was named for a run the file's name alone."""
    thresholds: tuple[Threshold, ...] = ()
    profile: str | None = None
    """Name of the profile that was applied."""
    dropped: tuple[str, ...] = ()
    """Ids of the aggregates that are not judged, because the profile leaves out cells that they need."""

    @cached_property
    def cell(self) -> Mapping[tuple[str, str], CellPlan]:
        """Cells by (model name, shift label)."""
        return {(cell.model.name, cell.key): cell for cell in self.cells}

    @cached_property
    def family(self) -> Mapping[str, int]:
        """Declared golden tests per model: the m of alpha/m. Deselecting a cell never shrinks it."""
        sizes = dict.fromkeys((model.name for model in self.models), 0)
        for cell in self.cells:
            rows = [row for row in cell.thresholds if row.max_regression is not None]
            sizes[cell.model.name] += len({role for row in rows for role in row.against})
        for aggregate in self.aggregates:
            if "max_regression" in aggregate.limits:
                for name in aggregate.models:
                    sizes[name] += len(aggregate.against)
        return sizes
