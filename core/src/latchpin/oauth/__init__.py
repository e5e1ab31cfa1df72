"""The protocol, pure: untrusted input to values, values to requests. Nothing in here does I/O."""
