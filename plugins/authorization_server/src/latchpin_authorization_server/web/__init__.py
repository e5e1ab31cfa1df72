"""The endpoints for programs, and the pages for people."""
