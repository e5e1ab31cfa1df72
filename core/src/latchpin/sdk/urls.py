"""One judgement of URLs from outside, wherever they come in.

``split_url`` takes an absolute http(s) URL apart if a request can be sent there; else it gives None, and
``check_url`` raises ``ValueError`` with what a URL must be. ``split_origin``
gives scheme, host and port, fit to be compared, and ``origin_of`` the origin as browsers write it. ``check_host``
raises ``ValueError`` with what a host name must be. ``is_loopback_host`` says whether a host can mean this
machine only.
"""

from latchpin.model.urls import check_host, check_url, origin_of, split_origin, split_url
from latchpin.settings.core import is_loopback_host

__all__ = ["check_host", "check_url", "is_loopback_host", "origin_of", "split_origin", "split_url"]
