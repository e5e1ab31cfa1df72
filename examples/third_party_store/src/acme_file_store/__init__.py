"""A state store for Latchpin that keeps its states as files in a folder."""
