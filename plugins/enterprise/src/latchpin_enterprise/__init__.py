"""Grants without a browser for Latchpin: an identity provider or a workload's JWT vouches (RFC 7523, SEP-990).

``grant`` is what the core asks, for a workload (``workload``) or for a person (``id_jag``, ``identity_providers``).
``sources`` and ``routes`` come by people's ID tokens, which ``id_tokens`` judges. ``errors`` is what goes wrong, and
``plugin`` what Latchpin finds.
"""
