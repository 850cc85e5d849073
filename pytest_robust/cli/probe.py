"""What a model and a folder of data say of themselves, for a first spec; every guess carries its grounds."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.data import open_dataset
from pytest_robust.data.geometry import canvas
from pytest_robust.errors import Mark, RobustError
from pytest_robust.models.files import ModelFile, read_model
from pytest_robust.models.outputs import Classes, choose_output, decide, scores_of
from pytest_robust.models.preprocess import Preprocessor
from pytest_robust.models.runtime import load_runtime
from pytest_robust.models.session import Network
from pytest_robust.spec.plan import DatasetPlan, Geometry, PathText, Preprocess

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_robust.data import Dataset

MARK = Mark("init", 1, 1)
_LOOKED_AT = 64
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_FREE_SIDE = 224

RULES: dict[str, Preprocess] = {
    "ImageNet mean and std": Preprocess(mean=_IMAGENET[0], std=_IMAGENET[1]),
    "pixels from -1 to 1": Preprocess(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    "pixels from 0 to 1": Preprocess(),
    "pixels from 0 to 255": Preprocess(scale=1.0),
    "BGR less the ImageNet mean": Preprocess(scale=1.0, mean=(103.939, 116.779, 123.68), channels="bgr"),
}
"""The usual ways to feed a classifier, the most usual first."""


@dataclass(frozen=True, slots=True)
class Data:
    """A data set as a spec would state it."""

    plan: DatasetPlan
    path: Path
    labels: Path | None
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Probed:
    """What was found out, and how."""

    data: Data
    images: int
    geometry: Geometry
    preprocess: Preprocess
    output: str | None
    label_offset: int
    classes: tuple[str, ...] | int | None
    described: str
    batch: int | None
    accuracies: dict[str, float] = field(default_factory=dict)
    rule: str | None = None
    notes: list[str] = field(default_factory=list)


def probe(model: Path, data: Path) -> Probed:
    """Open both and try the model on a few images.

    Raises:
        RobustError: the model is no image classifier, the data no labelled images, or they do not fit together.
    """
    file = read_model(PathText(str(model.absolute()), Path("/"), MARK))
    network = Network(load_runtime(), file, None, 1, 1)
    found = found_data(data.absolute())
    dataset = open_dataset(found.plan, limit=_LOOKED_AT)
    layout = _layout(network, file)
    images = [dataset.image(position) for position in range(len(dataset.samples.ids))]
    sides = network.input.sides("nhwc" if layout == "nhwc" else "nchw")
    geometry, size, notes = _geometry(found, images, sides, file)
    canvases = np.stack([canvas(image, geometry, dataset.samples.ids[i]) for i, image in enumerate(images)])
    base = Preprocess(size=size, layout="nhwc" if layout == "nhwc" else "nchw")
    probed = Probed(
        data=found,
        images=len(open_dataset(found.plan).samples.ids),
        geometry=geometry,
        preprocess=base,
        output=None,
        label_offset=0,
        classes=found.plan.classes,
        described=f"{network.input.described} {network.input.dtype}",
        batch=network.input.shape[0],
        notes=[*found.notes, *notes],
    )
    if layout is None:
        probed.notes.append("the model leaves the order of its axes open; nchw is a guess")
    _feed(probed, network, file, dataset, canvases)
    return probed


def _layout(network: Network, file: ModelFile) -> str | None:
    """The layout whose channels are three; None where the model leaves that open."""
    channels = {name: network.input.channels(name) for name in ("nchw", "nhwc")}
    for name, count in channels.items():
        if count == 3:
            return name
    if None in channels.values():
        return None
    raise file.error(f"takes {network.input.described}: an input with three channels is needed")


def _geometry(
    data: Data, images: list[NDArray[np.uint8]], sides: tuple[int | None, int | None], file: ModelFile
) -> tuple[Geometry, int | None, list[str]]:
    """The geometry, `preprocess.size`, and what is to be said of them."""
    sizes = {image.shape[:2] for image in images}
    alike = data.plan.source == "npz"  # one array, so all of its images have this size
    if sides[0] is not None and sides[1] is not None and sides[0] != sides[1]:
        if alike and sizes == {sides}:
            return Geometry(), None, []
        raise file.error(f"takes {sides[1]}x{sides[0]} pixels, and a geometry only makes squares: store such images")
    fixed = sides[0] or sides[1]
    square = min(sizes)[0] if len(sizes) == 1 and min(sizes)[0] == min(sizes)[1] else None
    if alike and (fixed is None or fixed == square):
        return Geometry(), fixed, []
    side = fixed or square or _FREE_SIDE
    said = [] if fixed or square else [f"the model takes any size and the images differ; {side} pixels is a guess"]
    if alike or side == square:
        return Geometry(resize=side, crop=side), fixed, said
    resize = round(side / 0.875)
    said.append(f"resize {resize} before the crop of {side} is the usual 7/8; take what the model was trained with")
    return Geometry(resize=resize, crop=side), fixed, said


def _feed(probed: Probed, network: Network, file: ModelFile, dataset: Dataset, canvases: NDArray[np.uint8]) -> None:
    """Choose output, offset, classes and the rule for pixels by trying them."""
    labels = dataset.samples.labels
    classes = Classes(0, dataset.classes, int(labels.max()))
    rules = RULES if network.input.dtype != np.uint8 else {"pixels from 0 to 255": Preprocess(scale=1.0)}
    plans = {name: _with(rule, probed.preprocess) for name, rule in rules.items()}
    try:
        output = choose_output(network.outputs, None, classes, file)
    except RobustError:
        # one output more than classes is a background class in front
        shifted = Classes(1, dataset.classes, int(labels.max()))
        try:
            output = choose_output(network.outputs, None, shifted, file)
            classes, probed.label_offset = shifted, 1
            probed.notes.append("one output more than classes: output 0 is taken for a background class")
        except RobustError:
            output = _by_width(network, file, classes)
    probed.output = output if len(network.outputs) > 1 else None
    first = network.run(Preprocessor(next(iter(plans.values())), network.input, file)(canvases[:1]), output)
    if dataset.classes is None:
        probed.classes = scores_of(first, classes, file).shape[1]
        probed.notes.append(f"{probed.classes} classes, as many as the model has outputs")
    for name, plan in plans.items():
        made = network.run(Preprocessor(plan, network.input, file)(canvases), output)
        if np.isfinite(np.asarray(made, np.float64)).all():
            predicted = decide(scores_of(made, classes, file), classes.offset).predicted
            probed.accuracies[name] = float(np.mean(predicted == labels))
    if not probed.accuracies:
        raise file.error("gives NaN or infinity however the pixels are scaled: check its weights")
    probed.rule = max(probed.accuracies, key=lambda name: probed.accuracies[name])
    probed.preprocess = plans[probed.rule]


def _by_width(network: Network, file: ModelFile, classes: Classes) -> str:
    """The first output that could hold the classes, where several could.

    Raises:
        RobustError: none could; the sentence is that of a run.
    """
    for one in network.outputs:
        try:
            return choose_output(network.outputs, one.name, classes, file)
        except RobustError:
            continue
    return choose_output(network.outputs, None, classes, file)


def _with(rule: Preprocess, base: Preprocess) -> Preprocess:
    return Preprocess(
        size=base.size,
        scale=rule.scale,
        mean=rule.mean,
        std=rule.std,
        channels=rule.channels,
        layout=base.layout,
    )


def found_data(path: Path) -> Data:
    """The data set at an absolute path: a folder of class folders, an npz file, or a csv of files and labels.

    Raises:
        RobustError: there is none of these.
    """
    if path.is_dir():
        return Data(DatasetPlan("folder", MARK, path=_text(path)), path, None)
    if not path.is_file():
        raise RobustError(f"there is no folder or file {path}")
    if path.suffix.lower() == ".npz":
        return _npz(path)
    if path.suffix.lower() == ".csv":
        return _manifest(path)
    raise RobustError(f"{path} is no folder, .npz or .csv; give class folders, arrays, or a csv of files and labels")


def _npz(path: Path) -> Data:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays: dict[str, Any] = {name: archive[name] for name in archive.files}
    except Exception as error:  # numpy answers damage with a dozen kinds of exception
        raise RobustError(f"{path} is not a sound npz file ({error}); write it anew with numpy.savez") from error
    x = [name for name, array in arrays.items() if array.dtype == np.uint8 and array.ndim in (3, 4)]
    y = [name for name, array in arrays.items() if array.dtype.kind in "iu" and array.ndim == 1]
    if {"x", "y"} <= arrays.keys():
        x, y = ["x"], ["y"]
    if len(x) != 1 or len(y) != 1:
        listed = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in arrays.items()) or "nothing"
        raise RobustError(f"{path} needs one uint8 array of images and one of integer labels; it has {listed}")
    return Data(DatasetPlan("npz", MARK, path=_text(path), arrays=(x[0], y[0])), path, None)


def _manifest(path: Path) -> Data:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            labels = [(row.get("label") or "").strip() for row in csv.DictReader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RobustError(f"{path} cannot be read as csv in UTF-8 ({error})") from error
    names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    if any(not re.fullmatch("-?[0-9]+", label) for label in labels):
        names = tuple(sorted({label for label in labels if label}))
        notes = ("the order of the classes is a guess, the alphabet's; it must be that of the model's outputs",)
    folder = path.parent
    plan = DatasetPlan("manifest", MARK, path=_text(folder), labels=_text(path), classes=names)
    return Data(plan, folder, path, notes)


def _text(path: Path) -> PathText:
    if "${" in str(path):
        raise RobustError(f"{path} holds '${{', which a spec takes for a variable; rename the folder")
    return PathText(str(path), Path("/"), MARK)
