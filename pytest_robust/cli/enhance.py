"""`pytest-robust enhance`: make an enhancer for a model, and see what it does."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "enhance"
HELP = "train an enhancer (DynTTA) in front of a frozen model, and show what it chooses"
DESCRIPTION = """\
An enhancer stands in front of a classifier that stays as it is. DynTTA (arXiv 2212.04681)
estimates for each image how to blend 49 augmentations of it and the output of an
image-to-image network, so that the classifier says the right class.

  train    train one through a model of a spec and write it as ONNX
  weights  which augmentations an enhancer of a spec chooses, shift by shift"""
EPILOG = """\
exit codes: 0 done, 1 the spec has mistakes,
            2 a file cannot be read or written, an option cannot be, or the training failed

examples:
  pytest-robust enhance train --spec net.yaml --model net --mode blind --data train --out new.onnx
  pytest-robust enhance train --spec net.yaml --model net --mode non-blind --out new.onnx --resume
  pytest-robust enhance weights --spec net.yaml --model net-dyntta

The spec judges the pair beside the model alone:
  models:
    net-dyntta: {like: net, enhancer: {path: new.onnx}}
  aggregates:
    - compare: {model: net-dyntta, against: net, suite: imagenet-c}
      min_gain: 0
      max_clean_loss: 0.01
"""

_TRAIN = """\
Train an enhancer through a model of a spec. The model's weights stay as they are; gradients
go through its ONNX graph. An enhancer that the spec has in front of it is left out.

  --mode non-blind  each image is shifted with the probability 15/16, by a corruption of
                    ImageNet-C at a severity, all equally likely: the test's own shifts
  --mode blind      AugMix instead (3 chains of 1 to 3 operations, severity 5): the
                    enhancer meets the test's shifts for the first time in the test

Train on other images than the spec judges by: name them with --data. Where the spec has
the digits, their training split is taken. An image that the spec judges by is refused.

After each epoch the log goes to OUT.csv (for OUT.onnx) and the state beside it to
OUT.onnx.training, from which --resume goes on; it is gone when the training is done. On one
CPU with one number of threads the same seed gives the same bytes, resumed or not.

No pretrained weights are to be had, so both networks begin at random. The defaults of
--size resnet18 are the paper's, which begins at pretrained ones: expect to need more
epochs, or larger rates. Those of --size small suit images of about 32 pixels."""

_WEIGHTS = """\
Show the mean weights that an enhancer of the spec gives to its augmentations, for each shift
of its model: the largest first. `network` is the image-to-image network. The images of attacks
are crafted on a model, so these are left out."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    raw = argparse.RawDescriptionHelpFormatter
    train = actions.add_parser("train", help="train an enhancer", description=_TRAIN, formatter_class=raw)
    _name_model(train)
    train.add_argument("--mode", required=True, choices=("blind", "non-blind"), help="what the training images undergo")
    train.add_argument("--out", required=True, type=Path, metavar="FILE.onnx", help="where to; replaced if it exists")
    train.add_argument(
        "--data", type=Path, metavar="PATH", help="training images: class folders, an npz file, or a csv of files"
    )
    train.add_argument("--limit", type=int, metavar="N", help="train on so many of them")
    train.add_argument("--size", choices=("small", "resnet18"), help="the networks (default: small up to 64 pixels)")
    train.add_argument("--table", choices=("auto", "32", "64", "224"), help="non-blind: whose severities (auto)")
    train.add_argument("--seed", type=int, default=0, help="another seed, other weights and draws (default: 0)")
    train.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N (default: cpu)")
    train.add_argument("--resume", action="store_true", help="go on with a training that was broken off")
    numbers = train.add_argument_group("settings, whose defaults depend on --size")
    numbers.add_argument("--epochs", type=int, metavar="N", help="passes over the images (resnet18: 60, small: 30)")
    numbers.add_argument("--batch", type=int, metavar="N", help="images per step (64)")
    numbers.add_argument("--optimiser", choices=("sgd", "adam"), help="(resnet18: sgd, small: adam)")
    numbers.add_argument("--rate", type=float, metavar="X", help="learning rate of the estimator")
    numbers.add_argument("--network-rate", type=float, metavar="X", help="learning rate of the image-to-image network")
    numbers.add_argument("--weight-decay", type=float, metavar="X", help="(resnet18: 0.001, small: 0)")
    numbers.add_argument("--halve-every", type=int, metavar="N", help="epochs after which the rates are halved")
    numbers.add_argument(
        "--flip", action=argparse.BooleanOptionalAction, help="turn half of the images left to right (resnet18)"
    )
    weights = actions.add_parser("weights", help="show what one chooses", description=_WEIGHTS, formatter_class=raw)
    _name_model(weights)
    weights.add_argument("--images", type=int, default=64, metavar="N", help="the first N samples by id (default: 64)")
    weights.add_argument("--top", type=int, default=5, metavar="N", help="the N largest (default: 5)")


def _name_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--spec", required=True, type=Path, metavar="SPEC", help="a .yaml file")
    parser.add_argument("--model", required=True, metavar="NAME", help="a model of the spec")


def run(asked: argparse.Namespace) -> int:
    """Collect the spec, then do what is asked for."""
    from pytest_robust.cli.preview import model_named
    from pytest_robust.cli.specs import collected

    plan = collected(asked.spec)
    if plan is None:
        return 1
    model = model_named(plan, asked.model)
    if asked.action == "train":
        from pytest_robust.cli.enhance_train import train

        train(asked, plan, model)
    else:
        from pytest_robust.cli.enhance_weights import show

        show(plan, model, asked.images, asked.top)
    return 0
