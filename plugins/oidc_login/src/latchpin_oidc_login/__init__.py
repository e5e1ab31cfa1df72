"""Sign-in at the gateway with an OpenID Connect provider (OpenID Connect Core 1.0, authorization code flow with PKCE).

``state``, ``metadata``, ``answer``, ``id_token`` and ``person`` decide (pure), ``discovery`` asks the provider about
itself, ``sign_in`` and ``redemption`` carry a sign-in out, ``routes`` serve it, ``checks`` are what doctor asks,
``plugin`` is what Latchpin finds.

``logout_token`` (pure), ``known`` and ``back_channel`` are for what the provider says later: who signed out there.
"""
