"""Python imports this at its start where its folder is on PYTHONPATH: it hides installed packages.

``HIDDEN_PACKAGES`` names them. Their distributions are not found, with their entry points, and they cannot be imported.
"""

import os
import sys
from importlib.metadata import DistributionFinder, MetadataPathFinder

HIDDEN = frozenset(os.environ.get("HIDDEN_PACKAGES", "").split())
find = MetadataPathFinder.find_distributions


def find_others(context=DistributionFinder.Context()):  # noqa: B008  as the original
    return (each for each in find(context) if each.name.replace("-", "_") not in HIDDEN)


class Refuser:
    """Comes before every other finder of modules."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


MetadataPathFinder.find_distributions = staticmethod(find_others)
sys.meta_path.insert(0, Refuser)
