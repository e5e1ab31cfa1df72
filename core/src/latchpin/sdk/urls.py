"""One judgement of URLs from outside, wherever they come in.

``check_url`` takes an absolute http(s) URL apart if a request can be sent there, and raises ``ValueError`` with what a
URL must be; ``split_url`` gives None instead. ``split_origin`` gives scheme, host and port, fit to be compared, and
``origin_of`` the origin as browsers write it.
``check_host`` raises ``ValueError`` with what a host name must be.
``join_url`` resolves a reference in another server's answer. ``is_loopback_host`` says whether a host can only mean
this machine.
"""

from latchpin.model.urls import check_host, check_url, join_url, origin_of, split_origin, split_url
from latchpin.settings.core import is_loopback_host

__all__ = ["check_host", "check_url", "is_loopback_host", "join_url", "origin_of", "split_origin", "split_url"]
