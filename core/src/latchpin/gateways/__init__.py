"""The gateways that administrators enter, how they are tried out, and who is connected to them."""
