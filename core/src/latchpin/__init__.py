"""Latchpin, an OAuth gateway for MCP servers: the plugin author's whole vocabulary.

A plugin is an installed distribution with an entry point in the group ``latchpin`` whose module
implements some hooks::

    import latchpin

    @latchpin.hookimpl
    def latchpin_state_store() -> latchpin.Backend:
        return latchpin.Backend("mine", "my store", MySettings, open_my_store)

What a service must do, ``contracts`` says, with the values of ``model`` and the failures of ``errors``. What else a
plugin may import is listed in ``latchpin.sdk``. Whether a service does what it must, the suites in ``latchpin_testing``
prove. ``__version__`` is the version of all these, and ``HOOK_API`` that of what a plugin may use of them: a plugin's
module says with ``LATCHPIN_HOOK_API = "1.0"`` which one it was made for.
"""

from typing import TYPE_CHECKING, Any

from latchpin import contracts, errors
from latchpin.contracts import Backend, Context
from latchpin.plugins.hookspecs import HOOK_API, hookimpl

if TYPE_CHECKING:
    from latchpin import model
    from latchpin.model import ServerProfile
    from latchpin.settings import Settings

__version__ = "0.1.0"

__all__ = [
    "HOOK_API",
    "Backend",
    "Context",
    "ServerProfile",
    "Settings",
    "__version__",
    "contracts",
    "errors",
    "hookimpl",
    "model",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  a module's attributes are anything
    """Give what the list of commands does without, and load it (pydantic with ``Settings``), when somebody asks."""
    if name == "Settings":
        from latchpin.settings import Settings  # noqa: PLC0415  see above

        return Settings
    if name in {"ServerProfile", "model"}:
        from latchpin import model  # noqa: PLC0415  see above

        return model if name == "model" else model.ServerProfile
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
