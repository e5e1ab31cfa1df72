"""What the endpoints answer, as their description in ``/openapi.json`` has it (OpenAPI 3.1).

A member that an answer leaves out has a default here and is said to be left out. No answer has a member that is not
named here: whoever adds one describes it.
"""
