"""`pytest-robust init`: a first spec for a model and its data."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from pytest_robust.cli.probe import Probed

NAME = "init"
HELP = "write a first spec for a model and labelled images"
DESCRIPTION = """\
Write a first spec, with comments, by looking at a model and at labelled images:
  --data DIR         one sub-folder per class
  --data FILE.npz    uint8 images (N, H, W, 3) and integer labels (N,)
  --data FILE.csv    columns file and label; files are relative to the csv's folder

The model's input (layout, size, type, batch), its outputs and the number of classes are read
from the files. Mean, std and the order of the channels are written in no ONNX file: the usual
ones are tried on a few of the images, the one with the highest accuracy is taken, and the
spec says so. Check it, and the geometry, against the model's training.

An existing file is never overwritten."""
EPILOG = """\
exit codes: 0 written, 2 the model or the data cannot be used, or the file exists

examples:
  pytest-robust init models/net.onnx --data images/val
  pytest-robust init models/net.onnx --data val.npz --out specs/net.yaml
"""

_SAFE = re.compile(r"[A-Za-z0-9_./-]*[A-Za-z_/][A-Za-z0-9_./-]*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", metavar="MODEL.onnx", type=Path, help="an image classifier")
    parser.add_argument("--data", required=True, type=Path, metavar="PATH", help="labelled images, see above")
    parser.add_argument("--out", type=Path, metavar="SPEC", help="the spec to write (default: specs/MODEL.yaml)")


def run(asked: argparse.Namespace) -> int:
    """Probe, then write."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", asked.model.stem).lstrip("_.-") or "model"
    out: Path = asked.out or Path("specs") / f"{name}.yaml"
    if out.suffix not in {".yaml", ".yml"}:
        raise RobustError(f"--out {out}: a spec is a .yaml file")
    if out.exists():
        raise RobustError(f"{out} exists and is left as it is; choose another place with --out")
    from pytest_robust.cli.probe import MARK, probe

    try:
        probed = probe(asked.model, asked.data)
    except RobustError as error:
        raise RobustError(str(error).replace(f"{MARK}: ", "")) from None
    text = "\n".join(_lines(probed, name, asked.model, out)) + "\n"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise RobustError(f"{out} cannot be written ({error.strerror}); choose another place with --out") from error
    print(f"{out} written: {probed.images} images, model input {probed.described}")
    for note in _guesses(probed):
        print(f"  {note}")
    print(f"look at it, then:\n  pytest-robust check {out}\n  pytest --robust-spec {out} --robust-update-new")
    return 0


def _guesses(probed: Probed) -> Iterator[str]:
    """What could not be read from the files, and on which grounds it was chosen."""
    if len(probed.accuracies) == 1:
        yield f"the model takes uint8 and scales pixels itself; accuracy on a few images: {_accuracy(probed)}"
    else:
        yield f"mean, std and channels are a guess, {probed.rule}: it had the highest accuracy on a few images"
        yield from (f"  {100 * value:3.0f} %  {name}" for name, value in probed.accuracies.items())
        best = max(probed.accuracies.values())
        equals = [name for name, value in probed.accuracies.items() if value == best and name != probed.rule]
        if equals:
            yield f"{' and '.join(equals)} did as well: look up what the model was trained with"
    yield from probed.notes
    if isinstance(probed.classes, int) and max(probed.accuracies.values()) <= 1.5 / probed.classes:
        yield "the accuracy is no better than chance: check preprocess, geometry and the order of the classes"


def _accuracy(probed: Probed) -> str:
    return f"{100 * max(probed.accuracies.values()):.0f} %"


def _lines(probed: Probed, name: str, model: Path, out: Path) -> Iterator[str]:
    folder = out.absolute().parent
    own = out.stem.removesuffix(".robust")  # two specs of one model may not share goldens
    plan = probed.data.plan
    yield "# yaml-language-server: $schema=robust.schema.json   (pytest-robust schema --out robust.schema.json)"
    yield "# Written by pytest-robust init. What it could not read from the files:"
    for note in _guesses(probed):
        yield f"#   {note}"
    yield "format: 1"
    yield "dataset:"
    yield f"  source: {plan.source}{' ' * (21 - len(plan.source))}# {probed.images} images"
    yield f"  path: {_path(probed.data.path, folder)}"
    if probed.data.labels is not None:
        yield f"  labels: {_path(probed.data.labels, folder)}"
    if plan.arrays != ("x", "y"):
        yield f"  arrays: {{x: {_word(plan.arrays[0])}, y: {_word(plan.arrays[1])}}}"
    if isinstance(probed.classes, int):
        yield f"  classes: {probed.classes}"
    elif probed.classes is not None:
        yield f"  classes: [{', '.join(json.dumps(word, ensure_ascii=False) for word in probed.classes)}]"
    if probed.geometry.crop is not None:
        yield f"  geometry: {{resize: {probed.geometry.resize}, crop: {probed.geometry.crop}}}"
    yield "  # limit: 5000               # a fixed subset, for speed"
    yield "models:"
    yield f"  {_key(name)}:"
    yield f"    path: {_path(model, folder)}"
    yield f"    # The model takes {probed.described}. input = (pixel * scale - mean) / std"
    yield f"    preprocess: {{{', '.join(_preprocess(probed))}}}"
    output = [f"name: {_word(probed.output)}"] if probed.output else []
    output += [f"label_offset: {probed.label_offset}"] if probed.label_offset else []
    if output:
        yield f"    output: {{{', '.join(output)}}}"
    yield from (
        "shifts:                       # clean comes by itself",
        "  - {suite: imagenet-c, corruptions: [gaussian_noise, brightness, jpeg_compression], severities: [1, 3, 5]}",
        "  - {suite: scaling, mode: down_up, multiples: [0.5]}",
        "thresholds:                   # every row that matches applies",
        "  # - {where: {shift: clean}, min_accuracy: 0.70}",
        "  # - {where: {suite: imagenet-c, severity: [1, 3]}, max_drop: 0.30}    # from clean, same model",
        "  - {max_regression: 0.02, max_negative_flips: 0.05}                   # from the golden",
        f"golden: {_word(f'../golden/{own}' if folder.name == 'specs' else f'golden/{own}')}",
    )


def _preprocess(probed: Probed) -> Iterator[str]:
    rule = probed.preprocess
    if rule.size is not None:
        yield f"size: {rule.size}"
    if rule.scale == 1:
        yield "scale: 1"
    if any(rule.mean):
        yield f"mean: {_numbers(rule.mean)}"
    if any(value != 1 for value in rule.std):
        yield f"std: {_numbers(rule.std)}"
    yield f"channels: {rule.channels}"
    yield f"layout: {rule.layout}"


def _numbers(values: Sequence[float]) -> str:
    return f"[{', '.join(f'{value:g}' for value in values)}]"


def _path(path: Path, folder: Path) -> str:
    """As the spec writes it: relative to its folder."""
    try:
        return _word(Path(os.path.relpath(path.absolute(), folder)).as_posix())
    except ValueError:  # another drive
        return _word(path.absolute().as_posix())


def _word(text: str) -> str:
    """A YAML scalar that is read as this text."""
    return text if _SAFE.fullmatch(text) and text.lower() not in {"null", "true", "false"} else json.dumps(text)


def _key(name: str) -> str:
    return _word(name)
