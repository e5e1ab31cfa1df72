"""Each rule is kept; and where it is taken out of the gateway, its check sees it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest
from latchpin.activity.logs import tear_down_logging

from tests.providers import start_fault_switch
from tests.rules import flow_rules, token_rules
from tests.rules.rule import GatewayUnderTest, Rule, RuleBroken
from tests.support.gateway_in_process import open_gateway

pytestmark = pytest.mark.needs("latchpin_dcr", "latchpin_memory_store")
RULES = (*flow_rules.RULES, *token_rules.RULES)
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)


@contextlib.asynccontextmanager
async def open_for(rule: Rule, environment: pytest.MonkeyPatch) -> AsyncIterator[GatewayUnderTest]:
    for name, value in rule.settings.items():
        environment.setenv(name, value)
    with start_fault_switch() as switch:
        async with open_gateway() as gateway:
            yield GatewayUnderTest(gateway, switch)
    tear_down_logging()


@every_rule
async def test_the_rule_is_kept(rule: Rule, environment: pytest.MonkeyPatch):
    async with open_for(rule, environment) as tested:
        await rule.check(tested)


@every_rule
async def test_without_the_rule_its_check_fails(rule: Rule, environment: pytest.MonkeyPatch):
    rule.remove(environment)
    async with open_for(rule, environment) as tested:
        with pytest.raises(RuleBroken):
            await rule.check(tested)
