"""Users' tokens: asked for, sealed, renewed once across all workers, given out, taken back.

The way of a token that is about to expire, from who wants it to the request:

1. ``TokenService.token_for`` finds whose token serves the caller and gives it out while it is good.
2. Else callers of one token share a task, and of all workers one takes the lease (``TokenService``).
3. ``Renewal.run`` renews it under the lease: by its refresh token, or without a browser through ``ClientGrant``.
4. ``TokenEndpoint.refresh`` and ``TokenEndpoint.grant`` build the request, send it and read the answer.
5. ``outcomes`` writes what came of it; ``sealing`` says where secrets open.

``Revoker`` has authorization servers take tokens back. The code of an authorization is redeemed in
``latchpin.authorization.redemption``.
"""
