"""The dashboard, the alert rules and the page name metrics that there are, and every one of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from latchpin_metrics import meters as module
from latchpin_metrics.gauges import Standing
from latchpin_metrics.tracing import TracingObserver

DOCS = Path(__file__).parents[2] / "docs"
SUFFIXES = ("_bucket", "_count", "_sum")


@pytest.fixture
def families(environment):
    """The metrics there are, as Prometheus names them."""
    own = list(module.meters().registry.collect())
    standing = list(Standing(at=None, pending=0).collect())
    return {f"{family.name}{'_total' if family.type == 'counter' else ''}" for family in [*own, *standing]}


def named(text):
    found = set(re.findall(r"\blatchpin_[a-z_]+", text))
    return {name[: -len(suffix)] if (suffix := _suffix(name)) else name for name in found}


def _suffix(name):
    return next((each for each in SUFFIXES if name.endswith(each)), "")


def test_the_page_names_every_metric(families):
    assert named((DOCS / "monitoring.md").read_text()) == families


def test_the_dashboard_and_the_alerts_name_only_what_there_is(families):
    dashboard = json.loads((DOCS / "monitoring" / "grafana-dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert named(" ".join(expressions)) | {"latchpin_info"} == families
    assert named((DOCS / "monitoring" / "alerts.yml").read_text()) <= families


def test_the_observer_of_traces_is_not_loaded_unless_it_is_wanted():
    assert TracingObserver.__module__ == "latchpin_metrics.tracing"
    from latchpin_metrics import plugin

    assert "tracing" not in vars(plugin)
