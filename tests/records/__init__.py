"""What the core keeps in collections, on every store."""
