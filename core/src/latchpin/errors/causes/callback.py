"""Why an authorization that came back is not completed, before the authorization server's own words count."""

from __future__ import annotations

from latchpin.errors.causes.cause import OPAQUE, SIGNATURE, Cause

__all__ = ["CALLBACK"]

AGAIN = "Start again with Authorize."

CALLBACK_MALFORMED = Cause(
    slug="callback-malformed",
    fault="the maker of the link",
    status=400,
    title="The callback is incomplete",
    public="The callback's parameters are missing, repeated or malformed.",
    happened="{what}",
    remedy=AGAIN,
    meaning=(
        "`state` is missing, both or neither of `code` and `error` came, or a parameter is repeated or too long (8,192 "
        "characters; 2,048 for the state). Nobody's authorization is used up. The link was cut or made up, or the "
        "authorization server answers wrongly."
    ),
)
STATE_SIGNATURE = Cause(
    slug="state-signature",
    fault="the maker of the link",
    status=400,
    title="This link was not made by this gateway",
    public=SIGNATURE,
    happened="{what}",
    remedy=(
        "Start again with Authorize. If it happens to everybody: AUTH_ENCRYPTION_SECRET must be the same on "
        "every instance, and an earlier one belongs in AUTH_ENCRYPTION_SECRETS_OLD."
    ),
    meaning=(
        "The state's signature does not hold: the state was damaged on its way, or altered after it was signed. The "
        "log says which. Nobody's authorization is used up."
    ),
    see="the-secret-changed",
)
STATE_SECRET_CHANGED = Cause(
    slug="state-secret-changed",
    fault="the administrator",
    status=400,
    title="The state was signed under another secret",
    public=SIGNATURE,
    happened=(
        "signed under a key this instance does not have ({key_id}; it has {own_key_id}): AUTH_ENCRYPTION_SECRET "
        "changed since, differs between instances, or the state is made up"
    ),
    remedy=(
        "Give every instance the same AUTH_ENCRYPTION_SECRET, put the earlier one into AUTH_ENCRYPTION_SECRETS_OLD, "
        "and start again with Authorize."
    ),
    meaning=(
        "The state was signed under a key that this instance does not have: `AUTH_ENCRYPTION_SECRET` changed while "
        "people were at the authorization server, or differs between instances. Only the log says so; the answer says "
        "`state-signature`, because nothing is proven about who asks."
    ),
    see="the-secret-changed",
    general="state-signature",
)
BROWSER_CHANGED = Cause(
    slug="browser-changed",
    fault="the person",
    status=403,
    title="This browser did not start the authorization",
    public="The authorization was started in another browser.",
    happened="{what}",
    remedy="Start and finish in the same browser, with cookies allowed, at the gateway's own address.",
    meaning=(
        "The callback came to a browser without the cookie of the one that began. It defends against somebody else "
        "finishing your authorization, or you finishing theirs."
    ),
    see="another-browser-or-another-user",
)
USER_CHANGED = Cause(
    slug="user-changed",
    fault="the person",
    status=403,
    title="Another user is signed in",
    public="The authorization was started by another user.",
    happened="another user is signed in than the one who began",
    remedy="Sign in as the user who started, or start again.",
    meaning="The browser is the right one, and another user is signed in now.",
    see="another-browser-or-another-user",
)
STATE_EXPIRED = Cause(
    slug="state-expired",
    fault="the person",
    status=400,
    title="The authorization took too long",
    public=OPAQUE,
    happened="the callback came {late} s after the limit of {limit} s",
    remedy="Start again with Authorize; raise STATE_TTL_SECONDS if your identity provider is slow.",
    meaning="The callback came after `STATE_TTL_SECONDS`.",
    see="it-took-too-long",
)
CLOCK_SKEW = Cause(
    slug="clock-skew",
    fault="the administrator",
    status=400,
    title="The clocks disagree",
    public="The clocks of this gateway's machines disagree.",
    happened="{whose} is {seconds} s {direction}, more than the {leeway} s that are let pass",
    remedy="Set the clocks of every instance and of the store with NTP, then start again with Authorize.",
    meaning=(
        "The state was issued in the future by this instance's clock, or it looks expired only because this instance's "
        "clock is ahead of the store's. The detail says by how much."
    ),
    see="the-clocks-disagree",
)
STATE_USED = Cause(
    slug="state-used",
    fault="the person",
    status=400,
    title="This authorization was already used",
    public=OPAQUE,
    happened="this state has already been used at {used_at}",
    remedy="Do not reload the callback page; if nothing is connected, start again with Authorize.",
    meaning=(
        "The state was consumed before: the callback page was loaded again, or two callbacks came. Exactly one of them "
        "won. The detail says when."
    ),
    see="used-before",
)
GATEWAY_MISMATCH = Cause(
    slug="gateway-mismatch",
    fault="the administrator",
    status=400,
    title="The callback belongs to another gateway",
    public="State parameter gateway mismatch",
    happened="{what}",
    remedy="Register this gateway's own redirect URI at the authorization server, then start again.",
    meaning="The signed state, the stored row and the callback's path do not name the same gateway.",
    see="another-gateway",
)
REDIRECT_MISMATCH = Cause(
    slug="redirect-uri-mismatch",
    fault="the administrator",
    status=400,
    title="The authorization server sent the browser to another address",
    public="The callback came to another redirect URI than the one that was asked for.",
    happened="{asked} was asked for, and the callback came to the path {came}",
    remedy="Register exactly the gateway's redirect URI at the authorization server, then start again with Authorize.",
    meaning=(
        "The authorization named one redirect URI, and the callback came to another one of this gateway, or the token "
        "endpoint says that the redirect URI is not the one that it knows."
    ),
    see="another-gateway",
)
ISSUER_MISMATCH = Cause(
    slug="issuer-mismatch",
    fault="the authorization server",
    status=400,
    title="The answer came from another authorization server",
    public="The answer's issuer is not the one that was asked.",
    happened="{what}",
    remedy="Start again; if it repeats, check the gateway's issuer with: latchpin gateways show <id>",
    meaning=(
        "The `iss` in the answer is not the issuer that was asked, or is missing although the server promised it (RFC "
        "9207). The answer's other fields are neither acted on nor shown."
    ),
    see="another-issuer",
)
VERIFIER_LOST = Cause(
    slug="verifier-lost",
    fault="the store",
    status=503,
    title="The PKCE verifier cannot be read",
    public="The PKCE code verifier kept with this authorization cannot be read.",
    happened="{what}",
    remedy="Put the earlier secret into AUTH_ENCRYPTION_SECRETS_OLD, then start again with Authorize.",
    meaning=(
        "The state was there, and the PKCE verifier kept with it is gone, damaged or moved from another row, or opens "
        "with no key that this instance has."
    ),
    see="the-verifier-cannot-be-read",
)

CALLBACK = (
    CALLBACK_MALFORMED,
    STATE_SIGNATURE,
    STATE_SECRET_CHANGED,
    BROWSER_CHANGED,
    USER_CHANGED,
    STATE_EXPIRED,
    CLOCK_SKEW,
    STATE_USED,
    GATEWAY_MISMATCH,
    REDIRECT_MISMATCH,
    ISSUER_MISMATCH,
    VERIFIER_LOST,
)
