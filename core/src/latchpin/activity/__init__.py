"""What happened, told once: to the log, to listeners, to the history of flows and to the audit log."""
