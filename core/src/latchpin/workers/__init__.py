"""What the serving processes share: who is there, who does a thing, and what they do on the side."""
