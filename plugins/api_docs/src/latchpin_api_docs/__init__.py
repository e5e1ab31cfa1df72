"""Swagger UI over what a Latchpin gateway says of its API, on ``/docs``, with all its files served from here."""
