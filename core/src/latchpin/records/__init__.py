"""What the core keeps in collections: small named values and tools."""
