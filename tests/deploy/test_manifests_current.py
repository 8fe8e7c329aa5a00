"""What is made from the chart, and what it takes from the code, is as new as both: `make manifests` renews it."""

from scripts import chart_variables, manifests
from tests.deploy.rendering import CHART, ROOT

RENEW = "run `make manifests`"


def test_knative_is_the_chart_as_rendered() -> None:
    written = {path.name: path.read_text() for path in (ROOT / "knative").glob("*.yaml")}
    assert written == manifests.manifests(), RENEW


def test_the_chart_knows_the_variables_that_the_code_declares() -> None:
    assert (CHART / "files" / "variables.yaml").read_text() == chart_variables.page(), RENEW
