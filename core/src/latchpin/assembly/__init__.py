"""From what is installed and set to opened services: which stores are selected, what opens them, and a report."""
