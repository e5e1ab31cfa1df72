"""Moving from ContextForge: ``latchpin adopt contextforge``.

``source`` reads its database, ``sealing`` opens what it sealed, ``opened`` so much at a time, ``translation`` says what
a gateway of it is here, ``adoption`` takes over gateway by gateway, ``clients`` what was registered for each and
``tokens`` what its users have there, ``report`` says what became of each thing, ``commands`` is what people type.
"""
