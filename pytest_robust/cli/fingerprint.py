"""`pytest-robust fingerprint`: images by which a model is known again."""

from __future__ import annotations

import json
import math
from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_robust.errors import Mark, RobustError

if TYPE_CHECKING:
    import argparse

    from pytest_robust.attacks import Fingerprint, Recipe, Victim
    from pytest_robust.spec.plan import ModelPlan

NAME = "fingerprint"
HELP = "make images by which a gate knows a model again, for the suite fingerprint"
DESCRIPTION = """\
Make characteristic examples of a model: images of noise that it takes for classes drawn at
random. Its quantized or lightly pruned copies answer most of them in the same way, other
models do not. A spec shows them to its models by {suite: fingerprint, path: fp.npz}, and
so notices a swapped or broken checkpoint. No data and no training are needed.

  --kind vanilla    by the gradient of the model
  --kind rc         by that of the model with noise on its weights: more robust to changes
  --kind ltrc       the same without low frequencies, for less transfer to other models

Only what ONNX Runtime confirms on the rounded image is kept, and how many were tried is
said. The same command writes the same bytes on the same machine.

How pixels become the model's input is taken from a spec, which is the better way, or said
by the options from --size on; the defaults are those of a spec."""
EPILOG = """\
exit codes: 0 written, 1 the spec has mistakes,
            2 the model or the options cannot be used, or the file cannot be written

examples:
  pytest-robust fingerprint --spec specs/net.yaml --model net --out net.fp.npz
  pytest-robust fingerprint net.onnx --out fp.npz --mean 0.5 --std 0.5 --kind vanilla
"""

_MARK = Mark(NAME, 1, 1)
_RECIPE = ("epsilon", "iterations", "delta", "draws", "radius")
_FEEDING = ("size", "scale", "mean", "std", "channels", "layout")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("path", nargs="?", metavar="MODEL.onnx", type=Path, help="an image classifier, without --spec")
    parser.add_argument("--spec", type=Path, metavar="SPEC", help="take the model, and how it is fed, from this spec")
    parser.add_argument("--model", metavar="NAME", help="which of the spec's models (default: its first)")
    parser.add_argument("--out", required=True, type=Path, metavar="FP.npz", help="where to; replaced if it exists")
    parser.add_argument("--kind", choices=("vanilla", "rc", "ltrc"), default="rc", help="see above (default: rc)")
    parser.add_argument("--count", type=int, default=100, metavar="N", help="how many images (default: 100)")
    parser.add_argument("--classes", type=int, metavar="N", help="draw from the first N classes only (default: all)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the noise and the classes (default: 0)")
    share = parser.add_argument_group("recipe")
    share.add_argument("--epsilon", type=_number, help="farthest move of a pixel from 0 to 1 (default: 16/255)")
    share.add_argument("--iterations", type=int, metavar="N", help="steps (default: 20)")
    share.add_argument("--delta", type=_number, help="bound of the noise on the weights, in their unit (default: 0.01)")
    share.add_argument("--draws", type=int, metavar="N", help="noises per step, averaged over (default: 4)")
    share.add_argument("--radius", type=_number, help="ltrc: share of the frequencies left out (default: 0.2)")
    feed = parser.add_argument_group("input, without --spec")
    feed.add_argument("--size", type=int, metavar="PIXELS", help="side of the input, where the model leaves it open")
    feed.add_argument("--scale", type=_number, help="factor on the pixel, 0 to 255 (default: 1/255)")
    feed.add_argument(
        "--mean", type=_number, nargs="+", metavar="X", help="one number, or one per channel (default: 0)"
    )
    feed.add_argument("--std", type=_number, nargs="+", metavar="X", help="one number, or one per channel (default: 1)")
    feed.add_argument("--channels", choices=("rgb", "bgr"), help="(default: rgb)")
    feed.add_argument("--layout", choices=("nchw", "nhwc"), help="(default: nchw)")


def run(asked: argparse.Namespace) -> int:
    """Open the model, make the images, write them."""
    from pytest_robust.whole_file import check

    if asked.out.suffix != ".npz":
        raise RobustError(f"--out {asked.out}: a fingerprint is a .npz file")
    check(asked.out, NAME)
    if asked.count < 1 or not 0 <= asked.seed < 2**63:
        raise RobustError(
            f"--count {asked.count} --seed {asked.seed}: make 1 image or more, from a seed of 0 or more and below 2**63"
        )
    if (asked.path is None) == (asked.spec is None):
        raise RobustError("name the model: MODEL.onnx, or --spec SPEC with --model NAME")
    plan = _of_file(asked) if asked.spec is None else _of_spec(asked)
    if plan is None:
        return 1
    try:
        print(_made(asked, plan))
    except RobustError as error:
        raise RobustError(str(error).replace(f"{_MARK}: ", "")) from None
    return 0


