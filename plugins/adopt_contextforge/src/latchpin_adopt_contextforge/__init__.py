"""Moving from ContextForge: ``latchpin adopt contextforge``.

``source`` reads its database, ``sealing`` opens what it sealed, ``translation`` says what a gateway of it is here,
``adoption`` takes over gateway by gateway, ``report`` says what became of each thing, ``commands`` is what people type.
"""
