"""The command line's groups, one file each. ``latchpin.commands.main`` puts them together with those of plugins."""
