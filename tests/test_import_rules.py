"""Who may import whom."""

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("knowledge", "app", "evals")
FILES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
FORBIDDEN = {"knowledge": {"app", "evals", "tests"}, "app": {"evals", "tests"}, "evals": {"tests"}}


def imported(file: Path) -> set[str]:
    """Return the full names of the modules that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def module_of(file: Path) -> str:
    """Return a file's dotted name."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_a_module_imports_only_what_is_below_it(file: Path) -> None:
    """knowledge knows nobody, app knows knowledge, evals may know both."""
    package = module_of(file).partition(".")[0]
    assert not {name for name in imported(file) if name.partition(".")[0] in FORBIDDEN[package]}


def test_there_is_no_cycle() -> None:
    """Modules can be put in an order in which each imports only earlier ones."""
    names = {module_of(file) for file in FILES}
    waiting = {module_of(file): (imported(file) & names) - {module_of(file)} for file in FILES}
    while ready := {name for name, needs in waiting.items() if not needs & set(waiting)}:
        waiting = {name: needs for name, needs in waiting.items() if name not in ready}
    assert not waiting


@pytest.mark.parametrize("package", ["knowledge", "app", "app/commands", "app/ui", "evals", "tests"])
def test_an_init_file_holds_a_docstring_and_nothing_else(package: str) -> None:
    """Re-exports are where cycles begin."""
    (statement,) = ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8")).body
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Constant)


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_a_module_says_what_it_is_for(file: Path) -> None:
    """The first line is a docstring."""
    assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("file", sorted((ROOT / "tests").glob("test_*.py")), ids=lambda file: file.stem)
def test_every_test_says_what_must_hold(file: Path) -> None:
    """A test's docstring is the behaviour it guards."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            assert ast.get_docstring(node), node.name
