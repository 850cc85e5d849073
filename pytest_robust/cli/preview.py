"""`pytest-robust preview`: what does a spec do to my images?"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_robust.errors import RobustError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pytest_robust.spec.plan import ModelPlan, Plan, ShiftPlan

NAME = "preview"
HELP = "draw the shifted images of a spec on one sheet, to look at before trusting it"
DESCRIPTION = """\
Draw a contact sheet: the spec's own images under its shifts. One row per shift, the clean
image first and then every severity in rising order; a row of more than 12 goes on below.
Each picture is a canvas as the spec's runs measure it, byte for byte, before preprocessing
and before an enhancer. No model is opened. What a conftest registers is known here as it is
in a run.

Above a row stand the shift, the sample, its class and the size of the canvas (width x
height); below a picture its shift and severity, and its size where that is another one. A
shift with images of its own (a natural shift, si-score) shows the first of these. Adversarial
images are crafted on a model, so they are left out; see pytest-robust craft.

A canvas that is smaller than --size is enlarged by a whole factor, so that every pixel is a
square; a larger one is averaged down, which hides fine noise: choose a larger --size to see it."""
EPILOG = """\
exit codes: 0 the sheet is written, 1 the spec has mistakes,
            2 the images cannot be read, the sheet not be written, or a name is unknown

examples:
  pytest-robust preview specs/resnet.yaml --out sheet.png
  pytest-robust preview specs/resnet.yaml --out fog.png --select fog --images 4
  pytest-robust preview specs/resnet.yaml --out hard.png --select "*-5" "scaling.*"
  pytest-robust preview specs/resnet.yaml --out one.png --sample digits-0002 --size 320
"""

LARGEST = 200_000_000
"""Pixels of pictures on one sheet: as a PNG they still open in a viewer."""

_SIZES = (16, 2048)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("spec", metavar="SPEC", type=Path, help="a .yaml file")
    parser.add_argument("--out", required=True, type=Path, metavar="SHEET.png", help="where to; replaced if it exists")
    parser.add_argument("--model", metavar="NAME", help="whose geometry and shifts (default: the spec's first model)")
    parser.add_argument(
        "--select",
        nargs="+",
        action="extend",
        default=[],
        metavar="TEXT",
        help="only shifts whose ENTRY.SHIFT-SEVERITY contains the text, or matches it where it has *, ? or [",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--images", type=int, default=1, metavar="N", help="the first N samples by id (default: 1)")
    which.add_argument("--sample", nargs="+", action="extend", default=[], metavar="ID", help="these samples instead")
    parser.add_argument(
        "--size", type=int, default=224, metavar="PIXELS", help="room for a picture both ways (default: 224)"
    )


def run(asked: argparse.Namespace) -> int:
    """Collect the spec, make the images, draw."""
    from pytest_robust.cli.specs import collected
    from pytest_robust.whole_file import check, replace

    if asked.out.suffix != ".png":
        raise RobustError(f"--out {asked.out}: a sheet is a .png file")
    if asked.images < 1:
        raise RobustError(f"--images {asked.images}: show 1 or more")
    if not _SIZES[0] <= asked.size <= _SIZES[1]:
        raise RobustError(f"--size {asked.size}: take {_SIZES[0]} to {_SIZES[1]} pixels")
    check(asked.out, "sheet")
    plan = collected(asked.spec)
    if plan is None:
        return 1
    model = model_named(plan, asked.model)
    shifts = _selected(plan, model, asked.select)
    _check_room(len(shifts) * max(asked.images, len(asked.sample)), asked.size)
    from pytest_robust.cli.contact import Contact
    from pytest_robust.report.counted import counted
    from pytest_robust.report.sheet import draw_sheet

    strips = Contact(plan, model.geometry, asked.images, asked.sample, asked.size).strips(shifts)
    replace(asked.out, draw_sheet(_head(asked.spec, plan, model), strips, asked.size), "sheet")
    pictures = sum(len(strip.tiles) for strip in strips)
    print(f"{asked.out} written: {counted(strips, 'row')}, {counted(pictures, 'picture')}")
    attacks = {cell.key for cell in plan.cells if cell.model == model and cell.shift.attack is not None}
    if attacks and not asked.select:
        print(f"{counted(attacks, 'shift')} of attacks left out: look at the packs of pytest-robust craft")
    return 0


def model_named(plan: Plan, name: str | None) -> ModelPlan:
    """The model that ``--model`` names; the spec's first unless given.

    Raises:
        RobustError: the spec has none of that name.
    """
    from pytest_robust.spec.problems import did_you_mean

    known = {model.name: model for model in plan.models}
    if name is None:
        return plan.models[0]
    if name not in known:
        raise RobustError(f"--model {name}: {plan.path.name} has no such model{did_you_mean(name, known)}")
    return known[name]


def _selected(plan: Plan, model: ModelPlan, patterns: Sequence[str]) -> list[ShiftPlan]:
    """The model's shifts that a pattern matches; all of them, clean only if it is alone, where there is no pattern.

    Raises:
        RobustError: a pattern matches none.
    """
    from pytest_robust.spec.problems import did_you_mean

    shifts = {cell.key: cell.shift for cell in plan.cells if cell.model == model}
    if not patterns:
        made = [shift for shift in shifts.values() if shift.suite != "clean" and shift.attack is None]
        return made or [shift for shift in shifts.values() if shift.suite == "clean"]
    chosen: set[str] = set()
    for pattern in patterns:
        matched = {label for label in shifts if _matches(label, pattern)}
        if not matched:
            names = [*shifts, *(shift.shift for shift in shifts.values()), *(shift.entry for shift in shifts.values())]
            raise RobustError(f"--select {pattern}: {model.name} has no such shift{did_you_mean(pattern, names)}")
        chosen |= matched
    return [shift for label, shift in shifts.items() if label in chosen]


def _matches(label: str, pattern: str) -> bool:
    return fnmatchcase(label, pattern) if set(pattern) & set("*?[") else pattern in label


def _check_room(pictures: int, side: int) -> None:
    if pictures * side**2 > LARGEST:
        raise RobustError(
            f"{pictures} pictures of {side} x {side} pixels are more than a sheet can hold; "
            "choose some by --select, or take a smaller --size or fewer --images"
        )


def _head(spec: Path, plan: Plan, model: ModelPlan) -> list[str]:
    rule = model.geometry
    steps = [f"resize {rule.resize} ({rule.interpolation})"] if rule.resize else []
    steps += [f"crop {rule.crop}"] if rule.crop else []
    return [f"{spec.as_posix()}   seed {plan.seed}", f"{model.name}: {', '.join(steps) or 'images as they are'}"]
