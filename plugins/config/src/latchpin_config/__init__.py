"""Configuration as code for Latchpin: YAML files that are applied, compared and exported.

What files may hold is what plugins offer through ``latchpin_configuration_kinds``: nothing here knows any kind by name
but the gateways' own, which is offered by the same hook.
"""
