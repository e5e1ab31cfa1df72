"""The built-in signer, cipher and registrar keep their contracts, and so does the suites' own cipher."""

from contextlib import asynccontextmanager

import latchpin
import pytest
from latchpin.contracts import Backend
from latchpin.defaults import cipher, registrar_static, signer
from latchpin.errors import Unsealable
from latchpin_testing import CipherContract, RegistrarContract, SignerContract, SuiteCipher


class TestHmacSigner(SignerContract):
    @pytest.fixture
    def offer(self):
        return signer.latchpin_signer()


class TestAesGcmCipher(CipherContract):
    @pytest.fixture
    def offer(self):
        return cipher.latchpin_cipher()


class TestStaticRegistrar(RegistrarContract):
    @pytest.fixture
    def offer(self):
        return registrar_static.latchpin_client_registrar()


@pytest.mark.needs("latchpin_dcr")
class TestDynamicRegistrar(RegistrarContract):
    @pytest.fixture
    def offer(self):
        from latchpin_dcr import plugin

        return plugin.latchpin_client_registrar()


def test_the_ciphers_of_two_suites_do_not_open_each_other():
    sealed = SuiteCipher().seal("secret", associated_data=["a"])
    with pytest.raises(Unsealable):
        SuiteCipher().unseal(sealed, associated_data=["a"])


class Careless:
    """A signer that ignores the key's name, and a cipher that ignores the place."""

    key_id = "same-for-all"

    def sign(self, message):
        return message

    def verify(self, message, signature, *, key_id):
        return signature == message

    def seal(self, plaintext, *, associated_data):
        return plaintext[::-1]

    def unseal(self, sealed, *, associated_data):
        return sealed[::-1]


@asynccontextmanager
async def careless(settings, context):
    yield Careless()


OFFER = Backend("careless", "careless", latchpin.Settings, careless)


@pytest.mark.parametrize(
    ("rule", "arguments"),
    [
        (SignerContract.test_keys_have_names, (1, 2)),
        (SignerContract.test_an_unknown_key_is_said_so, (1, 2)),
        (CipherContract.test_unseal_reverses_seal, (1,)),
        (CipherContract.test_a_sealed_value_is_bound_to_its_place, (1, ("x",))),
        (CipherContract.test_a_damaged_value_does_not_unseal, (1,)),
        (CipherContract.test_keys_have_names, (1, 2)),
    ],
)
async def test_careless_ones_break_the_rules(rule, arguments):
    with pytest.raises(pytest.fail.Exception, match="contract broken: "):
        await rule(CipherContract(), OFFER, *arguments)
