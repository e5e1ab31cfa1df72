"""What clients are given: access tokens (RFC 9068), and the key that signs them."""
