"""What happened in each flow: told once by the scripts, read by the log, the events and the inspector."""
