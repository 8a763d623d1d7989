"""What Prometheus and Grafana are told to look at is what the processes report."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from workers.reference import metric_families

ROOT = Path(__file__).parents[3]
ALERTS = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboards/fanfold.json").read_text())
METRIC = re.compile(r"\b(?:fanfold|process)_[a-z_]+")
PROMETHEUS_OWN = {"up"}


def declared() -> dict[str, str]:
    """Names of all series that a process may show, each with its metric's name."""
    series: dict[str, str] = {}
    for family in metric_families(REGISTRY):
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}.get(family.type, ("",))
        series |= {family.name + suffix: family.name for suffix in suffixes}
    return series


def named_in(expressions: list[str]) -> set[str]:
    return {name for expression in expressions for name in METRIC.findall(expression)}


def alert_rules() -> list[dict[str, Any]]:
    return [rule for group in ALERTS["groups"] for rule in group["rules"]]


def dashboard_expressions() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]


@pytest.mark.parametrize(
    "expressions", [[rule["expr"] for rule in alert_rules()], dashboard_expressions()], ids=["alerts", "dashboard"]
)
def test_every_metric_that_is_looked_at_is_reported(expressions: list[str]) -> None:
    assert named_in(expressions) - declared().keys() == set()


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    ours = {metric for series, metric in declared().items() if series.startswith("fanfold_")}
    shown = {declared()[series] for series in named_in(dashboard_expressions())}

    assert ours - shown == set()


def test_every_alert_says_how_grave_it_is_and_what_has_happened() -> None:
    for rule in alert_rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}, rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]


def test_every_alert_has_its_remedy_in_the_operating_guide() -> None:
    guide = (ROOT / "docs/operating.md").read_text()

    assert [rule["alert"] for rule in alert_rules() if f"`{rule['alert']}`" not in guide] == []


def test_panels_do_not_lie_over_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_the_data_source_of_the_dashboard_is_the_one_provisioned() -> None:
    provisioned = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text())
    [source] = provisioned["datasources"]

    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"] if "datasource" in panel} == {source["uid"]}
