"""What a user reads when a case fails: the numbers first, then where they come from and what to do."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.report.attacked import attack_text
from pytest_robust.report.counted import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_robust.measurement import Provenance
    from pytest_robust.spec.plan import AggregatePlan, CellPlan

_WORST = 3
_ACCEPTABLE = {"REGRESSED", "TOO_MANY_FLIPS", "INCONCLUSIVE", "NO_GOLDEN"}


def failure_text(
    headline: str,
    cell: CellPlan,
    record: Mapping[str, Any],
    provenance: Provenance | None,
    worst: Sequence[str],
    changed: Sequence[str] = (),
    golden_sha256: str | None = None,
    *,
    options: Sequence[str] = (),
    path: str | None = None,
    refusal: str | None = None,
    update_helps: bool = True,
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
        path: the spec, as the commands name it; as the record does unless given.
        refusal: why an update cannot take the cell as it was measured.
        update_helps: whether the cell would pass with this measurement as its golden; a frozen anchor stays.
        traceback: of a defect, shown last.
    """
    node = record["id"] if path is None else path + record["id"].removeprefix(record["spec"])
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
    if attack := record["attack"]:
        lines.append(f"  attack    {attack_text(attack)}")
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
    if record["verdict"] in _ACCEPTABLE and update_helps:
        # a golden never mixes two model files: another one is recorded with every cell of its model
        another = provenance is not None and golden_sha256 not in (None, provenance.model_sha256)
        target = node.rpartition("::")[0] if another else node
        candidates = [cell.model.name] if cell.model.candidate else []
        accept = f"not from here: {refusal}" if refusal else _accept([target], options, candidates)
        lines.append(f"  accept    {accept}")
    return "\n".join(lines) + (f"\n\n{traceback}" if traceback else "")


def aggregate_text(
    headline: str,
    plan: AggregatePlan,
    record: Mapping[str, Any],
    *,
    lost: Sequence[str] = (),
    goldens: Sequence[str] = (),
    devices: Sequence[str] = (),
    options: Sequence[str] = (),
    path: str | None = None,
    refusal: str | None = None,
    update_helps: bool = True,
) -> str:
    """The whole text of a failed aggregate.

    Args:
        headline: the first line, which pytest repeats in its summary.
        plan: what was asked.
        record: the aggregate's entry of the report.
        lost: one phrase per member that lost most against the golden.
        goldens: where the members' goldens come from.
        devices: what measured the members.
        options: the run's options that the commands must repeat.
        path: the spec, as the commands name it; as the record does unless given.
        refusal: why an update cannot take what was measured.
        update_helps: whether the aggregate would pass with what was measured as its golden; a frozen anchor stays.
    """
    lines = [headline]
    lines += [f"  also      {reason}" for reason in record["reasons"] if reason not in headline]
    lines.append(f"  spec      {plan.mark}")
    models = {cell.model.name: cell.model for cell in plan.members}
    lines.append(f"  members   {counted(plan.members, 'cell')} of {', '.join(models)}")
    lines += [f"  worst     {', '.join(lost)}"] if lost else []
    lines += [f"  golden    {golden}" for golden in goldens]
    lines += [f"  device    {device}" for device in devices]
    spec = record["spec"] if path is None else path
    node = spec + record["id"].removeprefix(record["spec"])
    lines.append(f"  rerun     {' '.join(['pytest', *map(shlex.quote, (*options, node))])}")
    if "max_regression" in plan.limits and record["verdict"] in _ACCEPTABLE and update_helps:
        # a golden is recorded cell by cell, so a new value is accepted with the members that it is made of
        candidates = [name for name, model in models.items() if model.candidate]
        targets = [f"{spec}::{name}" for name in models if name in record["models"]]
        accept = f"not from here: {refusal}" if refusal else _accept(targets, options, candidates)
        lines.append(f"  accept    {accept}")
    return "\n".join(lines)


def _accept(targets: Sequence[str], options: Sequence[str], candidates: Sequence[str]) -> str:
    """How to put what was measured into the golden."""
    if candidates:
        files = "its file" if len(candidates) == 1 else "their files"
        names = ", ".join(f"models.{name}" for name in candidates)
        return f"give {names} {files} in the spec, then update the golden"
    return f"{' '.join(['pytest', *map(shlex.quote, (*options, *targets))])} --robust-update --robust-reason='...'"


def worst_classes(
    labels: NDArray[np.uint16],
    before: NDArray[np.uint16],
    after: NDArray[np.uint16],
    names: Sequence[str] | None = None,
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
