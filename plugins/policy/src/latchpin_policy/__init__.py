"""Who may use what: groups of people, rules about tools, ceilings of scopes, and which definitions of tools hold.

Data's way through it: ``routes``, pages and ``commands`` enter groups and rules (``group``, ``rule``: pure), which
``book`` keeps for all workers; ``holding`` offers the gateway what it asks for each request, out of ``policy`` and
``gate`` (pure). ``explaining`` says which rule decides. ``pins`` keeps the definitions that are approved (``pin``:
pure) and holds others back; ``pin_pages`` and ``pin_commands`` show those. A ``stamp`` tells all workers that something
was written.
"""
