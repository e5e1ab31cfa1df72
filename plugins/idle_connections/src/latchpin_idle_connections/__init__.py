"""Connections that nobody uses are dropped after a time that is set (``IDLE_CONNECTION_DAYS``).

What is not there, nobody can steal. ``usage`` notes when each was last used, ``idleness`` drops what was not, and
``plugin`` is what Latchpin finds.
"""
