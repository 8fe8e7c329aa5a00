"""Prints which variables each unit of the cluster reads; `make manifests` keeps that for the chart.

A unit reads the variables of the settings classes that its own modules construct, however deep they are imported.
"""

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pydantic import SecretStr

from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
STEPS = ("ingest", "convert", "ocr", "enrich", "record", "index")
ROOTS = {"web": "web.server", "sweep": "web.sweep.__main__"} | {step: f"functions.{step}.main" for step in STEPS}
CLASSES = {
    "migrate": {"DatabaseSettings", "LogSettings"},
    "notifications": {"ObjectStoreSettings", "NotificationSettings", "LogSettings"},
}
"""The command line is one program; these units are single commands of it."""

SET_BY_THE_CHART = {"DATA_DIR", "HOST", "PORT"}
HALVES_OF_A_SECRET = {"AWS_ACCESS_KEY_ID", "GOTENBERG_USERNAME"}
"""No secrets by themselves; people keep them with the other half."""

HEAD = """\
# Which variables each unit reads, and which of all are secrets. Made from the settings classes by `make manifests`.
"""


def page() -> str:
    """The whole file."""
    units = {unit: sorted(_variables(unit)) for unit in sorted([*ROOTS, *CLASSES])}
    everything = {name for names in units.values() for name in names}
    secrets = sorted((everything & _secrets()) | (everything & HALVES_OF_A_SECRET))
    lists = {"secrets": secrets} | units
    return HEAD + "".join(_list(name, variables) for name, variables in lists.items())


def _list(name: str, variables: list[str]) -> str:
    return f"{name}:\n" + "".join(f"  - {variable}\n" for variable in variables)


def _variables(unit: str) -> set[str]:
    classes = CLASSES.get(unit) or _constructed(ROOTS[unit])
    return {name.upper() for found in classes for name in _model(found).model_fields} - SET_BY_THE_CHART


def _secrets() -> set[str]:
    return {
        name.upper()
        for found in _settings_classes()
        for name, field in _model(found).model_fields.items()
        if SecretStr.__name__ in str(field.annotation)
    }


def _constructed(root: str) -> set[str]:
    """The settings classes that a module or anything it imports calls."""
    seen, waiting = {root}, [root]
    while waiting:
        new = set(_imports(waiting.pop())) - seen
        seen |= new
        waiting += new
    called = {
        node.func.id
        for module in seen
        for node in ast.walk(_trees()[module])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return called & _settings_classes().keys()


def _imports(module: str) -> Iterator[str]:
    for node in ast.walk(_trees()[module]):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (name for name in names if name in _trees())


@cache
def _trees() -> dict[str, ast.Module]:
    """Every module of ours by its name."""
    paths = [path for package in ("functions", "local", "shared", "web") for path in (ROOT / package).rglob("*.py")]
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths}
    return {name: ast.parse(path.read_text()) for path, name in names.items()}


@cache
def _settings_classes() -> dict[str, str]:
    """The module of each class that inherits from Settings, by its name."""
    found = {Settings.__name__: Settings.__module__}
    classes = [(name, node) for name, tree in _trees().items() for node in tree.body if isinstance(node, ast.ClassDef)]
    before = 0
    while len(found) > before:
        before = len(found)
        for module, node in classes:
            if any(isinstance(base, ast.Name) and base.id in found for base in node.bases):
                found.setdefault(node.name, module)
    return found


def _model(name: str) -> type[Settings]:
    found: type[Settings] = getattr(importlib.import_module(_settings_classes()[name]), name)
    return found


if __name__ == "__main__":
    print(page(), end="")
