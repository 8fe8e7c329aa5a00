"""The validation refuses what a cluster would refuse, or silently drop."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.deploy.rendering import manifests
from tests.deploy.validation import NoSchema, problems

CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"KEY": "value"}}


def spoilt(resource: dict[str, Any], spoil: Callable[[dict[str, Any]], object]) -> list[str]:
    copied = copy.deepcopy(resource)
    spoil(copied)
    return problems(copied)


def function() -> dict[str, Any]:
    return manifests().function("ocr")


def pod(one: dict[str, Any]) -> dict[str, Any]:
    return one["spec"]["template"]["spec"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: pod(one).update(containerConcurency=1),
        lambda one: pod(one).update(timeoutSeconds="300"),
        lambda one: pod(one).update(nodeSelector={"disk": "fast"}),
        lambda one: pod(one).update(securityContext={"runAsUser": 1}),
        lambda one: pod(one)["containers"][0].update(lifecycle={}),
        lambda one: pod(one)["containers"][0]["env"].append({"name": "A", "values": "b"}),
        lambda one: pod(one)["containers"][0]["env"].append({"name": "A", "value": 1}),
        lambda one: pod(one)["containers"][0]["securityContext"].update(supplementalGroups=[1]),
        lambda one: one.update(data={}),
        lambda one: one["metadata"].update(annotations={"a": 1}),
    ],
)
def test_refuses_a_wrong_function(spoil: Callable[[dict[str, Any]], object]) -> None:
    assert problems(function()) == []
    assert len(spoilt(function(), spoil)) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: one["spec"]["delivery"].update(retries=3),
        lambda one: one["spec"]["delivery"].update(retry="3"),
        lambda one: one["spec"].update(filter=[]),
        lambda one: one["spec"]["subscriber"].update(url="http://x"),
    ],
)
def test_refuses_a_wrong_trigger(spoil: Callable[[dict[str, Any]], object]) -> None:
    trigger = manifests().triggers[0]
    assert problems(trigger) == []
    assert len(spoilt(trigger, spoil)) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: one.update(datas={}),
        lambda one: one["data"].update(KEY=True),
        lambda one: one["metadata"].update(labels={"a": 1}),
        lambda one: one["metadata"].update(label={"a": "1"}),
    ],
)
def test_refuses_a_wrong_resource_of_kubernetes(spoil: Callable[[dict[str, Any]], object]) -> None:
    assert problems(CONFIG_MAP) == []
    assert spoilt(CONFIG_MAP, spoil)


def test_says_when_it_knows_no_schema() -> None:
    with pytest.raises(NoSchema, match="crd_schemas"):
        problems(CONFIG_MAP | {"apiVersion": "example.org/v1"})
