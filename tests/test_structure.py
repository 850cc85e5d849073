"""Imports run one way, read off the source: packages depend on packages below them, and modules never on each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import pytest_robust

ROOT = Path(pytest_robust.__file__).parent
FILES = {
    ".".join(("pytest_robust", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
LAYERS = (
    {"errors", "patterns"},
    {"measurement", "spec"},
    {"metrics", "verdict", "shifts", "models"},
    {"data", "golden", "gradients"},
    {"views", "attacks", "augment", "enhance"},
    {"registry"},
    {"engine", "report"},
    {"comparing"},
    {"bench"},
    {"collect", "controller"},
    {"plugin", "cli"},
)
"""From the ground up: a package imports from lower layers, and from itself."""

KNOW_NOTHING_OF = {
    "metrics": {"pytest", "torch", "onnxruntime", "onnx", "cv2", "PIL"},
    "golden": {"pytest", "torch", "onnxruntime", "onnx", "cv2", "PIL"},
    "verdict": {"pytest", "torch", "onnxruntime", "onnx", "cv2", "PIL", "pydantic", "yaml"},
}


def imports(path: Path, *, types: bool) -> Iterator[tuple[str, str | None]]:
    """(module, name) of every import in a file, wherever it stands; with `types` also those for the type checker."""
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from ((one.name, None) for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from ((node.module or "", one.name) for one in node.names)
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            pending += [*node.orelse, *(node.body if types else ())]
        else:
            pending += ast.iter_child_nodes(node)


def graph(*, types: bool) -> dict[str, set[str]]:
    """Module -> the modules of this package that it imports."""
    found: dict[str, set[str]] = {}
    for module, path in FILES.items():
        named = found[module] = set()
        for source, name in imports(path, types=types):
            target = f"{source}.{name}" if f"{source}.{name}" in FILES else source
            if target in FILES and target != module:
                named.add(target)
    return found


def by_package(modules: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The same between the packages, and the modules beside them; without the front page, which re-exports."""
    found: dict[str, set[str]] = {}
    for module, targets in modules.items():
        own = package(module)
        if own:
            found.setdefault(own, set()).update({package(target) for target in targets} - {own, ""})
    return found


def package(module: str) -> str:
    return module.partition(".")[2].partition(".")[0]


def test_the_files_are_there() -> None:
    assert len(FILES) > 100
    assert "pytest_robust.numpy" not in FILES
    modules = graph(types=False)
    assert "pytest_robust.shifts.scaling" in modules["pytest_robust.registry"]
    assert "pytest_robust.engine.engine" in modules["pytest_robust.collect"], "imports inside functions count"


def test_no_two_modules_import_each_other() -> None:
    check(graph(types=False))


def test_no_two_packages_import_each_other() -> None:
    check(by_package(graph(types=False)))


def check(edges: Mapping[str, set[str]]) -> None:
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


def test_layers_import_from_below() -> None:
    height = {name: level for level, names in enumerate(LAYERS) for name in names}
    upward = [
        f"{own} imports {target}"
        for own, targets in by_package(graph(types=True)).items()
        for target in targets
        if own in height and target in height and height[target] > height[own]
    ]
    assert not upward


@pytest.mark.parametrize("own", KNOW_NOTHING_OF)
def test_the_mathematics_knows_neither_pytest_nor_models(own: str) -> None:
    for module, path in FILES.items():
        if package(module) == own:
            found = {source.partition(".")[0] for source, _ in imports(path, types=True)}
            assert not found & KNOW_NOTHING_OF[own], module
