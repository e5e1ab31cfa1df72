"""A stranger's plugin, as it was written for hook API 1.0: a ledger, a state store, and badges that prove who asks."""
