"""Writes the schemas in tests/deploy/schemas from the CustomResourceDefinitions of published Go modules.

Usage: python scripts/crd_schemas.py FILE.yaml …      with, for instance,
  $(go mod download -json knative.dev/serving@v0.50.0 | jq -r .Dir)/config/core/300-resources/service.yaml
Descriptions and status are left out. What stands behind a feature flag of Knative that is off by default is left out as
well: a manifest that uses it works on some clusters only, and fails the test.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

OUT = Path(__file__).resolve().parents[1] / "tests" / "deploy" / "schemas"

ON_BY_DEFAULT = ("kubernetes.podspec-volumes-emptydir",)


def schemas(crd: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The JSON schema of every served version, by file name."""
    group, kind = crd["spec"]["group"], crd["spec"]["names"]["kind"]
    found = {}
    for version in crd["spec"]["versions"]:
        if version["served"] and "schema" in version:
            schema = version["schema"]["openAPIV3Schema"]
            properties = closed(schema["properties"]["spec"])
            name = f"{kind.lower()}-{group.partition('.')[0]}-{version['name']}.json"
            found[name] = {
                "type": "object",
                "properties": {
                    "apiVersion": {"const": f"{group}/{version['name']}"},
                    "kind": {"const": kind},
                    "metadata": {"type": "object"},
                    "spec": properties,
                },
                "required": ["apiVersion", "kind", "metadata", "spec"],
                "additionalProperties": False,
            }
    return found


def closed(node: dict[str, Any]) -> dict[str, Any]:
    """One schema as JSON Schema, refusing unknown fields wherever fields are declared."""
    if node.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    kept = {name: node[name] for name in ("type", "enum", "pattern", "minimum", "maximum", "required") if name in node}
    if "properties" in node:
        declared = {name: closed(child) for name, child in node["properties"].items() if not behind_a_flag(child)}
        if "backoffPolicy" in declared:
            # Served since 1.4, on by default, and missing in the definitions.
            declared["timeout"] = {"type": "string"}
        return kept | {"properties": declared, "additionalProperties": False}
    if "items" in node:
        return kept | {"items": closed(node["items"])}
    if isinstance(node.get("additionalProperties"), dict):
        return kept | {"additionalProperties": closed(node["additionalProperties"])}
    return kept


def behind_a_flag(node: dict[str, Any]) -> bool:
    """Whether Knative refuses the field unless an operator has allowed it."""
    told = node.get("description", "") + node.get("items", {}).get("description", "")
    return "feature flag" in told and not any(flag in told for flag in ON_BY_DEFAULT)


def main(paths: list[str]) -> None:
    """Write one file for each kind and version."""
    for path in paths:
        for crd in yaml.safe_load_all(Path(path).read_text()):
            if crd and crd["kind"] == "CustomResourceDefinition":
                for name, schema in schemas(crd).items():
                    (OUT / name).write_text(json.dumps(schema, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
