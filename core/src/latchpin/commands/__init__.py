"""The command line's groups, one file each. ``latchpin.cli`` puts them together with those of plugins."""
