"""Keys that rest wrapped by the Transit engine of OpenBao or HashiCorp Vault."""
