"""Webhooks for Latchpin: connections that need their person, told to other programs, signed and tried again.

``signing`` is the Standard Webhooks scheme and does no I/O, ``events`` says what is told, ``delivery`` sends it,
``turns`` fills the outbox and works it off. ``plugin`` is what Latchpin finds.
"""
