"""Python imports this at its start where its folder is on PYTHONPATH: it hides what is installed editable.

``HIDDEN_PACKAGES`` names their packages. They are not found, neither to be imported nor by their entry points.
"""

import os
import sys
from importlib.metadata import DistributionFinder, MetadataPathFinder
from pathlib import Path

HIDDEN = frozenset(os.environ.get("HIDDEN_PACKAGES", "").split())
find = MetadataPathFinder.find_distributions


def find_others(context=DistributionFinder.Context()):  # noqa: B008  as the original
    return (each for each in find(context) if each.name.replace("-", "_") not in HIDDEN)


MetadataPathFinder.find_distributions = staticmethod(find_others)
sys.path[:] = [folder for folder in sys.path if not any(Path(folder, name).is_dir() for name in HIDDEN)]
