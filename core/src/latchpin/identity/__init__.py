"""Who somebody is, and the short-lived signed texts that say so."""
