"""The audit log: who authorized, renewed, disconnected, deleted or changed what, in a chain that shows every gap.

``entry`` is the value and the chain (pure), ``trail`` writes it, ``pseudonyms`` stands between people and their
entries, ``reading`` verifies and exports.
"""
