"""Latchpin's store on Redis or Valkey: shared by every worker and machine."""
