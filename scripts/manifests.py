"""Writes `knative/`: the chart, rendered for those who do without Helm (`make manifests`; a test fails when stale).

One file for each object, as Helm renders it but for the labels and annotations that speak to Helm alone.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
CHART = ROOT / "helm" / "docuelevate"
TARGET = ROOT / "knative"
RELEASE = "docuelevate"

HEAD = """\
# Made by `make manifests` from helm/docuelevate. Apply with: kubectl apply -k knative/
# See docs/deployment.md: the ConfigMap is to be edited, and the Secret docuelevate-secrets, whose keys are the names of
# the variables, is to be made first.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: docuelevate
resources:
"""
_HELMS_OWN = re.compile(r"^ +(?:helm\.sh/|app\.kubernetes\.io/managed-by).*\n|^# Source: .*\n", re.MULTILINE)
_EMPTY_ANNOTATIONS = re.compile(r"^( +)annotations:\n((?:\1 +#.*\n)*)(?!\1 +)", re.MULTILINE)


def manifests() -> dict[str, str]:
    """The text of each file by its name."""
    found = {}
    for text in re.split(r"^---\n", _rendered(), flags=re.MULTILINE):
        document = yaml.safe_load(text)
        if document and "test" not in document["metadata"].get("annotations", {}).get("helm.sh/hook", ""):
            found[_file_name(document)] = _without_helm(text)
    resources = "".join(f"  - {name}\n" for name in sorted(found))
    return {"kustomization.yaml": HEAD + resources} | found


def _rendered() -> str:
    helm = os.environ.get("HELM") or shutil.which("helm") or str(ROOT / ".tools" / "bin" / "helm")
    values = CHART / "ci" / "manifests-values.yaml"
    command = [helm, "template", RELEASE, str(CHART), "--namespace", RELEASE, "--values", str(values)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - all of it is ours


def _file_name(document: dict[str, dict[str, str]]) -> str:
    """Kind and name; the release's name says nothing here."""
    name = document["metadata"]["name"].removeprefix(RELEASE).removeprefix("-")
    return "-".join(filter(None, (str(document["kind"]).lower(), name))) + ".yaml"


def _without_helm(text: str) -> str:
    return _EMPTY_ANNOTATIONS.sub("", _HELMS_OWN.sub("", text)).strip() + "\n"


def main() -> None:
    """Write what is new, remove what is no longer there."""
    files = manifests()
    for path in TARGET.glob("*.yaml"):
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (TARGET / name).write_text(text)


if __name__ == "__main__":
    sys.exit(main())
