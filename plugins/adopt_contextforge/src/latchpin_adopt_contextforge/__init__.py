"""Moving from ContextForge: ``latchpin adopt contextforge``.

``source`` reads its database, ``sealing`` opens what it sealed, ``opened`` so much at a time, ``translation`` says what
a gateway of it is here, ``adoption`` takes over gateway by gateway and ``clients`` what was registered for each,
``report`` says what became of each thing, ``commands`` is what people type.
"""