def _made(asked: argparse.Namespace, plan: ModelPlan) -> str:
    """Make and write the fingerprint; what to say of it."""
    from pytest_robust.attacks import Recipe, make_fingerprint, open_victim
    from pytest_robust.attacks.fingerprint import BATCH
    from pytest_robust.models import open_model

    given = {name: getattr(asked, name) for name in _RECIPE if getattr(asked, name) is not None}
    recipe = Recipe(asked.kind, **given)
    for name in given.keys() - recipe.parameters.keys():
        raise RobustError(f"--{name} is not for the kind {asked.kind}; leave it out")
    victim = open_victim(plan)
    sides = _sides(plan, victim)
    model = open_model(plan, device="cpu", classes=None, threads=1, batch_size=BATCH)
    made = make_fingerprint(
        recipe,
        victim,
        lambda canvases: model.predict(canvases, keep_size=True).predicted,
        sides,
        count=asked.count,
        classes=asked.classes,
        seed=asked.seed,
    )
    _write(asked.out, made, recipe, asked.seed, model.provenance.model_sha256)
    return "".join(f"{note}\n" for note in made.notes) + (
        f"{asked.out} written: {len(made.images)} images of {sides[0]}x{sides[1]} pixels, all confirmed by ONNX "
        f"Runtime, {made.tried} tried\nshow it to the models of a spec by\n  shifts:\n"
        f"    - {{suite: fingerprint, path: {asked.out.name}}}\n  thresholds:\n"
        "    - {where: {suite: fingerprint, model: NAME}, min_accuracy: 0.9}    # it is this model\n"
        "    - {where: {suite: fingerprint, model: OTHER}, max_match: 0.5}      # it is another one"
    )


def _number(text: str) -> float:
    """A number, also one written as a fraction such as 16/255."""
    over, slash, under = text.partition("/")
    try:
        number = float(over) / (float(under) if slash else 1)
    except (ValueError, ZeroDivisionError):
        number = math.nan
    if not math.isfinite(number):
        raise ArgumentTypeError(f"{text!r} is no number such as 0.1 or 16/255")
    return number


def _of_file(asked: argparse.Namespace) -> ModelPlan:
    from pytest_robust.spec.plan import ModelPlan, PathText, Preprocess
    from pytest_robust.views.resolution import LARGEST

    if asked.model is not None:
        raise RobustError(f"--model {asked.model}: it names a model of a spec; give --spec as well")
    given: dict[str, Any] = {name: getattr(asked, name) for name in _FEEDING if getattr(asked, name) is not None}
    for name in given.keys() & {"mean", "std"}:
        given[name] = tuple(given[name])
        if len(given[name]) not in (1, 3) or (name == "std" and min(given[name]) <= 0):
            raise RobustError(f"--{name}: give one number or three, and a std above 0")
    if not 1 <= given.get("size", 1) <= LARGEST or not given.get("scale", 1) > 0:
        raise RobustError(f"--size must be from 1 to {LARGEST} pixels, and --scale above 0")
    if "${" in str(asked.path):
        raise RobustError(f"{asked.path} holds '${{', which is taken for a variable; rename it")
    path = PathText(str(asked.path), Path.cwd(), _MARK)
    return ModelPlan(asked.path.stem, path, _MARK, preprocess=Preprocess(**given))


def _of_spec(asked: argparse.Namespace) -> ModelPlan | None:
    """The spec's model; None after its mistakes have been printed."""
    from pytest_robust.cli.preview import model_named
    from pytest_robust.cli.specs import collected

    for name in _FEEDING:
        if getattr(asked, name) is not None:
            raise RobustError(f"--{name}: the spec says how the model is fed; leave it out")
    plan = collected(asked.spec)
    return model_named(plan, asked.model) if plan else None


def _sides(plan: ModelPlan, victim: Victim) -> tuple[int, int]:
    """Height and width of the images that the model takes unresized.

    Raises:
        RobustError: nothing says it.
    """
    own = None if plan.enhancer else plan.preprocess.size
    if own is None and victim.sides:
        return victim.sides
    side = own or plan.geometry.crop
    if side is None:
        raise RobustError(f"{plan.path.text} takes images of any size: say which by --size, or by preprocess.size")
    return side, side


def _write(out: Path, made: Fingerprint, recipe: Recipe, seed: int, sha256: str) -> None:
    import numpy as np

    from pytest_robust.golden.arrays import pack
    from pytest_robust.views.fingerprint import FORMAT
    from pytest_robust.whole_file import replace

    arrays = {
        "format": np.array(FORMAT),
        "x": made.images,
        "y": made.labels,
        "kind": np.array(recipe.kind),
        "parameters": np.array(json.dumps({**recipe.parameters, "seed": seed}, sort_keys=True)),
        "sha256": np.array(sha256),
        "tried": np.array(made.tried),
    }
    replace(out, pack(arrays), NAME)
