"""Which modules a program reaches, however deep and however late they are imported."""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.deploy.dockerfile import ROOT

OURS = ("functions", "local", "shared", "web")
_ENTRY = re.compile(rf"({'|'.join(OURS)})(\.\w+)+(:\w+)?")


@dataclass
class Reached:
    """Files of the project, and the top-level packages of others."""

    files: set[Path] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)


def reached(entries: Iterable[str], without: Iterable[str] = ()) -> Reached:
    """What the modules named `entries` reach; modules `without` are not followed."""
    found = Reached()
    waiting = list(entries)
    left_out = set(without)
    while waiting:
        module = waiting.pop()
        package = module.partition(".")[0]
        if module in left_out or package in sys.stdlib_module_names:
            continue
        if package not in OURS:
            found.foreign.add(package)
        elif (path := _file(module)) and path not in found.files:
            found.files.add(path)
            waiting.extend(_named(path))
    return found


def _file(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    candidates = (path / "__init__.py", path.with_suffix(".py"))
    return next((each for each in candidates if each.exists()), None)


def _named(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    for node in _executed(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module.partition(".")[0] in OURS:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _ENTRY.fullmatch(node.value):
            # Jailed workers are named to the process that runs them: "functions.ocr.worker:create".
            yield node.value.partition(":")[0]


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only type checkers see."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from _executed(node)
