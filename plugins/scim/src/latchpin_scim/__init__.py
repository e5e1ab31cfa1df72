"""SCIM 2.0 (RFC 7643, RFC 7644): a directory says who is there, and who left is out.

``filters``, ``changes``, ``user`` and ``documents`` decide (pure), ``records`` keeps what the directory said, ``users``
carries it out, ``routes`` serve it, ``checks`` are what doctor asks, ``plugin`` is what Latchpin finds.
"""
