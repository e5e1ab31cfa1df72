"""Small programs that take the guide's command lines where a machine lacks the real ones.

Each runs by itself, with the arguments and the input that the real program would get, and speaks to the real
server. They read as little of the real programs' languages as the guide uses; what they do not know they refuse.
"""
