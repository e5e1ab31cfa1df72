"""Keys that rest wrapped by AWS KMS."""
