"""``latchpin plugin new``: a distribution with one hook, its tests and nothing else, for people who begin a plugin."""
