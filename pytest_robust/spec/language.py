"""The spec language as pydantic models: what a YAML file may say, key by key.

The descriptions are the help that editors show, since the JSON Schema is made from these models. What needs more
than one key to judge (names that must exist, limits of another kind) is checked where the plan is built.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pytest_robust.spec.aggregate_rows import AggregateRow  # noqa: TC001 - pydantic reads it
from pytest_robust.spec.limits import GateSpec, GoldenSpec, ProfileSpec, ThresholdSpec, WaiverSpec, Where
from pytest_robust.spec.types import Classes, ClassesMap, Count, Given, Name, Sha256, Side, Strict, Subset, Text

FORMAT = 1


class GeometrySpec(Strict):
    """How a decoded image becomes the canvas."""

    resize: Side | None = Field(
        default=None, description="Resize the short side to this many pixels; null keeps the size."
    )
    crop: Side | None = Field(
        default=None, description="Then cut out the centre square of this side in pixels; null cuts nothing."
    )
    interpolation: Literal["bilinear", "bicubic"] = Field(default="bilinear", description="Filter of the resize.")
    rounding: Literal["torchvision", "nearest"] = Field(
        default="torchvision",
        description="Fractions of a pixel: torchvision truncates the long side and rounds the crop's offset; nearest "
        "rounds the long side and truncates the offset.",
    )


class ArraysSpec(Strict):
    """Names of the arrays in an npz data set."""

    x: Text = Field(default="x", description="The images: uint8 of shape (N, H, W, 3).")
    y: Text = Field(default="y", description="The labels: integers of shape (N,).")


class DataSpec(Strict):
    """Where labelled images come from."""

    source: Literal["folder", "manifest", "npz", "cutouts", "digits"] = Field(
        default="digits",
        description="folder: class sub-folders; manifest: a folder and a csv of labels; npz: arrays; cutouts: RGBA"
        " foregrounds over backgrounds (SI-Score); digits: scikit-learn's handwritten digits, no download.",
    )
    path: Given[Text] = Field(
        default=None,
        description="The folder or npz file, relative to this file. ${NAME} is filled in from the environment when"
        " the run starts. Not for digits.",
    )
    labels: Given[Text] = Field(
        default=None, description="manifest: the csv with the columns file, label and any group columns."
    )
    classes: Given[Classes] = Field(
        default=None, description="The class names in the order of the model's outputs, or how many classes there are."
    )
    arrays: ArraysSpec = Field(default=ArraysSpec(), description="npz: the names of the arrays, where not x and y.")
    split: Literal["train", "test"] = Field(default="test", description="digits: which part.")
    limit: Count | None = Field(
        default=None,
        description="Use a fixed subset of this many samples: the smallest hashes of (seed, id); absent = all.",
    )
    per_class: Given[Count] = Field(
        default=None,
        description="Of the samples that the limit leaves use up to so many of each class, again those with the"
        " smallest hashes; a note says which classes have fewer. For so many of every class give no limit.",
    )


class DatasetSpec(DataSpec):
    """The data set of the spec; `geometry` is the default of every model."""

    geometry: GeometrySpec = Field(
        default=GeometrySpec(), description="How images become the canvas, unless a model says otherwise."
    )


class PreprocessSpec(Strict):
    """Canvas -> model input: (pixel * scale - mean) / std per channel, pixels in 0..255."""

    size: Side | None = Field(
        default=None, description="Side of the model's input in pixels; null feeds the canvas as it is."
    )
    fit: Literal["resize", "crop"] = Field(
        default="resize", description="How a canvas of another size becomes the input size."
    )
    scale: Annotated[float, Field(gt=0)] = Field(
        default=1 / 255, description="Factor on the pixel; 1/255 unless given."
    )
    mean: Annotated[list[float], Field(min_length=1, max_length=3)] = Field(
        default=[0.0, 0.0, 0.0], description="Subtracted after the scale, one per channel in the order of `channels`."
    )
    std: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1, max_length=3)] = Field(
        default=[1.0, 1.0, 1.0], description="Divided by at last, one per channel in the order of `channels`."
    )
    channels: Literal["rgb", "bgr"] = Field(default="rgb", description="Order of the channels that the model expects.")
    layout: Literal["nchw", "nhwc"] = Field(default="nchw", description="Order of the input's axes.")


class OutputSpec(Strict):
    """Which of the model's outputs are the class scores."""

    name: Text | None = Field(
        default=None, description="The output's name; null: the only output of shape (N, classes)."
    )
    kind: Literal["logits", "probabilities"] | None = Field(
        default=None,
        description="What the output holds, where `scores` are asked for; null: as the end of the graph shows.",
    )
    label_offset: Annotated[int, Field(ge=-100_000, le=100_000)] = Field(
        default=0,
        description="Added to a data set label to give the model's class index (1 where class 0 is background).",
    )


