"""Tools through the official SDK, from good and hostile servers."""
