"""The commands of the authorization server."""
