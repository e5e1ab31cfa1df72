"""The history of flows: what each authorization went through, step by step.

``steps`` and ``summaries`` have the values, ``history`` writes what the gateway tells, ``records`` keeps it,
``inspector`` shows it to who may see it, ``view`` turns it into words, ``plugin`` is what Latchpin finds.
"""
