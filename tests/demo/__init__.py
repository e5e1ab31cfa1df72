"""The demo's servers by themselves, and the command."""
