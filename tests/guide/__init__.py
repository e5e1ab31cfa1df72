"""The troubleshooting guide that operators know, run command by command against a gateway."""
