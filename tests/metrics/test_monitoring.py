"""The dashboard, the alert rules and the page name metrics that there are, and every one of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest
from latchpin.oauth.status import TokenStatus
from latchpin_attention import plugin as attention
from latchpin_audit import plugin as audit
from latchpin_flows import plugin as flows
from latchpin_metrics import meters as module
from latchpin_metrics.gauges import Snapshot
from latchpin_metrics.tracing import TracingObserver

DOCS = Path(__file__).parents[2] / "docs"
SUFFIXES = ("_bucket", "_count", "_sum")


@pytest.fixture
def families(environment):
    """The metrics there are, as Prometheus names them."""
    own = list(module.meters().registry.collect())
    gauges = [*flows.latchpin_gauges(), *audit.latchpin_gauges(), *attention.latchpin_gauges()]
    standing = list(Snapshot(at=None, numbers=dict.fromkeys(gauges, 0)).collect())
    return {f"{family.name}{'_total' if family.type == 'counter' else ''}" for family in [*own, *standing]}


def named(text):
    found = set(re.findall(r"\b(?:latchpin|mcp_server)_[a-z_]+", text))
    return {name[: -len(suffix)] if (suffix := _suffix(name)) else name for name in found}


def _suffix(name):
    return next((each for each in SUFFIXES if name.endswith(each)), "")


def test_the_page_names_every_metric(families):
    assert named((DOCS / "monitor.md").read_text()) == families


def test_the_dashboard_and_the_alerts_name_only_what_there_is(families):
    dashboard = json.loads((DOCS / "monitoring" / "grafana-dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert named(" ".join(expressions)) | {"latchpin_info"} == families
    assert named((DOCS / "monitoring" / "alerts.yml").read_text()) <= families


def expressions() -> list[str]:
    dashboard = json.loads((DOCS / "monitoring" / "grafana-dashboard.json").read_text())
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    alerts = (DOCS / "monitoring" / "alerts.yml").read_text()
    watched = [
        " ".join(each.split()) for each in re.findall(r"expr: (?:>\s)?(.*?)\n\s+(?:for|labels):", alerts, re.DOTALL)
    ]
    assert (len(watched), len(shown)) > (4, 10)
    return [*shown, *watched]


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_asks_for_labels_and_values_that_there_are(expression: str, environment):
    labels = {"state", "version", "le"}
    for name in module.Meters.__slots__:
        meter = getattr(module.meters(), name)
        labels |= set(getattr(getattr(meter, "_metric", meter), "_labelnames", ()))
    asked = re.findall(r"(\w+)!?=~?\"", expression)
    asked += [name.strip() for names in re.findall(r"by \(([^)]*)\)", expression) for name in names.split(",")]
    assert set(asked) <= labels
    values = {"begun", "completed", "failed", "refreshed", "spent", *get_args(TokenStatus)}
    assert set(re.findall(r"(?:outcome|state)=\"([^\"]*)\"", expression)) <= values


@pytest.mark.parametrize("expression", expressions())
def test_two_sides_of_a_comparison_have_the_same_labels(expression: str):
    """Prometheus compares series with one set of labels; a sum has none, so a bare metric beside it never matches."""
    if "sum(" in expression:
        assert re.findall(r"(?<!\()\b(?:latchpin|mcp_server)_\w+", expression) == []


def test_the_observer_of_traces_is_not_loaded_unless_it_is_wanted():
    assert TracingObserver.__module__ == "latchpin_metrics.tracing"
    from latchpin_metrics import plugin

    assert "tracing" not in vars(plugin)
