"""``latchpin login``: a person's own program at a Latchpin that runs elsewhere.

``answers`` asks and reads, ``place`` finds the authorization server behind a URL, ``protocol`` gets tokens from it,
``loopback`` takes the browser's answer, ``keeping`` keeps the tokens. None of it needs a gateway on this machine, and
nothing in here asks the terminal.
"""
