"""The web server's processes: where they listen, how they start and end, what each does from time to time."""
