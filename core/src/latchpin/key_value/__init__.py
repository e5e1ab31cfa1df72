"""Stores over a bare ``KeyValue``, for who has a place for texts and no more."""
