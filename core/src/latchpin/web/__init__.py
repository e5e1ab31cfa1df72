"""The web: requests in, answers out. Nothing below this package knows HTTP requests."""
