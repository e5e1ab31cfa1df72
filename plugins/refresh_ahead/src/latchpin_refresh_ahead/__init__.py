"""Refresh ahead for Latchpin: tokens are renewed in the background, before anybody has to wait for it.

``refresh_ahead`` does it, ``plugin`` is what Latchpin finds.
"""
