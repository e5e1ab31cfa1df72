"""Discovery: what is asked, what is believed."""
