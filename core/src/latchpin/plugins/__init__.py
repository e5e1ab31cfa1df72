"""The host of the plugins: the hooks, and what loads plugins, lists their offers, selects by name and explains."""