class EnhancerSpec(Strict):
    """An image-to-image ONNX model in front of the classifier."""

    path: Given[Text] = Field(default=None, description="The ONNX file, relative to this file.")
    sha256: Sha256 | None = Field(default=None, description="Pin: the run stops if the file is another one.")


class ModelSpec(Strict):
    """One model under test."""

    like: Given[Text] = Field(
        default=None,
        description="Take every key from this other model; keys given here win, nested mappings merge key by key. The"
        " sha256 is inherited only together with the path.",
    )
    path: Given[Text] = Field(default=None, description="The ONNX file, relative to this file.")
    sha256: Sha256 | None = Field(default=None, description="Pin: the run stops if the file is another one.")
    preprocess: PreprocessSpec = Field(
        default=PreprocessSpec(), description="How the canvas becomes the model's input."
    )
    output: OutputSpec = Field(default=OutputSpec(), description="Which output holds the class scores.")
    geometry: GeometrySpec = Field(
        default=GeometrySpec(), description="How images become the canvas, over the data set's geometry."
    )
    enhancer: EnhancerSpec | None = Field(
        default=None, description="An image-to-image ONNX model in front; null removes an inherited one."
    )


class SuiteEntry(BaseModel):
    """One entry of `shifts`: a suite with its options (which the suite itself describes)."""

    model_config = ConfigDict(extra="allow", frozen=True)

    suite: Text = Field(description="The family of shifts.")
    name: Given[Name] = Field(
        default=None, description="First part of the case names of this entry; the suite's name unless given."
    )


class NaturalEntry(Strict):
    """One entry of `shifts` that brings images of its own."""

    name: Name = Field(description="First part of the case's name: `<name>.natural`.")
    dataset: DataSpec = Field(
        description="The shifted images and their labels; `classes` are those of the spec's dataset unless given."
    )
    classes_map: Given[ClassesMap] = Field(
        default=None,
        description="Class of these images -> class of the models, by name or index, where the names differ.",
    )
    label_subset: Given[Literal["imagenet-a", "imagenet-r"] | Subset] = Field(
        default=None,
        description="Choose the prediction among these classes only: a list of class indices, or the 200 classes of"
        " ImageNet-A or ImageNet-R. Absent: among all classes, which is another number.",
    )


class Head(Strict):
    """The keys of a spec that hold single values."""

    format: Literal[1] = Field(description="Version of the spec language: 1.")
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = Field(default=0, description="Seed of the shifts and of `limit`.")
    scores: bool = Field(
        default=False,
        description="Also measure top-5 accuracy, ECE, RMSCE, NLL and Brier's score of every cell, from the model's"
        " probabilities.",
    )
    golden: Given[Text | GoldenSpec] = Field(
        default=None, description="The folder of the goldens, relative to this file; or {path, anchor}."
    )


class Spec(Head):
    """A robustness spec: models x shifts, thresholds and goldens."""

    dataset: DatasetSpec = Field(default=DatasetSpec(), description="Where the images come from; absent = digits.")
    models: dict[str, ModelSpec] = Field(min_length=1, description="The models under test, by name.")
    shifts: list[SuiteEntry | NaturalEntry] = Field(
        default=[], description="What is done to the images; clean comes by itself."
    )
    exclude: list[Where] = Field(default=[], description="Cells to leave out; the clean cells always stay.")
    thresholds: list[ThresholdSpec] = Field(default=[], description="Limits on cells; every row that matches applies.")
    aggregates: list[AggregateRow] = Field(default=[], description="Values over several cells, with limits.")
    waivers: list[WaiverSpec] = Field(default=[], description="Failures that are accepted until a date.")
    gate: GateSpec = Field(default=GateSpec(), description="What counts as significant, and what else decides.")
    profiles: dict[str, ProfileSpec] = Field(default={}, description="Named changes, chosen by --robust-profile=NAME.")
