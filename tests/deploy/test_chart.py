"""The chart, rendered for each of its scenarios: it lints, Kubernetes and Knative would take it, and it is right."""

from pathlib import Path

import pytest

from tests.deploy import policies, rendering, validation
from tests.deploy.policies import Policy
from tests.deploy.rendering import CHART, SCENARIOS, helm, name_of

each_scenario = pytest.mark.parametrize("values", SCENARIOS, ids=lambda path: path.name.removesuffix("-values.yaml"))
each_policy = pytest.mark.parametrize("policy", policies.OF_RELEASES, ids=lambda policy: policy.__name__)


def test_there_are_scenarios() -> None:
    assert SCENARIOS


@each_scenario
def test_lints(values: Path) -> None:
    helm("lint", "--strict", str(CHART), "--values", str(values))


@each_scenario
def test_is_valid(values: Path) -> None:
    found = {
        f"{one['kind']} {name_of(one)}": wrong
        for one in rendering.scenario(values).resources
        if (wrong := validation.problems(one))
    }
    assert found == {}


@each_scenario
@each_policy
def test_is_right(values: Path, policy: Policy) -> None:
    assert [*policy(rendering.scenario(values))] == []


@each_scenario
def test_names_follow_the_release(values: Path) -> None:
    """Two releases in one namespace do not meet."""
    one, other = (
        {(each["apiVersion"], each["kind"], name_of(each)) for each in rendering.render(values, release=name).resources}
        for name in ("paper", "archive")
    )
    assert one & other == set()
