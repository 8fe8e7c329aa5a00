"""Imports point one way, cores stay pure, and only composition roots read settings (docs/architecture.md, Layout)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("functions", "local", "shared", "web")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
CORES = [*sorted((ROOT / "functions").glob("*/core.py")), ROOT / "shared/projection.py"]
IMPURE = {"boto3", "botocore", "httpx", "os", "time", "socket", "subprocess", "sqlalchemy", "starlette", "threading"}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)} has a relative import"
            assert node.module
            yield node.module


def ours(path: Path) -> set[str]:
    return {module for module in imports(path) if module.split(".")[0] in PACKAGES}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_point_one_way(path: Path) -> None:
    place = path.relative_to(ROOT).parts
    for module in ours(path):
        target = module.split(".")
        if place[0] == "shared":
            assert target[0] == "shared", f"shared must not import {module}"
        elif place[0] == "functions":
            own = target[:2] == ["functions", place[1]] or target == ["functions"]
            assert own or target[0] == "shared", f"{name(path)} must not import {module}"
        elif place[0] == "web":
            assert target[0] in ("web", "shared"), f"web must not import {module}"
        else:
            assert target[0] in ("local", "shared", "web"), f"local must not import {module}"


@pytest.mark.parametrize("path", CORES, ids=name)
def test_cores_know_no_clock_network_or_environment(path: Path) -> None:
    assert not {module.split(".")[0] for module in imports(path)} & IMPURE


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), f"{name(path)} has no docstring"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_the_environment_is_read_by_settings_only(path: Path) -> None:
    if path.name == "settings.py" or name(path).startswith(("shared/jail/", "local/")):
        return
    source = path.read_text()
    assert "os.environ" not in source, f"{name(path)} reads the environment"
    assert "getenv" not in source, f"{name(path)} reads the environment"


def test_no_module_has_a_name_that_says_nothing() -> None:
    empty = {"utils.py", "helpers.py", "common.py", "manager.py", "base.py", "misc.py"}
    assert [name(path) for path in MODULES if path.name in empty] == []
