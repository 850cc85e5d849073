"""Prints the table of `specs/claims/README.md` from the JSON report of a run of `specs/claims.yaml`.

    pytest --robust-spec specs/claims.yaml --robust-report=claims.json
    python -m specs.claims.table claims.json

What it prints is the end of that file, from the head of the table on.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_robust.errors import RobustError
from pytest_robust.registry import catalog
from pytest_robust.spec.build import load_plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SPEC = Path(__file__).parents[1] / "claims.yaml"

VERDICTS = {"PASS": "holds", "UNEXPECTED_PASS": "holds", "INCONCLUSIVE": "open", "BELOW_FLOOR": "fails"}
"""What a verdict of a limit says of a claim."""

CLAIMS = {
    "detail.down_up.trend": ("Accuracy falls the more detail scaling takes", "2209.02132"),
    "zoom.zoom_crop.trend": ("Accuracy falls the more an image is enlarged", "2209.02132"),
    "shrink.shrink_pad.trend": ("Accuracy falls the more an image is shrunk", "2209.02132"),
    "augmix-helps-scaled": ("AugMix helps under scaling", "2209.02132"),
    "rs-helps-scaled": ("ResNet-RS helps under scaling", "2209.02132"),
    "nf-helps-scaled": ("Normalizer-free helps under scaling", "2209.02132"),
    "l0-helps-corrupted": ("L0 noise in training helps under corruptions", "2305.05400"),
    "l0-costs-nothing": ("L0 noise in training costs nothing on clean images", "2305.05400"),
    "imperceptible.ice": ("Noise of p > 0 in training brings iCE near zero", "2305.05400"),
    "l0-better-on-l0": ("Under L0 noise L0 training beats L2 training", "2305.05400"),
    "l2-better-on-p": ("Under noise of p > 0 L2 training beats L0 training", "2305.05400"),
    "no-transfer-to-l0": ("L2 training does not help under L0 noise", "2305.05400"),
    "no-transfer-from-l0": ("L0 training does not help under noise of p > 0", "2305.05400"),
    "transfer-among-p": ("L2 training helps under the other p > 0", "2305.05400"),
    "more-data-helps": ("More data helps under corruptions", "2007.08558"),
    "larger-helps": ("A larger model helps under corruptions", "2007.08558"),
    "right-size-helps": (
        "Shown as large as in training, shrunk images are read better",
        "2007.08558, 1906.06423",
    ),
    "swaps.phase_reliance": ("Nets trained with APR follow the phase", "2108.08487"),
    "apr-follows-phase": ("Nets trained with APR follow the phase more than plain ones", "2108.08487"),
    "apr-helps-corrupted": ("APR helps under corruptions", "2108.08487"),
    "augmix-helps-corrupted": ("AugMix helps under corruptions", "1912.02781"),
    "dyntta-helps-corrupted": ("DynTTA in front helps under corruptions", "2212.04681"),
    "dyntta-costs-little": ("DynTTA in front costs little on clean images", "2212.04681"),
    "estimated-helps-corrupted": ("Training with what DynTTA chose helps under corruptions", "2212.04681"),
    "estimated-costs-little": ("Training with what DynTTA chose costs little on clean images", "2212.04681"),
    "coconv-costs-nothing": ("CoConv costs no clean accuracy", "2108.07387"),
    "one-kernel-costs-little": ("One kernel for all layers costs little clean accuracy", "1904.09764"),
}
"""Claims by the names of their rows, less the seed: in words, each its own, and the papers on arXiv."""

HEAD = "| claim | arXiv | limit | measured, seed by seed | verdict |\n|---|---|---|---|---|"

REASONS = "\nWhat fails, and why:\n"


def claim_of(name: str) -> str:
    """The name of a claim's row, less its seed."""
    return re.sub(r"-\d$", "", name)


def table(aggregates: Sequence[Mapping[str, Any]], clean: Mapping[str, float]) -> Iterator[str]:
    """The lines of the table.

    Args:
        aggregates: those of a report, in the order of the spec.
        clean: accuracy on clean images by model.

    Raises:
        RobustError: a claim was not judged.
    """
    found: dict[str, list[Mapping[str, Any]]] = {name: [] for name in CLAIMS}
    for one in sorted(aggregates, key=lambda one: str(one["models"][0])):
        if one["level"] == "block" and one["verdict"] in VERDICTS:
            found[claim_of(one["id"].rpartition("::")[2])].append(one)
    yield HEAD
    for name, seeds in found.items():
        words, papers = CLAIMS[name]
        if not seeds:
            raise RobustError(f"the report does not judge {name}; run all of specs/claims.yaml")
        measured: dict[str, list[str]] = {}
        verdicts: dict[str, list[str]] = {}
        for one in seeds:
            recipe = one["models"][0].partition("-")[0]
            measured.setdefault(recipe, []).append(_measured(one, clean))
            verdicts.setdefault(recipe, []).append(VERDICTS[one["verdict"]])
        (limit,) = {_limit(one) for one in seeds}
        agreed = {verdict for seeds in verdicts.values() for verdict in seeds}
        verdict = agreed.pop() if len(agreed) == 1 else _by_recipe(verdicts)
        yield f"| {words} | {papers} | {limit} | {_by_recipe(measured)} | {verdict} |"


def reasons() -> Iterator[str]:
    """What the spec expects to fail, and why: one line each."""
    for claim in load_plan(SPEC, catalog()).aggregates:
        if claim.expect:
            yield f"- `{claim.id}`: {claim.expect}"


def _measured(one: Mapping[str, Any], clean: Mapping[str, float]) -> str:
    """The value in the unit of its kind; a clean loss, which a report has in words alone, from the clean cells."""
    if "max_clean_loss" in one["limit"]:
        model, against = one["models"]
        return f"{100 * (clean[against] - clean[model]):+.2f} pp"
    # adding 0 makes 0 of what is rounded to -0
    return _number(one["kind"], round(one["value"], 4) + 0.0)


def _limit(one: Mapping[str, Any]) -> str:
    ((key, limit),) = one["limit"].items()
    what = "clean loss " if key == "max_clean_loss" else "iCE " if one["kind"] == "ice" else ""
    return f"{what}{'at most' if key.startswith('max') else 'at least'} {_number(one['kind'], limit)}"


def _number(kind: str, value: float) -> str:
    if kind == "compare":
        return f"{100 * value:+.2f} pp"
    return f"{100 * value:+.2f} %" if kind == "error_reduction" else f"{value:.3f}"


def _by_recipe(values: Mapping[str, Sequence[str]]) -> str:
    """The values of the seeds, in their order; with the names of the recipes where there are several."""
    lists = {recipe: ", ".join(seeds) for recipe, seeds in values.items()}
    return "; ".join(f"{recipe} {seeds}" if len(lists) > 1 else seeds for recipe, seeds in lists.items())


def main() -> None:
    """Print the table and the reasons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    report = json.loads(parser.parse_args().report.read_text(encoding="utf-8"))
    clean = {cell["model"]: cell["accuracy"] for cell in report["cells"] if cell["suite"] == "clean"}
    try:
        print(*table(report["aggregates"], clean), REASONS, *reasons(), sep="\n")
    except RobustError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
