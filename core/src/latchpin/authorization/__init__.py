"""A person's authorization from the redirect to the stored token, and what limits and explains it."""
