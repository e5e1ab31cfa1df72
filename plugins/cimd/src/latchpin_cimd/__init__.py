"""Client ID Metadata Documents for Latchpin (draft-ietf-oauth-client-id-metadata-document).

``document`` decides (pure), ``signing_key`` keeps the key, ``registrar`` answers the core, ``routes`` serve the
document, ``plugin`` is what Latchpin finds.
"""
