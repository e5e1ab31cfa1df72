"""What a plugin's commands stand on. ``latchpin_commands`` says where their Typer apps are.

``opened`` opens the record store and what stands on it, beside a gateway that may be serving, and gives the
``latchpin.sdk.gateway.Application``. ``run`` runs a command's asynchronous part, and ``until_told`` one that goes on
until somebody ends it::

    @commands.command()
    def note() -> None:
        "Print the note."
        typer.echo(run(read_note()))

Results go to stdout, everything else to stderr: ``out`` and ``err`` print for people, ``print_table`` prints a table as
wide as the terminal, ``print_json`` prints for programs, and ``say`` says a word to people on stderr. ``confirm`` asks
before what cannot be taken back, in a command that has the option ``--yes``; where nobody can be asked, it says so and
the exit code is 2.

``opened`` opens what plugins offer only where a hook of ``latchpin.sdk.hooks`` asks for it: ``TO_SERVERS`` are those of
a command that speaks to a gateway's servers. ``opened_states`` opens the state store alone.

``OPERATOR`` is the caller who types a command, and ``find_gateway`` the gateway that is meant by an id, its first
digits or a name.
"""

from latchpin.commands.console import TO_SERVERS, confirm, err, opened, opened_states, out, print_json, run, say
from latchpin.commands.ending import until_told
from latchpin.commands.tables import print_table
from latchpin.commands.which_gateway import OPERATOR, find_gateway

__all__ = [
    "OPERATOR",
    "TO_SERVERS",
    "confirm",
    "err",
    "find_gateway",
    "opened",
    "opened_states",
    "out",
    "print_json",
    "print_table",
    "run",
    "say",
    "until_told",
]
