"""What can go wrong with the audit of calls."""

from __future__ import annotations

from latchpin.errors import LatchpinError

__all__ = ["CallNotKept"]


class CallNotKept(LatchpinError):
    """With AUDIT_CALLS_STRICT, a call was made and its record cannot be kept: what the server answered is withheld."""

    code = "call-not-kept"
    status = 503
    title = "The call could not be recorded"
    public = "The MCP server got this call, but no record of it could be kept, so its answer is withheld."
    remedy = "Ask an administrator; calling again calls the server again."
    operator_remedy = "Mend what AUDIT_CALLS writes to: the log and 'latchpin doctor' say why it fails."
