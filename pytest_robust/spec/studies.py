"""Expands `transfer` and `pareto` rows: one attack over several models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_robust.spec.attack_limits import ADVERSARIAL, source_of
from pytest_robust.spec.plan import severity_text
from pytest_robust.spec.problems import did_you_mean
from pytest_robust.spec.scope import CLEAN_COLUMN

if TYPE_CHECKING:
    from pytest_robust.spec.loader import Node
    from pytest_robust.spec.plan import Json
    from pytest_robust.spec.scope import Draft, Member, Rules
    from pytest_robust.spec.study_rows import AttackSpec, ParetoRow, TransferRow

FEWEST = 2
"""Models that a study compares at least."""


def transfer_drafts(rules: Rules, row: TransferRow, node: Node, at: Node) -> list[Draft]:
    """The one aggregate over all pairs of source and target.

    Its members are the cells of other models' images, and of each model's own ones where the spec has them.

    Args:
        rules: the spec's cells.
        row: the validated row.
        node: where the row stands.
        at: where its `transfer` stands.

    Returns:
        No draft after a problem.
    """
    what, names = row.transfer, rules.matrix.models
    found = _attacks(rules, what, at)
    if found is None:
        return []
    entry, columns, models = found
    pairs: dict[tuple[str, int], list[int]] = {}
    for model in models:
        for column in columns:
            source = source_of(rules.matrix.columns[column], names[model])
            if source is not None and (not what.model or source in what.model):
                pairs.setdefault((source, model), []).append(column)
    if _ambiguous(rules, entry, list(pairs.values()), at):
        return []
    others = {pair: column for pair, (column,) in pairs.items() if pair[0] != names[pair[1]]}
    if not others:
        text = f"transfer needs images of a model that others are shown; give the entry '{entry}' `source: each`"
        rules.problems.add(at.place, text)
        return []
    if what.match == "top5" and not any(rules.matrix.columns[c].parameters.get("targeted") for c in others.values()):
        text = "`match: top5` needs a targeted attack; remove it, or give the entry `targeted:`"
        rules.problems.add((at.get("match") or at).place, text)
        return []
    if not all(rules.have([model], [column], at) for (_, model), column in others.items()):
        return []
    members: list[Member] = [
        (model, column) for (_, model), (column,) in pairs.items() if column in rules.matrix.cells[model]
    ]
    involved = [m for m, name in enumerate(names) if any(name == source or m == model for source, model in others)]
    options: dict[str, Json] = {"entry": entry, "match": what.match}
    if not what.model:
        options["left_out"] = rules.left_out(involved)
    return [rules.draft(row, node, "transfer", f"{entry}.transfer", involved, members, options)]


def pareto_drafts(rules: Rules, row: ParetoRow, node: Node, at: Node) -> list[Draft]:
    """The one aggregate over clean and the attack of every model on itself; see `transfer_drafts`."""
    what, names = row.pareto, rules.matrix.models
    found = _attacks(rules, what, at)
    if found is None:
        return []
    entry, columns, models = found
    own = {
        model: [column for column in columns if source_of(rules.matrix.columns[column], names[model]) == names[model]]
        for model in models
    }
    own = {model: mine for model, mine in own.items() if mine or what.model}
    if not own or not all(own.values()):
        text = f"pareto needs attacks on the models themselves; give the entry '{entry}' `source: self`"
        rules.problems.add(at.place, text)
        return []
    if _ambiguous(rules, entry, list(own.values()), at):
        return []
    if not all(rules.have([model], columns, at) for model, columns in own.items()):
        return []
    if len(own) < FEWEST:
        rules.problems.add(at.place, "pareto compares models, and there is only one; name more by `model:`")
        return []
    options: dict[str, Json] = {"entry": entry, "norm": what.norm}
    if not what.model:
        options["left_out"] = rules.left_out(list(own))
    if row.on_frontier is not None:
        judged = {names[model]: None for model in own}
        if row.on_frontier not in judged:
            hint = did_you_mean(row.on_frontier, judged)
            place = (node.get("on_frontier") or node).place
            rules.problems.add(place, f"no model '{row.on_frontier}' in this row{hint}")
            return []
        options["on_frontier"] = row.on_frontier
    members = [(model, column) for model, (mine,) in own.items() for column in (CLEAN_COLUMN, mine)]
    return [rules.draft(row, node, "pareto", f"{entry}.pareto", list(own), members, options)]


def _attacks(rules: Rules, what: AttackSpec, at: Node) -> tuple[str, list[int], list[int]] | None:
    """The entry, its columns of the severity that the row chooses, and the models to compare; None after a problem."""
    columns = _columns(rules, what, at)
    if columns is None:
        return None
    models = rules.models(what.model, at, columns)
    if len(models) < len(set(what.model)):
        return None
    return rules.matrix.columns[columns[0]].entry, columns, models


def _columns(rules: Rules, what: AttackSpec, at: Node) -> list[int] | None:
    """The entry's columns of the severity that the row chooses; None after a problem."""
    scope = rules.scope(ADVERSARIAL, what.entry, at)
    if scope is None:
        return None
    if what.severity is None:
        return list(scope.columns)
    severities = {column: rules.matrix.columns[column].severity for column in scope.columns}
    columns = [column for column, severity in severities.items() if severity == what.severity]
    if columns:
        return columns
    if rules.matrix.complete:
        shown = severity_text(what.severity)
        hint = did_you_mean(shown, map(severity_text, severities.values()))
        rules.problems.add((at.get("severity") or at).place, f"no severity {shown} in '{scope.entry}'{hint}")
    return None


def _ambiguous(rules: Rules, entry: str, columns: list[list[int]], at: Node) -> bool:
    """Whether a pair of models has several attacks; noted, because a matrix or a frontier is of one."""
    several = next((found for found in columns if len(found) > 1), None)
    if several is None:
        return False
    labels = ", ".join(rules.matrix.columns[column].label for column in several[:3])
    more = f" and {len(several) - 3} more" if len(several) > 3 else ""
    text = f"'{entry}' has several attacks ({labels}{more}); choose one by `severity:`"
    rules.problems.add(at.place, text)
    return True
