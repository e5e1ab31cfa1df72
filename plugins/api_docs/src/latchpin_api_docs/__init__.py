"""What a Latchpin gateway's API is: described at ``/openapi.json``, shown on ``/docs`` with files served from here."""
