"""What is answered where a request does not hold: to programs, to clients by way of the browser, and to people."""

from __future__ import annotations

from latchpin.errors import CallerError

__all__ = [
    "AuthorizationRefused",
    "ClientDocumentRefused",
    "ClientUnknown",
    "EndpointNotYours",
    "OAuthError",
    "RedirectUriRefused",
    "RequestGone",
    "TooManyCodes",
]


class OAuthError(Exception):
    """An answer of the token endpoint and its neighbours (RFC 6749 section 5.2).

    Args:
        error: the registered code, such as ``invalid_grant``.
        description: one sentence for developers, in ASCII and without quotes.
        status: the HTTP status.
    """

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status


class AuthorizationRefused(Exception):
    """An answer that goes to the client by way of the browser (RFC 6749 section 4.1.2.1): client and URI hold.

    Args:
        error: the registered code, such as ``access_denied``.
        description: one sentence for developers, in ASCII and without quotes.
        redirect_uri: where it goes.
        state: the client's own.
    """

    def __init__(self, error: str, description: str, *, redirect_uri: str, state: str | None) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.redirect_uri = redirect_uri
        self.state = state


class ClientUnknown(CallerError):
    """The client of an authorization request is not known here: the person is told, and nobody else."""

    code = "client-unknown"
    status = 400
    title = "This application is not known here"
    public = "The application that sent you here is not registered at this gateway."
    remedy = "Start again from the application; if it repeats, let it forget this server and add it anew."


class ClientDocumentRefused(CallerError):
    """The document that a client is called by cannot be had, or does not hold: the person is told, and nobody else."""

    code = "client-document-refused"
    status = 400
    title = "What the application says about itself does not hold"
    public = "The application is known by a document that it publishes, and that document cannot be used."
    remedy = "Try again in a minute; if it repeats, tell who makes the application."


class RedirectUriRefused(CallerError):
    """The address that the answer would go to is not one of the client's."""

    code = "redirect-uri-refused"
    status = 400
    title = "The application gave a wrong return address"
    public = "The application asked for an answer at an address that it did not register."
    remedy = "Start again from the application; if it repeats, let it forget this server and add it anew."


class RequestGone(CallerError):
    """The request of an application is not there any more, or is another browser's or person's."""

    code = "request-gone"
    status = 400
    title = "Start again from the application"
    public = "This request is over, or was begun in another browser or by somebody else."
    remedy = "Start again from the application."


class TooManyCodes(CallerError):
    """Too many wrong codes of devices were typed, by this person, from this address or in all."""

    code = "too-many-codes"
    status = 429
    title = "Too many wrong codes"
    public = "Too many codes were typed that no device shows."
    remedy = "Wait ten minutes, let the device show a new code, and type that."


class EndpointNotYours(CallerError):
    """A device asks for an MCP endpoint that there is not, or that its person may not use."""

    code = "endpoint-not-yours"
    status = 404
    title = "No such endpoint for you"
    public = "The device asks for an MCP endpoint that is not here, or that you may not use."
    remedy = "Check the URL that the device was given, and ask an administrator whether you may use it."
