"""What checks of ``latchpin doctor`` are built from, beside ``Check`` and ``Finding`` of ``latchpin.contracts``.

``problems_of`` gives a sentence for each wrong variable of a settings model. ``compare_clocks`` judges a store's clock
by two looks at ours::

    before = context.clock()
    theirs = await ask_the_store()
    return [compare_clocks("Acme", theirs, before=before, after=context.clock())]
"""

from latchpin.doctor.clocks import compare_clocks
from latchpin.doctor.lenient import problems_of

__all__ = ["compare_clocks", "problems_of"]
