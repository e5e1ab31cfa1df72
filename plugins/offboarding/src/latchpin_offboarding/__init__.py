"""People who leave, for plugins that know of it: ``people.People`` ends all that somebody has, and lets them in again.

``end`` keeps them out from its first step on, ends what proves them and what is under way for them, and takes back the
tokens of their connections; ``restore`` lets them in again, and ``list`` and ``show`` say what became of each, as
``Departed``. ``begin_work`` has the servers told at once, on the side::

    people = People(application)
    await people.end(email, DIRECTORY, way="acme")
    await people.begin_work()
"""
