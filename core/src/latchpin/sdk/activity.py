"""What the gateway tells of what happened.

``FACTS`` is the table of what it tells: each ``FactName``, as a ``FactKind`` with its meaning and its details. An
``EventListener`` and a ``Recorder`` of ``latchpin.contracts`` are told each as a ``latchpin.model.Fact``. The steps of
a flow come as ``flow.step``; their names are ``latchpin.model.StepName``.

A plugin tells facts of its own: each is an ``OwnFact``, which the plugin's README lists, told by ``Context.activity``::

    NOTED = OwnFact("acme.noted", FactKind("A note was written.", line="%(actor)s wrote a note"))

    await context.activity.tell(NOTED, actor=caller.email)
"""

from latchpin.model.facts import FACTS, FactKind, FactName, OwnFact

__all__ = ["FACTS", "FactKind", "FactName", "OwnFact"]
