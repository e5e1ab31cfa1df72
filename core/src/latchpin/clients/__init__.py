"""Which OAuth client acts for a gateway at an authorization server, and how its secret is kept."""
