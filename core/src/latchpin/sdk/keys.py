"""What signers and ciphers are built from.

``HmacSigner`` and ``AesGcmCipher`` are the built-in ones. They work under any ``latchpin.contracts.Keys``: those of
``Context.keys``, derived from AUTH_ENCRYPTION_SECRET, or a key service's. ``fetched_keys`` holds these in memory, and
fetches them anew from time to time::

    async with fetched_keys(unwrap) as keys:
        yield AesGcmCipher(keys)

``SharedKeys`` are random keys that all workers share, kept sealed under the name that they are asked by; each
AUTH_ENCRYPTION_SECRET has its own. A ``Binder`` seals names under such keys, each for one place, and raises
``NotBound`` for one that was not given out there.

What a plugin keeps sealed has to be named, or a rotation of keys passes it by: ``latchpin_key_uses`` returns a
``collection_use`` for each collection with sealed members, and a ``kept_use`` for values that it seals by itself::

    return [collection_use(SESSIONS), kept_use("Acme's key", "acme:key", lambda name: ("acme", name))]

``name_collection`` is what the first calls its rows. Both read the store behind ``Context``; a ``KeyUse`` of one's own
does likewise, with ``key_ids`` and ``reseal``.

For ES256, ``derive_key`` makes a private key of random bytes, ``public_jwk`` is what is published of it (RFC 7517), and
``thumbprint_of`` names it (RFC 7638).
"""

from typing import TYPE_CHECKING

from latchpin.lazily import finder

if TYPE_CHECKING:
    from latchpin.defaults.aes_gcm import AesGcmCipher
    from latchpin.defaults.signer import HmacSigner
    from latchpin.oauth.jwk import derive_key, public_jwk, thumbprint_of
    from latchpin.records.key_uses import collection_use, kept_use, key_ids, name_collection, reseal
    from latchpin.workers.fetched_keys import fetched_keys
    from latchpin.workers.keys import SharedKeys
    from latchpin.workers.names import Binder, NotBound

__all__ = [
    "AesGcmCipher",
    "Binder",
    "HmacSigner",
    "NotBound",
    "SharedKeys",
    "collection_use",
    "derive_key",
    "fetched_keys",
    "kept_use",
    "key_ids",
    "name_collection",
    "public_jwk",
    "reseal",
    "thumbprint_of",
]

__getattr__ = finder(
    __name__,
    {
        "latchpin.defaults.aes_gcm": ("AesGcmCipher",),
        "latchpin.defaults.signer": ("HmacSigner",),
        "latchpin.oauth.jwk": ("derive_key", "public_jwk", "thumbprint_of"),
        "latchpin.records.key_uses": ("collection_use", "kept_use", "key_ids", "name_collection", "reseal"),
        "latchpin.workers.fetched_keys": ("fetched_keys",),
        "latchpin.workers.keys": ("SharedKeys",),
        "latchpin.workers.names": ("Binder", "NotBound"),
    },
)
