"""Prints docs/configuration.md from the declared settings: `make docs` writes it, a test fails when it is stale."""

import importlib
import re
from pathlib import Path

from shared.settings import Variable, declared_variables

ROOT = Path(__file__).resolve().parents[1]

HEAD = """# Configuration

Everything is set by environment variables. Each is declared once, in a settings class; this page is made from those
(`make docs`). An empty variable counts as not set. A wrong value stops the process before it does anything.

On one machine `docuelevate serve` needs none of them. In a cluster the chart's `env` and `secrets` take them
([deployment.md](deployment.md)).

| variable | default | what it does |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    for path in sorted(ROOT.glob("*/**/settings.py")):
        if path.relative_to(ROOT).parts[0] in ("functions", "local", "shared", "web"):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    importlib.import_module("shared.logs")
    importlib.import_module("shared.publisher")
    return HEAD + "".join(_row(variable) for variable in declared_variables())


def _row(variable: Variable) -> str:
    default = "needed" if variable.required else f"`{variable.default}`" if variable.default else "–"
    choices = re.findall(r"Literal\[([^\]]*)\]", variable.type)
    among = f" One of {choices[0].replace(chr(39), '`')}." if choices and choices[0] not in variable.description else ""
    secret = " Secret." if variable.secret else ""
    description = variable.description.replace("|", "\\|")
    return f"| `{variable.name}` | {default} | {description}{among}{secret} |\n"


if __name__ == "__main__":
    print(page(), end="")
