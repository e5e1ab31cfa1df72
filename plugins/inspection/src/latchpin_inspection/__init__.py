"""What an authorization of a gateway would meet: its servers, the way to a client there, and what is in the way.

``discovering.discover`` looks, and gives a ``discovered.Discovered``. It registers, pins and keeps nothing::

    discovered = await discover(application, gateway)
    print(discovered.describe())
"""
