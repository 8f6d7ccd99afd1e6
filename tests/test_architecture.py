"""The house as DESIGN.md draws it: the direction of imports, guessable paths, and files and functions one can oversee."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
APP = PROJECT / "app"
CODE = sorted(APP.rglob("*.py"))
EVERYTHING = sorted(
    path for folder in ("app", "migrations", "tests", "bench") for path in (PROJECT / folder).rglob("*.py")
)

MOST_LINES = 350
MOST_LINES_OF_A_FUNCTION = 70
# Longer than that, each for a reason; and no longer than this.
LONGER = {
    "app/api/rest/signals.py": 445,  # the noun with the most routes, each with its models
    "app/api/edge.py": 390,  # the way of every request, from the first header to the last, in one place
    "app/cli.py": 420,  # every command, each a few lines
    "app/infra/embedded.py": 440,  # the whole life of a server in one place, next to its programs
    "app/infra/oidc.py": 460,  # every way in which an issuer can fail
    "app/infra/regions.py": 430,  # the five views that share one set of joins
}
ENVIRONMENT = {"app/settings.py", "app/serving.py", "app/infra/embedded.py", "app/infra/embedded_programs.py"}


def name(path):
    return path.relative_to(PROJECT).as_posix()


def lines(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def test_imports_go_one_way():
    program = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_every_package_of_the_app_has_its_place_in_the_layers():
    """A new ring must be drawn before it is built: import-linter only looks at what it was told of."""
    configuration = (PROJECT / "pyproject.toml").read_text()
    assert "exhaustive = true" in configuration
    drawn = set(re.findall(r"[a-z_]+", configuration.partition("layers = [")[2].partition("]")[0]))
    there = {
        path.stem if path.suffix else path.name
        for path in APP.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert there - {"__init__"} <= drawn


@pytest.mark.parametrize(
    "noun", sorted(p.stem for p in (APP / "api" / "rest").glob("*.py") if "\nrouter = " in p.read_text())
)
def test_a_noun_has_the_same_file_name_in_every_ring(noun):
    rings = {ring for ring in ("api/graphql", "domain", "infra") if (APP / ring / f"{noun}.py").exists()}
    # Vocabularies and regions are data without rules of their own.
    assert rings == {"api/graphql", "domain", "infra"} - ({"domain"} if noun in ("terms", "regions") else set())


def test_no_file_is_longer_than_one_can_oversee():
    long = {name(path): lines(path) for path in CODE if lines(path) > MOST_LINES}
    assert {file: count for file, count in long.items() if count > LONGER.get(file, MOST_LINES)} == {}
    assert LONGER.keys() <= long.keys(), "an exception that is no longer needed"
    assert statistics.median(lines(path) for path in CODE if path.name != "__init__.py") < 150


def test_no_function_is_longer_than_a_page():
    long = {
        f"{name(path)}:{node.name}": node.end_lineno - node.lineno + 1
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {function: count for function, count in long.items() if count > MOST_LINES_OF_A_FUNCTION} == {}


def test_no_class_is_a_base_a_manager_or_a_helper():
    banned = re.compile(r"class (Base[A-Z]\w*|\w+(Manager|Helper|Util|Utils))\b")
    assert [name(path) for path in CODE if banned.search(path.read_text(encoding="utf-8"))] == []
    assert [name(path) for path in CODE if path.stem in ("utils", "util", "helpers", "common", "misc")] == []


def test_the_environment_is_read_in_one_place():
    readers = {
        name(path) for path in CODE if re.search(r"\bos\.(environ|getenv|putenv)\b", path.read_text(encoding="utf-8"))
    }
    assert readers <= ENVIRONMENT


def test_adapters_never_commit_and_only_the_door_opens_transactions():
    """DESIGN.md, write side: use cases own their transaction."""
    for path in [
        *(APP / "infra").glob("*_writes.py"),
        APP / "infra" / "work.py",
        *(APP / "api").rglob("*.py"),
        *(APP / "domain").glob("*.py"),
    ]:
        assert not re.search(r"\.(commit|rollback|transaction)\(\)", path.read_text(encoding="utf-8")), name(path)


def test_nothing_sets_a_session_setting_on_a_pooled_connection():
    """Connections go back to the pool without a reset: what one actor sets for a session, the next one would have."""
    for path in CODE:
        for found in re.finditer(r"set_config\([^)]*?,\s*(true|false)\)", path.read_text(encoding="utf-8")):
            assert found[1] == "true" or name(path) == "app/infra/prepare.py", name(path)


def test_nothing_leans_on_what_is_not_in_this_repository():
    outside = re.compile(r"\.\./shared|(?<![\w/])/(work|root|Users)/\w")
    files = [
        *EVERYTHING,
        *PROJECT.glob("*.toml"),
        PROJECT / "Makefile",
        PROJECT / "requirements.lock",
    ]
    this = Path(__file__)
    assert [name(path) for path in files if path != this and outside.search(path.read_text(encoding="utf-8"))] == []


def test_no_test_is_skipped_or_expected_to_fail():
    given_up = re.compile(r"pytest\.(skip|xfail|importorskip)\(|mark\.(skip|skipif|xfail)\b")
    tests = [path for path in EVERYTHING if name(path).startswith("tests/") and path != Path(__file__)]
    assert [name(path) for path in tests if given_up.search(path.read_text(encoding="utf-8"))] == []
