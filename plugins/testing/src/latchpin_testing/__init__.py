"""What plugin authors test with: contract suites to subclass, a clock to move, a context, and sample values.

Nothing in a gateway imports it. The suites contain no
skip, no expected failure and no special case for any store: a store passes them or it does not keep the
contract. Time never passes by itself here: the ``advance`` fixture moves the injected clock.
"""

from latchpin_testing import samples
from latchpin_testing.auth_schemes import AuthSchemeContract
from latchpin_testing.background import BackgroundTaskContract
from latchpin_testing.checks import BareCheckContext, CheckContract
from latchpin_testing.clock import START, MovedClock
from latchpin_testing.context import SuiteContext
from latchpin_testing.grants import GrantContract
from latchpin_testing.key_wrapper import KeyWrapperContract
from latchpin_testing.keys import CipherContract, SignerContract
from latchpin_testing.methods import ClientAuthenticationContract, PkceMethodContract
from latchpin_testing.people import AssertionSourceContract, IdentityContract
from latchpin_testing.plugin_check import check_plugin
from latchpin_testing.record_store import RecordStoreContract
from latchpin_testing.records_large import CheapCountContract
from latchpin_testing.registrar import RegistrarContract, UnreachableUpstream
from latchpin_testing.running import RunningGateway, StartGateway, running_gateway
from latchpin_testing.sealing import SuiteCipher, SuiteKeyWrapper
from latchpin_testing.shared_stores import SharedRecordStoreContract, SharedStateStoreContract
from latchpin_testing.state_store import StateStoreContract
from latchpin_testing.store_witness import StoreWitnessContract
from latchpin_testing.watchers import EventListenerContract, ObserverContract, RecorderContract

__all__ = [
    "AssertionSourceContract",
    "AuthSchemeContract",
    "BackgroundTaskContract",
    "BareCheckContext",
    "CheapCountContract",
    "CheckContract",
    "CipherContract",
    "ClientAuthenticationContract",
    "EventListenerContract",
    "GrantContract",
    "IdentityContract",
    "KeyWrapperContract",
    "MovedClock",
    "ObserverContract",
    "PkceMethodContract",
    "RecordStoreContract",
    "RecorderContract",
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
    "SuiteKeyWrapper",
    "UnreachableUpstream",
    "check_plugin",
    "running_gateway",
    "samples",
]
