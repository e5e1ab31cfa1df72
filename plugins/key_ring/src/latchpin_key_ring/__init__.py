"""Keys that rotate to the end: a ring in the record store, everything sealed anew, and a proof by counts."""
