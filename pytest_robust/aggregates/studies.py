"""Values of one attack over several models: the transfer matrix, and the frontier of accuracy and robustness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_robust.aggregates.values import Measured, Value, clean, shifted
from pytest_robust.metrics.attacked import summary, turned
from pytest_robust.metrics.attacks import transfer as transfer_matrix
from pytest_robust.metrics.pareto import LogErrorFit, fit_log_error, frontier
from pytest_robust.report.counted import counted
from pytest_robust.report.frontier import line_of
from pytest_robust.spec.attack_limits import source_of
from pytest_robust.verdict import Held, Verdict, bounded
from pytest_robust.verdict.aggregate import number, told_apart
from pytest_robust.verdict.attack_limits import distortions_text
from pytest_robust.verdict.wording import percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_robust.aggregates.values import Results
    from pytest_robust.measurement import Attacked
    from pytest_robust.metrics.attacked import AttackSummary
    from pytest_robust.spec.plan import AggregatePlan, CellPlan

_NOBODY = "no attacked image is one that another model has right"


def transfer(plan: AggregatePlan, measured: Measured, _: float) -> Value:
    """The largest rate off the diagonal, with the whole matrix."""
    names = list(plan.models)
    place = {name: position for position, name in enumerate(names)}
    first = measured[plan.members[0].id].samples
    size = len(names)
    hits = np.zeros((size, size, len(first.ids)), np.bool_)
    tried, right = np.zeros(hits.shape[1:], np.bool_), np.zeros(hits.shape[1:], np.bool_)
    there = np.zeros((size, size), np.bool_)
    crafted: dict[str, AttackSummary] = {}
    for cell in plan.members:
        crafted_on, shown_to = str(source_of(cell.shift, cell.model.name)), cell.model.name
        results = measured[cell.id]
        if results.samples.ids != first.ids:
            raise ValueError(f"{cell.id} and {plan.members[0].id} were measured on other samples")
        attacked, labels = _attacked(cell, results), results.samples.labels
        row, column = place[crafted_on], place[shown_to]
        hits[row, column] = _turned(plan, attacked, results)
        there[row, column] = True
        tried[row], right[column] = attacked.tried, attacked.clean == labels
        crafted[crafted_on] = summary(attacked, results.predicted, labels, transfer=row != column)
    found = transfer_matrix(hits, tried, right)
    rates = found.rates
    white_box = np.where(there.diagonal(), found.white_box, np.nan)
    sources = [name for name in names if name in crafted]
    targets = [name for name in names if there[:, place[name]].any()]
    counts = np.where(np.eye(size, dtype=bool), 0, found.counted)
    shown = np.ix_([place[name] for name in sources], [place[name] for name in targets])
    matrix = {
        "match": plan.options["match"] if _targeted(plan) else "untargeted",
        "sources": sources,
        "targets": targets,
        "rates": [[_number(rate) for rate in line] for line in rates[shown].tolist()],
        "counted": counts[shown].tolist(),
        "white_box": [_number(white_box[place[name]]) for name in sources],
        "success_rates": [crafted[name].success.success_rate for name in sources],
        "distortions": [dict(crafted[name].means) or None for name in sources],
    }
    value, label = None, "largest transfer rate"
    if not np.isnan(rates).all():
        value = float(np.nanmax(rates))
        source, target = divmod(int(np.nanargmax(rates)), size)
        label += f" ({names[source]} to {names[target]})"
    return Value(value, label, _held(plan, label, value), tuple(_rows(matrix, crafted)), details={"matrix": matrix})


def _held(plan: AggregatePlan, label: str, value: float | None) -> tuple[Held, ...]:
    if "max" in plan.limits:
        return (bounded(label, value, plan.limits["max"], at_most=True, undefined=_NOBODY, show=percent),)
    return (Held(Verdict.PASS, f"{label} is undefined: {_NOBODY}" if value is None else f"{label} {percent(value)}"),)


def _rows(matrix: dict[str, Any], crafted: dict[str, AttackSummary]) -> Iterator[str]:
    """One sentence per source."""
    for source, rates, own in zip(matrix["sources"], matrix["rates"], matrix["white_box"], strict=True):
        others = [
            f"{target} {_share(rate)}"
            for target, rate in zip(matrix["targets"], rates, strict=True)
            if target != source
        ]
        itself = f"; white box {_share(own)}" if own is not None else ""
        success = crafted[source].success
        made = f"success rate {_share(success.success_rate)} of {success.attacked}"
        yield f"from {source} to {', '.join(others)}{itself}; {made}, {distortions_text(crafted[source].means)}"


def _turned(plan: AggregatePlan, attacked: Attacked, results: Results) -> Any:
    if plan.options["match"] == "top5":
        if attacked.near_target is None:
            raise ValueError("the five most probable classes of the attacked images were not kept")
        return attacked.near_target
    return turned(results.predicted, results.samples.labels, attacked.targets)


def _targeted(plan: AggregatePlan) -> bool:
    return bool(plan.members[0].shift.parameters.get("targeted"))


def pareto(plan: AggregatePlan, measured: Measured, _: float) -> Value:
    """R2 of the fit through the models that no other one beats in accuracy and distortion."""
    norm = str(plan.options["norm"])
    entries: list[dict[str, Any]] = []
    points: dict[str, tuple[float, float]] = {}
    notes = []
    for model in plan.models:
        (cell,), own = shifted(plan, model), measured[clean(plan, model).id]
        results = measured[cell.id]
        found = summary(_attacked(cell, results), results.predicted, results.samples.labels, transfer=False)
        entry = {
            "model": model,
            "accuracy": 1 - own.error,
            "distortion": found.means.get(norm),
            "success_rate": found.success.success_rate,
            "attacked": found.success.attacked,
            "frontier": None,
        }
        entries.append(entry)
        if entry["distortion"] is None:
            why = "no image was attacked" if not found.success.attacked else "the attack turned no image"
            notes.append(f"{model} is left out: {why}, so its distortion is undefined")
        else:
            points[model] = (1 - own.error, found.means[norm])
    front = _frontier(points)
    for entry in entries:
        if entry["model"] in points:
            entry["frontier"] = entry["model"] in front
            notes.append(_in_words(entry, norm))
    fit, why = _fit([points[model] for model in front])
    label = f"R2 of {norm} distortion = a ln(1 - accuracy) + b over {counted(front, 'frontier model')}"
    value = fit.r2 if fit else None
    held = []
    if "min_r2" in plan.limits:
        held.append(bounded(label, value, plan.limits["min_r2"], at_most=False, undefined=why))
    if wanted := plan.options.get("on_frontier"):
        held.append(_on_frontier(str(wanted), {entry["model"]: entry for entry in entries}, front, norm))
    if "min_r2" not in plan.limits:
        told = f"{label} is undefined: {why}" if value is None else f"{label} {number(value)}"
        held += [] if held else [Held(Verdict.PASS, told)]
        notes = [*([told] if wanted else []), *notes]
    if fit:
        exact = "; a line through two models fits them exactly" if len(front) == 2 else ""
        notes.insert(0, f"{norm} distortion = {line_of(fit.a, fit.b)}{exact}")
    line = None if fit is None else {"a": fit.a, "b": fit.b, "r2": fit.r2}
    details = {"pareto": {"norm": norm, "models": entries, "fit": line}}
    return Value(value, label, tuple(held), tuple(notes), details=details)


def _frontier(points: dict[str, tuple[float, float]]) -> list[str]:
    if not points:
        return []
    on = frontier([accuracy for accuracy, _ in points.values()], [distortion for _, distortion in points.values()])
    return [model for model, is_on in zip(points, on.tolist(), strict=True) if is_on]


def _fit(points: list[tuple[float, float]]) -> tuple[LogErrorFit | None, str]:
    """The line, or None, and why it or its R2 is undefined."""
    accuracies, distortions = [one for one, _ in points], [one for _, one in points]
    if len(points) < 2:
        return None, f"the frontier has {counted(points, 'model')}, and a line needs two"
    if max(accuracies) == 1:
        return None, "a model of the frontier makes no error on clean images"
    # two models of the frontier differ in both or in neither
    if len(set(accuracies)) < 2:
        return None, "the models of the frontier are equally accurate"
    return fit_log_error(accuracies, distortions), "the distortions are all equal"


def _on_frontier(model: str, entries: dict[str, dict[str, Any]], front: list[str], norm: str) -> Held:
    own = entries[model]
    if own["distortion"] is None:
        return Held(Verdict.INCONCLUSIVE, f"whether {model} is on the frontier is undefined: no image of it was turned")
    if model in front:
        known = [one for one in entries.values() if one["distortion"] is not None]
        return Held(Verdict.PASS, f"{model} is on the frontier of {counted(known, 'model')}")
    keys = ("accuracy", "distortion")
    better = next(entries[name] for name in front if all(entries[name][key] >= own[key] for key in keys))
    accuracies = " to ".join(told_apart(better["accuracy"], own["accuracy"], percent))
    distortions = " to ".join(told_apart(better["distortion"], own["distortion"], number))
    rates = f"success rates {percent(better['success_rate'])} and {percent(own['success_rate'])}"
    return Held(
        Verdict.BELOW_FLOOR,
        f"{model} is not on the frontier: {better['model']} beats it by accuracy {accuracies}, mean {norm} distortion "
        f"{distortions} ({rates})",
    )


def _in_words(entry: dict[str, Any], norm: str) -> str:
    on = "on" if entry["frontier"] else "behind"
    success = f"success rate {percent(entry['success_rate'])} of {entry['attacked']}"
    return (
        f"{entry['model']} is {on} the frontier: accuracy {percent(entry['accuracy'])}, mean {norm} distortion "
        f"{entry['distortion']:.4g} ({success})"
    )


def _attacked(cell: CellPlan, results: Results) -> Attacked:
    if results.attacked is None:
        raise ValueError(f"{cell.id} was measured without its attack")
    return results.attacked


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _share(rate: float | None) -> str:
    return "undefined" if rate is None else percent(rate)
