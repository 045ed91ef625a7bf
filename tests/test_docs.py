"""Prose that cannot drift: READMEs name every setting, command and check code."""

import ast
import re
import tomllib
from importlib.metadata import metadata

import pytest
import typer

from app.api import ENDPOINTS
from app.commands.knowledge import app as knowledge_command
from app.settings import Settings
from evals.cases import load_cases
from evals.run import app as evals_command
from tests.conftest import ROOT


def read(name: str) -> str:
    """Return a file of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def commands(app: typer.Typer) -> set[str]:
    """Return the names under which a visitor of the terminal calls the parts of a command."""
    return {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}


def codes(file: str, makers: dict[str, int]) -> set[str]:
    """Return the codes given to the functions that make problems; `makers` says at which place each takes its code."""
    found = set()
    for node in ast.walk(ast.parse(read(file))):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            code = node.args[makers[name]] if name in makers else None
            found |= {str(code.value)} if isinstance(code, ast.Constant) else set()
    return found


def test_the_readme_names_every_setting_with_its_default() -> None:
    """No setting is secret, and none is invented."""
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| `([^`]+)` \|", read("README.md"), re.MULTILINE))
    assert set(rows) == {name.upper() for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, int | str):
            assert rows[name.upper()] == str(field.default)


def test_the_readme_says_what_each_dependency_is_for_and_its_licence() -> None:
    """Nothing is installed for a visitor's server that is not listed, and the licence is the package's own."""
    wanted = {re.match(r"[\w-]+", line)[0] for line in tomllib.loads(read("pyproject.toml"))["project"]["dependencies"]}
    rows = re.findall(r"^\| (`.+`) \| (.+) \| (.+) \|$", read("README.md").partition("## What it stands on")[2], re.M)
    named = {name: licence for names, _, licence in rows for name in re.findall(r"`([\w-]+)`", names)}
    assert set(named) == wanted
    for name, licence in named.items():
        about = metadata(name)
        own = " ".join(str(about.get(key)) for key in ("License-Expression", "License", "Classifier"))
        own += " ".join(about.get_all("Classifier") or [])
        assert any(word in own for word in re.findall(r"L?GPL|MIT|BSD|Apache", licence)), name


def test_the_readme_names_every_address_of_the_api() -> None:
    """What is served is written down."""
    for endpoint in ENDPOINTS:
        assert f"`{endpoint.method} {endpoint.path}`" in read("README.md"), endpoint.path


@pytest.mark.parametrize(("file", "name"), [("knowledge/README.md", "knowledge"), ("evals/README.md", "evals")])
def test_a_package_readme_names_every_command(file: str, name: str) -> None:
    """What can be run is written down, and what is written down can be run."""
    known = commands(knowledge_command if name == "knowledge" else evals_command)
    assert set(re.findall(rf"\buv run {name} ([a-z]+)", read(file))) == known


def test_the_knowledge_readme_names_every_check_code() -> None:
    """An editor who meets a code finds its meaning."""
    makers = {"error": 2, "advice": 2, "maker": 2}
    files = ("knowledge/checks.py", "knowledge/wording.py", "knowledge/likeness.py", "app/leave_one_out.py")
    used = set.union(*(codes(file, makers) for file in files))
    used |= codes("knowledge/store.py", {"_problem": 0}) | codes("knowledge/strict_yaml.py", {"BrokenFileError": 0})
    table = read("knowledge/README.md").partition("## Checks")[2]
    named = set(re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| (.+?) \|", table, re.MULTILINE))))
    assert len(used) > 20
    assert named == used


def test_the_evals_readme_names_every_family() -> None:
    """A family without a line is a number nobody can read."""
    families = {case.family for split in ("dev", "test") for case in load_cases(split)} | {"attacks"}  # type: ignore[arg-type]
    assert {family for family in families if f"`{family}`" not in read("evals/README.md")} == set()


def test_commands_in_the_readmes_exist() -> None:
    """Every `uv run x` starts something that is installed."""
    scripts = set(re.findall(r"^([a-z]+) = \"(?:app|evals)\.", read("pyproject.toml"), re.MULTILINE))
    prose = "".join(read(name) for name in ("README.md", "knowledge/README.md", "evals/README.md"))
    assert set(re.findall(r"\buv run ([a-z]+)", prose)) <= scripts | {"streamlit", "pytest"}


def test_links_between_readmes_lead_somewhere() -> None:
    """A file that is named is there."""
    for name in ("README.md", "knowledge/README.md", "evals/README.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", read(name)):
            assert ((ROOT / name).parent / target).exists(), f"{name}: {target}"


def test_the_readme_says_who_checked_the_text() -> None:
    """Nobody reads "vetted" and thinks of a clinician."""
    words = " ".join(read("README.md").split())
    assert re.search("no clinician has reviewed the texts yet", words, re.IGNORECASE)
