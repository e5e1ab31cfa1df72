"""The protocol, pure: untrusted input to values, values to requests. Nothing in here does I/O."""

from latchpin.oauth.status import TokenStatus, status_of

__all__ = ["TokenStatus", "status_of"]
