"""What is made from the chart, and what it takes from the code, is as new as both: `make manifests` renews it."""

from scripts import chart_readme, chart_variables, manifests
from tests.deploy.rendering import CHART, ROOT

RENEW = "run `make manifests`"


def test_knative_is_the_chart_as_rendered() -> None:
    written = {path.name: path.read_text() for path in (ROOT / "knative").glob("*.yaml")}
    assert written == manifests.manifests(), RENEW


def test_the_chart_knows_the_variables_that_the_code_declares() -> None:
    assert (CHART / "files" / "variables.yaml").read_text() == chart_variables.page(), RENEW


def test_the_charts_page_says_what_its_values_say() -> None:
    assert (CHART / "README.md").read_text() == chart_readme.page(), RENEW


def test_every_value_is_explained() -> None:
    """By a comment of its own, or by that of a part whose values have none."""
    values = list(chart_readme.values())
    explained = {value.path for value in values if value.comment}

    def is_explained(path: str) -> bool:
        part, _, _ = path.rpartition(".")
        siblings = [value.path for value in values if value.path.rpartition(".")[0] == part]
        return path in explained or (bool(part) and not explained & set(siblings) and is_explained(part))

    assert [value.path for value in values if value.is_leaf and not is_explained(value.path)] == []
