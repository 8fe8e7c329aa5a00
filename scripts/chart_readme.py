"""Prints the chart's README from the comments in its values (`make manifests`; a test fails when it is stale)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
VALUES = ROOT / "helm" / "docuelevate" / "values.yaml"
LONGEST_DEFAULT = 90

HEAD = """# The chart of DocuElevate

```
helm install docuelevate ./helm/docuelevate --namespace docuelevate --create-namespace -f my-values.yaml
```

Needs Knative Serving and Eventing, PostgreSQL, an S3 server and a Meilisearch;
[docs/deployment.md](../../docs/deployment.md) is the guide. Values that cannot work are refused, each in a sentence.
`ci/` holds whole sets of values, `examples/` what else people need. This page is made from the comments in
[values.yaml](values.yaml) (`make manifests`).

| value | default | what it does |
|---|---|---|
"""


@dataclass(frozen=True)
class Value:
    """One key of the values with the comment above it."""

    path: str
    comment: str
    default: str
    is_leaf: bool


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_row(value) for value in values() if value.comment)


def values() -> Iterator[Value]:
    """Every key, parents before their children."""
    text = VALUES.read_text()
    yield from _values(yaml.compose(text), text.splitlines(), "")


def _values(node: yaml.Node | None, lines: list[str], prefix: str) -> Iterator[Value]:
    assert isinstance(node, yaml.MappingNode)
    for key, value in node.value:
        path = f"{prefix}{key.value}"
        is_leaf = not isinstance(value, yaml.MappingNode) or value.flow_style is True or not value.value
        yield Value(path, _comment_above(lines, key.start_mark.line), _default(value) if is_leaf else "", is_leaf)
        if not is_leaf:
            yield from _values(value, lines, f"{path}.")


def _comment_above(lines: list[str], line: int) -> str:
    found: list[str] = []
    while line > 0 and lines[line - 1].lstrip().startswith("# "):
        line -= 1
        found.insert(0, lines[line].strip().removeprefix("# "))
    return " ".join(found)


def _default(node: yaml.Node) -> str:
    text = json.dumps(yaml.safe_load(yaml.serialize(node)), ensure_ascii=False)
    return text if len(text) <= LONGEST_DEFAULT else "see values.yaml"


def _row(value: Value) -> str:
    default = f"`{value.default}`" if value.default else ""
    return f"| `{value.path}` | {default} | {value.comment.replace('|', chr(92) + '|')} |\n"


if __name__ == "__main__":
    print(page(), end="")
