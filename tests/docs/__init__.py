"""The documentation names everything it must, and what it shows works."""
