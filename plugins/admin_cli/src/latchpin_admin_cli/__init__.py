"""The commands by which an administrator looks after a Latchpin gateway in a terminal.

``gateways``, ``config``, ``states`` and ``break_glass`` have a command each, ``plugin`` is what Latchpin finds.
``inspection`` prints what was found for a gateway, ``env_example`` writes ``.env.example``, and ``taking_back`` is
break-glass itself.
"""
