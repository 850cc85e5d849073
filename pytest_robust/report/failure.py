"""What a user reads when a case fails: the numbers first, then where they come from and what to do."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.measurement import Provenance
    from pytest_robust.spec.plan import CellPlan

_WORST = 3


def failure_text(
    headline: str,
    cell: CellPlan,
    record: Mapping[str, Any],
    provenance: Provenance | None,
    worst: Sequence[str],
    changed: Sequence[str] = (),
    golden_sha256: str | None = None,
    options: Sequence[str] = (),
    traceback: str | None = None,
) -> str:
    """The whole text of a failed cell.

    Args:
        headline: the first line, which pytest repeats in its summary.
        cell: what was asked.
        record: the cell's entry of the report.
        provenance: what measured it; None if nothing did.
        worst: one phrase per class that lost most.
        changed: what differs from the golden beside the predictions, one phrase each.
        golden_sha256: the model file that the golden was recorded from.
        options: the run's options that the commands must repeat.
        traceback: of a defect, shown last.
    """
    node = record["id"]
    call = " ".join(["pytest", *map(shlex.quote, options)])
    command = f"{call} {shlex.quote(node)}"
    lines = [headline]
    lines += [f"  also      {reason}" for reason in record["reasons"] if reason not in headline]
    place = [str(row.mark) for row in cell.thresholds]
    asked = cell.model.mark if cell.shift.suite == "clean" else cell.shift.mark
    lines.append(f"  spec      {asked}" + (f"   thresholds at {', '.join(place)}" if place else ""))
    if provenance is not None:
        lines.append(f"  model     {cell.model.path.text}   sha256 {provenance.model_sha256[:12]}")
        interval = record["interval"]
        span = f"   95% interval {100 * interval[0]:.1f} to {100 * interval[1]:.1f} %" if interval else ""
        lines.append(f"  measured  {record['correct']}/{record['n']}{span}")
    if golden := record["golden"]:
        because = f": {golden['reason']}" if golden["reason"] else ""
        recorded = f"recorded {golden['recorded']} on {golden['device_class']}{because}"
        origin = f"   sha256 {golden_sha256[:12]}" if golden_sha256 else ""
        lines.append(f"  golden    {golden['correct']}/{golden['n']}   {recorded}{origin}")
    if changed:
        lines.append(f"  changed   {', '.join(changed)}")
    if flips := record["flips"]:
        share = f"{100 * flips['churn']:.2f}% of the labels changed"
        lines.append(f"  flips     {flips['negative']} lost, {flips['positive']} won, {share}")
    if worst:
        lines.append(f"  worst     {', '.join(worst)}")
    if provenance is not None:
        lines.append(
            f"  device    {provenance.device} ({provenance.device_class}), onnxruntime {provenance.onnxruntime}"
        )
    lines.append(f"  rerun     {command}")
    if record["verdict"] in {"REGRESSED", "TOO_MANY_FLIPS", "INCONCLUSIVE", "NO_GOLDEN"}:
        # a golden never mixes two model files: another one is recorded with every cell of its model
        another = provenance is not None and golden_sha256 not in (None, provenance.model_sha256)
        target = node.rpartition("::")[0] if another else node
        accept = f"{call} {shlex.quote(target)} --robust-update --robust-reason='...'"
        if cell.model.candidate:
            accept = f"give models.{cell.model.name} this file in the spec, then update its golden"
        lines.append(f"  accept    {accept}")
    return "\n".join(lines) + (f"\n\n{traceback}" if traceback else "")


def worst_classes(
    labels: NDArray[np.uint16],
    before: NDArray[np.uint16],
    after: NDArray[np.uint16],
    names: Sequence[str] | None,
) -> list[str]:
    """The classes that lost most accuracy from golden to candidate, as phrases; none if no class lost any.

    Args:
        labels: true classes, shape (n,).
        before: the golden's predictions, shape (n,).
        after: the candidate's predictions, shape (n,).
        names: class names, where the data set has them.
    """
    lost = ((before == labels).astype(int) - (after == labels)).astype(float)
    found = []
    for label in np.unique(labels):
        mine = labels == label
        found.append((float(lost[mine].mean()), int(mine.sum()), int(label)))
    found.sort(key=lambda entry: (-entry[0], entry[2]))
    return [
        f"class {names[label] if names else label} {-100 * drop:+.1f} pp of {count}"
        for drop, count, label in found[:_WORST]
        if drop > 0
    ]
