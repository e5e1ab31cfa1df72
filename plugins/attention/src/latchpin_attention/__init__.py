"""Which connections need their person, for Latchpin: shown in the pages, and an outbox for what tells of them.

``need`` judges one connection and does no I/O, ``signals`` keeps what only an event says of one, ``finding`` looks
through all. ``book`` keeps what was found, so that each need is told once. ``outbox`` is what delivers in spite of dead
workers; ``latchpin_webhook`` and ``latchpin_mail`` stand on these three. ``plugin`` is what Latchpin finds.
"""
