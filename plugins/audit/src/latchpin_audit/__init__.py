"""The audit log: who authorized, renewed, disconnected, deleted or changed what, in a chain that shows every gap.

``entry`` has the values, ``chain`` how they hang together, ``records`` keeps them, ``log`` writes them, ``pseudonyms``
stands between people and their entries, ``reading`` verifies and exports, ``retention`` removes what is old, ``plugin``
is what Latchpin finds.
"""
