"""What is installed, and a gateway that a plugin opens itself: to look at it from outside, or in a test.

``Plugins`` is what is installed, sound or not; it gives what is offered through each of ``latchpin.sdk.hooks``.
``build_plugin_report`` says of each offer, in an ``OfferRow``, whether it is selected and why.
``settings_models`` has every settings model that something reads; ``shown_settings`` is what they hold,
``changed_settings`` what differs from its default, and ``doubtful_settings`` a sentence for each name that looks
misspelt.

``select_stores`` gives the ``Selection`` that the settings make, and ``assemble`` opens the gateway as
``latchpin.sdk.gateway.Services``. ``Looking`` lets it go on where a part does not open, and change no schema.
``NO_STATE_STORE`` is what ``CACHE_TYPE`` holds to keep no states, ``utc_now`` the clock. ``list_instances`` names the
processes that serve on a record store::

    async with assemble(Plugins(), load(CoreSettings)) as services:
        application = Application(services)
"""

from typing import TYPE_CHECKING

from latchpin.lazily import finder

if TYPE_CHECKING:
    from latchpin.assembly.assembling import assemble
    from latchpin.assembly.clock import utc_now
    from latchpin.assembly.looking import Looking
    from latchpin.assembly.plugin_report import OfferRow, build_plugin_report
    from latchpin.assembly.selection import NO_STATE_STORE, Selection, select_stores
    from latchpin.plugins.host import Plugins
    from latchpin.plugins.known_settings import changed_settings, doubtful_settings, settings_models, shown_settings
    from latchpin.workers.instances import list_instances

__all__ = [
    "NO_STATE_STORE",
    "Looking",
    "OfferRow",
    "Plugins",
    "Selection",
    "assemble",
    "build_plugin_report",
    "changed_settings",
    "doubtful_settings",
    "list_instances",
    "select_stores",
    "settings_models",
    "shown_settings",
    "utc_now",
]

__getattr__ = finder(
    __name__,
    {
        "latchpin.assembly.assembling": ("assemble",),
        "latchpin.assembly.clock": ("utc_now",),
        "latchpin.assembly.looking": ("Looking",),
        "latchpin.assembly.plugin_report": ("OfferRow", "build_plugin_report"),
        "latchpin.assembly.selection": ("NO_STATE_STORE", "Selection", "select_stores"),
        "latchpin.plugins.host": ("Plugins",),
        "latchpin.plugins.known_settings": (
            "changed_settings",
            "doubtful_settings",
            "settings_models",
            "shown_settings",
        ),
        "latchpin.workers.instances": ("list_instances",),
    },
)
