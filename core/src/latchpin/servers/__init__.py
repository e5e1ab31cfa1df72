"""The authorization server of each gateway: searched for, remembered, and what its provider needs besides."""
