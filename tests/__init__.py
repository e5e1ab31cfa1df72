"""Tests of the whole system, and of each distribution."""
