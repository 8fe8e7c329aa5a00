"""Validates resources strictly, unknown fields refused: Kubernetes' by kubernetes-validate, others by `schemas/`."""

import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

KUBERNETES = "1.34"
"""The oldest version that the newest Knative runs on."""

_OWN = Path(__file__).parent / "schemas"
_KUBERNETES = files("kubernetes_validate") / "kubernetes-json-schema" / f"v{KUBERNETES}.0-local-strict"


class NoSchema(Exception):
    """Nothing is known of this kind."""


def problems(resource: dict[str, Any]) -> list[str]:
    """What is wrong with a resource, each with its place."""
    validator = _validator(resource["apiVersion"], resource["kind"])
    found = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(resource)]
    found += [f"metadata{error.json_path[1:]}: {error.message}" for error in _metadata().iter_errors(_meta(resource))]
    return found


def _meta(resource: dict[str, Any]) -> Any:
    return resource.get("metadata")


@cache
def _validator(api_version: str, kind: str) -> Draft202012Validator:
    group, _, version = api_version.rpartition("/")
    short = f"{group.partition('.')[0]}-{version}" if group else version
    name = f"{kind.lower()}-{short}.json"
    if (_OWN / name).exists():
        return Draft202012Validator(json.loads((_OWN / name).read_text()))
    if re.search(r"(^|\.)k8s\.io$", group) or "." not in group:
        path = _KUBERNETES / name
        if path.is_file():
            return Draft202012Validator(json.loads(path.read_text()), registry=_registry())
    raise NoSchema(f"no schema for {api_version} {kind}: scripts/crd_schemas.py makes one")


@cache
def _metadata() -> Draft202012Validator:
    schema = json.loads((_KUBERNETES / "objectmeta-meta-v1.json").read_text())
    return Draft202012Validator(schema, registry=_registry())


@cache
def _registry() -> Registry[Any]:
    contents = json.loads((_KUBERNETES / "_definitions.json").read_text())
    return Resource.from_contents(contents) @ Registry()
