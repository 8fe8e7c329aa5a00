"""What each deployed program declares, read from its source: its settings, which of them are secret, its deadline."""

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from shared.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("shared", "functions", "web", "local")

Place = tuple[str, str | None]
"""A module, and the one function in it that counts, if not all of it does."""

UNITS: dict[str, tuple[Place, ...]] = {
    **{step: ((f"functions.{step}.main", None),) for step in ("ingest", "convert", "ocr", "enrich", "record", "index")},
    "web": (("web.server", None),),
    "migrate": (("local.cli", "migrate"), ("shared.logs", None)),
    "sweep": (("local.sweep_command", "_direct"), ("shared.logs", None)),
    "notifications": (("local.s3_commands", None), ("shared.logs", None)),
}
"""Where each program starts."""

FROM_THE_IMAGE = {"DATA_DIR", "LIBREOFFICE_PROGRAM", "LIBREOFFICE_PYTHON", "TESSDATA_PREFIX"}
"""Where things are in a container; may be said, need not be."""

OF_ANY_PROGRAM = {"HOME", "TMPDIR", "XDG_CACHE_HOME", "OMP_THREAD_LIMIT"} | {
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "AWS_CA_BUNDLE",
}

DEFAULTS_WILL_DO = {"web": {"PORT"}, "migrate": {"DATABASE_POOL_SIZE", "LOG_FORMAT", "LOG_LEVEL"}}
"""What need not be handed on: the port is the Service's affair; a migration has one connection and says one line."""


@cache
def variables_of(unit: str) -> tuple[set[str], set[str]]:
    """The variables that a program declares, and those that it may be given or not."""
    declared = {variable for model in settings_of(unit) for variable, _ in _variables(model)}
    return declared, FROM_THE_IMAGE | OF_ANY_PROGRAM | DEFAULTS_WILL_DO.get(unit, set())


@cache
def secret_variables() -> set[str]:
    """Every variable that some program declares as a secret."""
    models = {model for unit in UNITS for model in settings_of(unit)}
    return {variable for model in models for variable, secret in _variables(model) if secret}


@cache
def settings_of(unit: str) -> set[type[Settings]]:
    """The settings classes that a program reads, wherever in its imports."""
    found: set[type[Settings]] = set()
    seen: set[Place] = set()
    queue = list(UNITS[unit])
    while queue:
        place = queue.pop()
        if place in seen or (tree := _source(*place)) is None:
            continue
        seen.add(place)
        imported = {name: module for module, name in _imports(tree)}
        queue += [(name, None) for module, part in _imports(tree) for name in (module, f"{module}.{part}")]
        for name in _read(tree):
            found.add(getattr(importlib.import_module(imported.get(name, place[0])), name))
    return found


@cache
def deadline_seconds(unit: str) -> float | None:
    """The deadline that a step declares, if it has one."""
    for node in ast.walk(_source(UNITS[unit][0][0], None) or ast.Module([], [])):
        if isinstance(node, ast.keyword) and node.arg == "deadline_seconds":
            return float(ast.literal_eval(node.value))
    return None


def _variables(model: type[Settings]) -> Iterator[tuple[str, bool]]:
    for name, field in model.model_fields.items():
        yield str(field.validation_alias or name).upper(), "SecretStr" in str(field.annotation)


def _source(module: str, function: str | None) -> ast.AST | None:
    path = ROOT / Path(*module.split("."))
    file = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
    if module.partition(".")[0] not in PACKAGES or not file.exists():
        return None
    tree = ast.parse(file.read_text())
    if function is None:
        return tree
    return next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Module and name of each import, those for type checkers left out."""
    for node in _walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


def _read(tree: ast.AST) -> Iterator[str]:
    """The settings classes that are filled from the environment: called without arguments."""
    for node in _walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[], keywords=[]) if name.endswith("Settings"):
                yield name


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        yield node
        yield from _walk(node)
