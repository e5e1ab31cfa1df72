"""What plugin authors test with: contract suites to subclass, a clock to move, a context, and sample values.

It needs ``pytest`` and ``pytest-asyncio``; nothing else in Latchpin imports it. The suites contain no
skip, no expected failure and no special case for any store: a store passes them or it does not keep the
contract. Time never passes by itself here: the ``advance`` fixture moves the injected clock.
"""

from latchpin.testing import samples
from latchpin.testing.checks import BareCheckContext, CheckContract
from latchpin.testing.clock import START, MovedClock
from latchpin.testing.context import SuiteContext
from latchpin.testing.keys import CipherContract, SignerContract
from latchpin.testing.methods import ClientAuthenticationContract, PkceMethodContract
from latchpin.testing.people import AssertionSourceContract, IdentityContract
from latchpin.testing.plugin_check import check_plugin
from latchpin.testing.record_store import RecordStoreContract
from latchpin.testing.records_large import CheapCountContract
from latchpin.testing.registrar import RegistrarContract, UnreachableUpstream
from latchpin.testing.running import RunningGateway, StartGateway, running_gateway
from latchpin.testing.sealing import SuiteCipher
from latchpin.testing.shared_stores import SharedRecordStoreContract, SharedStateStoreContract
from latchpin.testing.state_store import StateStoreContract
from latchpin.testing.store_witness import StoreWitnessContract
from latchpin.testing.watchers import EventListenerContract, ObserverContract

__all__ = [
    "AssertionSourceContract",
    "BareCheckContext",
    "CheapCountContract",
    "CheckContract",
    "CipherContract",
    "ClientAuthenticationContract",
    "EventListenerContract",
    "IdentityContract",
    "MovedClock",
    "ObserverContract",
    "PkceMethodContract",
    "RecordStoreContract",
    "RegistrarContract",
    "RunningGateway",
    "START",
    "SharedRecordStoreContract",
    "SharedStateStoreContract",
    "SignerContract",
    "StartGateway",
    "StateStoreContract",
    "StoreWitnessContract",
    "SuiteCipher",
    "SuiteContext",
    "UnreachableUpstream",
    "check_plugin",
    "running_gateway",
    "samples",
]
