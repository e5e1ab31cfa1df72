"""The command line's groups, one file each. ``command_line`` lists them with those of plugins, and ``main`` runs it."""
