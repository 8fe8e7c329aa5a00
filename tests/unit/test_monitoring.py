"""The dashboard, the alert rules and the table of metrics name what `/metrics` tells, and that is all there is."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from shared.database.engine import open_database
from shared.database.schema import migrate
from web.metrics.exposition import Metrics

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "helm/docuelevate/dashboards/docuelevate.json"
ALERTS = ROOT / "helm/docuelevate/dashboards/alerts.yaml"
OPERATIONS = (ROOT / "docs/operations.md").read_text()
NAME = re.compile(r"docuelevate_\w+")
HISTOGRAM = re.compile(r"(?<=_duration_seconds)_(bucket|count|sum)$")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The name of each metric of ours, without what histograms add to it."""
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('metrics') / 'docuelevate.db'}")
    migrate(engine)
    found = Metrics(engine, search_enabled=True).registry.collect()
    names = {family.name + ("_total" if family.type == "counter" else "") for family in found}
    engine.dispose()
    return {name for name in names if name.startswith("docuelevate_")}


def expressions() -> Iterator[str]:
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def test_the_table_lists_every_metric_and_no_other(exported: set[str]) -> None:
    listed = re.findall(r"^\| `(docuelevate_\w+)` \|", OPERATIONS, re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == exported


def test_what_is_drawn_and_watched_is_told(exported: set[str]) -> None:
    used = {HISTOGRAM.sub("", name) for expression in expressions() for name in NAME.findall(expression)}
    assert used and used <= exported


def test_expressions_are_whole() -> None:
    for expression in expressions():
        for opening, closing in ("()", "{}", "[]"):
            assert expression.count(opening) == expression.count(closing), expression
        # Every replica tells the same of the database: a sum over replicas would be wrong.
        outer = re.search(r"sum(?: by \([^)]*\))? ?\((?!max |rate\(docuelevate_http)", expression)
        assert outer is None, expression


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    assert dashboard["schemaVersion"] >= 39 and dashboard["uid"] and dashboard["title"]
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        columns, rows = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        cells = {(column, row) for column in columns for row in rows}
        assert not cells & taken, f"{panel['title']} lies over another panel"
        taken |= cells
    variables = {each["name"] for each in dashboard["templating"]["list"]}
    text = DASHBOARD.read_text()
    assert set(re.findall(r"\$\{?([a-z]\w*)\}?", text)) <= variables


def test_every_alert_says_what_is_wrong_and_leads_to_a_section() -> None:
    sections = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.+)$", OPERATIONS, re.MULTILINE)}
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        page, _, section = rule["annotations"]["runbook"].partition("#")
        assert page == "docs/operations.md" and section in sections, rule["alert"]
        assert rule["annotations"]["summary"] and rule["labels"]["severity"] in ("warning", "critical")
