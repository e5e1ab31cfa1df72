"""What the gateway tells of what happened.

``EventName`` are the events that an ``EventListener`` is told of, with facts that hold no secret. The steps of a flow
come as ``flow.step``; their names are ``latchpin.model.StepName``.
"""

from latchpin.activity.events import EventName

__all__ = ["EventName"]
