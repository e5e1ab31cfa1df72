"""The device flow (RFC 8628): a program shows a code, and a person types it where they have a browser."""
