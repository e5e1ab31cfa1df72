"""What the core keeps in collections: small named values, tools, the history of flows."""
