"""The suites for signers and ciphers. A subclass gives ``offer``, and settings if it has keys of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from latchpin.contracts import Backend, Cipher, Signer
from latchpin.errors import Unsealable
from latchpin.model import Sealed

from latchpin_testing.context import SuiteContext
from latchpin_testing.opening import AnyOffer, AnySettings
from latchpin_testing.rules import found, holds, same

__all__ = ["CipherContract", "SignerContract"]

MESSAGE = b"eyJub25jZSI6InEwQTBrIn0"
PLAIN = "s3cr3t \u00fc\u65e5\U0001f600\n"
FIRST = ("the first secret of the suite, 32 bytes",)
OTHER = ("another secret of the suite, of 32 bytes",)
ROTATED = (*OTHER, *FIRST)
PLACE = ("gateway-1", "ada@example.com", "access_token")


class _WithKeys:
    @pytest.fixture
    def offer(self) -> AnyOffer:
        """What your hook returns. Override this."""
        raise NotImplementedError("override the fixture 'offer': return what your plugin's hook returns")

    @pytest.fixture
    def settings(self, offer: AnyOffer) -> AnySettings:
        """Settings with one key. Override this, unless keys come from ``context.keys``."""
        return offer.settings()

    @pytest.fixture
    def other_settings(self, offer: AnyOffer) -> AnySettings:
        """Settings with another key, which know nothing of the first. Override this together with ``settings``."""
        return offer.settings()

    @pytest.fixture
    def rotated_settings(self, offer: AnyOffer) -> AnySettings:
        """Settings whose key is that of ``other_settings``, with that of ``settings`` as an earlier one."""
        return offer.settings()

    def make_context(self, secrets: Sequence[str]) -> SuiteContext:
        """What the offer is opened with. Override this to give an ``upstream`` to an offer that fetches its keys."""
        return SuiteContext(secrets=secrets)

    @asynccontextmanager
    async def _opened(
        self, offer: Backend[Any, Any], settings: AnySettings, secrets: Sequence[str] = FIRST
    ) -> AsyncIterator[Any]:
        async with self.make_context(secrets) as context, offer.open(settings, context) as service:
            yield service


def _check_key_ids(first: str, again: str, other: str) -> None:
    __tracebackhide__ = True
    holds(
        first and first.isascii() and first.replace("-", "").replace("_", "").isalnum(), "a key id is URL-safe", first
    )
    holds(len(first) <= 64, "a key id is short", first)  # it travels in every state
    same(again, first, "equal settings give equal key ids, so that every instance knows the other's")
    holds(other != first, "another key has another key id", first)


@pytest.mark.asyncio
class SignerContract(_WithKeys):
    """What ``latchpin.contracts.Signer`` promises."""

    async def test_a_signature_holds(self, offer: AnyOffer, settings: AnySettings) -> None:
        """Also when another process checks it."""
        signer: Signer
        async with self._opened(offer, settings) as signer, self._opened(offer, settings) as elsewhere:
            for message in (MESSAGE, b"", b"\x00" * 5000):
                signature = signer.sign(message)
                seen = elsewhere.verify(message, signature, key_id=signer.key_id)
                holds(seen is True, "a signature holds wherever the settings are equal", found(seen))

    async def test_a_forged_signature_does_not_hold(self, offer: AnyOffer, settings: AnySettings) -> None:
        """One changed bit, a cut, an addition, nothing at all: False, never an exception."""
        signer: Signer
        async with self._opened(offer, settings) as signer:
            good = signer.sign(MESSAGE)
            forged = [
                good[:-1] + bytes([good[-1] ^ 1]),
                bytes([good[0] ^ 128]) + good[1:],
                good[:-1],
                good + b"\0",
                b"",
            ]
            for signature in forged:
                seen = signer.verify(MESSAGE, signature, key_id=signer.key_id)
                holds(seen is False, "a changed signature does not hold", found(seen))
            for message in (MESSAGE + b"x", MESSAGE[:-1], b""):
                seen = signer.verify(message, good, key_id=signer.key_id)
                holds(seen is False, "a signature does not hold for another message", found(seen))

    async def test_keys_have_names(self, offer: AnyOffer, settings: AnySettings, other_settings: AnySettings) -> None:
        """Short, URL-safe, equal on every instance, different for every key."""
        signer: Signer
        async with (
            self._opened(offer, settings) as signer,
            self._opened(offer, settings) as again,
            self._opened(offer, other_settings, OTHER) as other,
        ):
            _check_key_ids(signer.key_id, again.key_id, other.key_id)

    async def test_an_unknown_key_is_said_so(
        self, offer: AnyOffer, settings: AnySettings, other_settings: AnySettings
    ) -> None:
        """A key we no longer have and a forgery are different facts."""
        signer: Signer
        async with self._opened(offer, settings) as signer, self._opened(offer, other_settings, OTHER) as other:
            for key_id in (signer.key_id, "", "never-heard-of"):
                with _unsealable("verify raises Unsealable for a key that is not known"):
                    other.verify(MESSAGE, signer.sign(MESSAGE), key_id=key_id)
            seen = other.verify(MESSAGE, signer.sign(MESSAGE), key_id=other.key_id)
            holds(seen is False, "a signature does not hold under another key", found(seen))

    async def test_earlier_keys_verify(
        self, offer: AnyOffer, settings: AnySettings, other_settings: AnySettings, rotated_settings: AnySettings
    ) -> None:
        """After a rotation, states under way still verify; new ones are signed under the new key."""
        signer: Signer
        async with (
            self._opened(offer, settings) as signer,
            self._opened(offer, other_settings, OTHER) as other,
            self._opened(offer, rotated_settings, ROTATED) as rotated,
        ):
            seen = rotated.verify(MESSAGE, signer.sign(MESSAGE), key_id=signer.key_id)
            holds(seen is True, "earlier keys verify", found(seen))
            same(rotated.key_id, other.key_id, "earlier keys never sign")
            seen = other.verify(MESSAGE, rotated.sign(MESSAGE), key_id=rotated.key_id)
            holds(seen is True, "earlier keys never sign", found(seen))


@pytest.mark.asyncio
class CipherContract(_WithKeys):
    """What ``latchpin.contracts.Cipher`` promises."""

    async def test_unseal_reverses_seal(self, offer: AnyOffer, settings: AnySettings) -> None:
        """Any text, also in another process; the sealed form is URL-safe and never the same twice."""
        cipher: Cipher
        async with self._opened(offer, settings) as cipher, self._opened(offer, settings) as elsewhere:
            for plain in (PLAIN, "", "x" * 20_000):
                sealed = cipher.seal(plain, associated_data=PLACE)
                same(elsewhere.unseal(sealed, associated_data=list(PLACE)), plain, "unseal gives what was sealed")
                safe = sealed.isascii() and all(letter.isalnum() or letter in "-._~=" for letter in sealed)
                holds(safe, "sealed text is URL-safe", sealed[:80])
                holds(
                    sealed != cipher.seal(plain, associated_data=PLACE), "equal secrets do not look equal when sealed"
                )
            holds("s3cr3t" not in cipher.seal(PLAIN, associated_data=PLACE), "sealed text shows nothing of the secret")

    @pytest.mark.parametrize(
        "place",
        [
            (),
            ("gateway-2", *PLACE[1:]),
            (PLACE[0], "eve@example.com", PLACE[2]),
            PLACE[:2],
            (*PLACE, ""),
            ("gateway-1ada@example.com", "", "access_token"),
            ("gateway-1", "ada@example.comaccess_token"),
        ],
    )
    async def test_a_sealed_value_is_bound_to_its_place(
        self, offer: AnyOffer, settings: AnySettings, place: Sequence[str]
    ) -> None:
        """Copied to another user, gateway or column it does not unseal."""
        cipher: Cipher
        async with self._opened(offer, settings) as cipher:
            sealed = cipher.seal(PLAIN, associated_data=PLACE)
            with _unsealable("a sealed value that was moved to another place does not unseal"):
                cipher.unseal(sealed, associated_data=place)

    async def test_a_damaged_value_does_not_unseal(self, offer: AnyOffer, settings: AnySettings) -> None:
        """Whatever letter is changed or lost, and whatever is put in its place."""
        cipher: Cipher
        async with self._opened(offer, settings) as cipher:
            sealed = cipher.seal(PLAIN, associated_data=PLACE)
            middle = len(sealed) // 2
            swapped = "A" if sealed[middle] != "A" else "B"
            damaged = [sealed[:middle] + swapped + sealed[middle + 1 :], sealed[: middle - 1], "x" + sealed]
            for text in [*damaged, "", ".", "..", "plain text", "\u00fc", PLAIN]:
                with _unsealable(f"a damaged value does not unseal ({text[:20]!r}...)"):
                    cipher.unseal(Sealed(text), associated_data=PLACE)

    async def test_keys_have_names(self, offer: AnyOffer, settings: AnySettings, other_settings: AnySettings) -> None:
        """Short, URL-safe, equal on every instance, different for every key."""
        cipher: Cipher
        async with (
            self._opened(offer, settings) as cipher,
            self._opened(offer, settings) as again,
            self._opened(offer, other_settings, OTHER) as other,
        ):
            _check_key_ids(cipher.key_id, again.key_id, other.key_id)

    async def test_earlier_keys_unseal(
        self, offer: AnyOffer, settings: AnySettings, other_settings: AnySettings, rotated_settings: AnySettings
    ) -> None:
        """After a rotation old values still open, new ones are sealed under the new key alone."""
        cipher: Cipher
        async with (
            self._opened(offer, settings) as cipher,
            self._opened(offer, other_settings, OTHER) as other,
            self._opened(offer, rotated_settings, ROTATED) as rotated,
        ):
            old = cipher.seal(PLAIN, associated_data=PLACE)
            same(rotated.unseal(old, associated_data=PLACE), PLAIN, "earlier keys unseal")
            new = rotated.seal(PLAIN, associated_data=PLACE)
            same(other.unseal(new, associated_data=PLACE), PLAIN, "earlier keys never seal")
            with _unsealable("a value sealed under another key does not unseal"):
                other.unseal(old, associated_data=PLACE)


class _unsealable:  # noqa: N801  reads as a function
    def __init__(self, rule: str) -> None:
        self._rule = rule

    def __enter__(self) -> None:
        """Begin what must fail."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        __tracebackhide__ = True
        holds(isinstance(error, Unsealable), f"{self._rule}; expected Unsealable", found(error))
        return True
