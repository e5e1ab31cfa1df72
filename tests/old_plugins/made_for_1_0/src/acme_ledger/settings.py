"""Its variables."""

from latchpin.sdk.settings import Settings, Words
from pydantic import Field, SecretStr


class LedgerSettings(Settings):
    acme_badge_secret: SecretStr = Field(SecretStr(""), description="What badges are made with; empty: there are none.")
    acme_currencies: Words = Field(("EUR",), description="Currencies that entries may have.")
