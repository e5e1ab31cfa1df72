"""``latchpin plugin new``: a distribution with one hook, its tests and nothing else, for whoever begins a plugin."""
