"""Mail for Latchpin: people are told which of their connections need them, in one mail and not in many.

``letter`` writes it and does no I/O, ``smtp`` sends it, ``people`` keeps what each was told, ``turns`` decides who is
told now. ``plugin`` is what Latchpin finds.
"""
