"""What stands in `knative/`, for those who use it without Helm and for the embedded broker."""

import pytest
import yaml

from local.manifests import read_wiring
from tests.deploy import policies, validation
from tests.deploy.policies import Policy
from tests.deploy.rendering import ROOT, manifests, name_of

MANIFESTS = ROOT / "knative"


@pytest.mark.parametrize("policy", policies.OF_ALL_MANIFESTS, ids=lambda policy: policy.__name__)
def test_is_right(policy: Policy) -> None:
    assert [*policy(manifests())] == []


def test_is_valid() -> None:
    problems = {f"{one['kind']} {name_of(one)}": validation.problems(one) for one in manifests().resources}
    assert {name: wrong for name, wrong in problems.items() if wrong} == {}


def test_every_manifest_is_listed_for_kustomize() -> None:
    listed = yaml.safe_load((MANIFESTS / "kustomization.yaml").read_text())["resources"]
    assert sorted([*listed, "kustomization.yaml"]) == sorted(path.name for path in MANIFESTS.glob("*.yaml"))


def test_index_has_one_writer() -> None:
    """The embedded index of one machine, which reads these files, would be destroyed by two."""
    assert read_wiring(MANIFESTS).services["index"].max_scale == 1
