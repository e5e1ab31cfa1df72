"""What happened, told once: to the log, to listeners and to recorders."""
