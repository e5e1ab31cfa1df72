"""The guarded way out, against servers that mean harm."""
