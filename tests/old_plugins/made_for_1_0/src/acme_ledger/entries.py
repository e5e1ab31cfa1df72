"""What the ledger keeps, and what is told of it."""

from latchpin.contracts import Context
from latchpin.model import CollectionSpec, Document, Fact, Span, index_time
from latchpin.sdk.activity import FactKind, OwnFact

ENTRIES = CollectionSpec("acme_ledger", indexes=("person", "at"), sealed=frozenset({"text"}))
NOTED = OwnFact("acme-ledger.noted", FactKind("An entry was made.", "currency", "%(actor)s noted %(currency)s"))


async def add(context: Context, name: str, person: str, text: str, currency: str) -> None:
    fields = {"person": person, "at": index_time(context.clock())}
    await context.collection(ENTRIES).put(Document(name, {"text": text, "currency": currency}, fields))
    await context.activity.tell(NOTED, actor=person, currency=currency)


async def of(context: Context, person: str) -> list[str]:
    page = await context.collection(ENTRIES).scan("person", Span.only(person), limit=50)
    return [str(each.body["text"]) for each in page]


class Listener:
    """Counts what it hears."""

    heard = 0

    def on_event(self, fact: Fact) -> None:
        Listener.heard += fact.name == NOTED.name
