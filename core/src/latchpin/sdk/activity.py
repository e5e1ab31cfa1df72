"""What the gateway tells of what happened.

``FACTS`` is the table of what it tells: each ``FactName``, as a ``FactKind`` with its meaning and its details. An
``EventListener`` and a ``Recorder`` of ``latchpin.contracts`` are told each as a ``latchpin.model.Fact``. The steps of
a flow come as ``flow.step``; their names are ``latchpin.model.StepName``.
"""

from latchpin.model.facts import FACTS, FactKind, FactName

__all__ = ["FACTS", "FactKind", "FactName"]
