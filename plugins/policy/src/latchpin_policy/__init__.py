"""Who may use what: groups of people, rules about tools, and ceilings of scopes.

Data's way through it: ``routes``, ``pages`` and ``commands`` enter groups and rules (``group``, ``rule``: pure), which
``book`` keeps for all workers; ``holding`` offers the gateway what it asks for each request, out of ``policy`` and
``gate`` (pure). ``explaining`` says which rule decides.
"""
