"""The assembled gateway, as a page or a command is given it.

``Services`` has what was selected and opened: ``settings``, ``clock``, ``records``, ``kept``, ``cipher``, ``upstream``
and so on, each as ``latchpin.contracts`` describes it. ``collection(spec)`` opens what a plugin keeps.

``Application`` has what the gateway can do: ``gateways`` (what administrators enter), ``connections`` (who is
connected to what), ``tokens`` (a caller's usable token), ``clients`` (what authorization servers registered), and more.
A page gets both from ``latchpin.sdk.web``, a command from ``latchpin.sdk.commands``::

    usable = await application.tokens.token_for(gateway, caller)
"""

from latchpin.application import Application
from latchpin.services import Services

__all__ = ["Application", "Services"]
