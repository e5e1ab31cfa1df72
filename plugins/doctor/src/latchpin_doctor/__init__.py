"""What ``latchpin doctor`` finds out, for people, for programs, and for pages of a running gateway.

``run_checks`` examines a gateway that runs in this process, and gives a ``Report``. ``examine_gateway`` looks at one of
its gateways alone.
"""

from latchpin_doctor.gateway_findings import examine_gateway
from latchpin_doctor.report import Checked, Report
from latchpin_doctor.running import run_checks

__all__ = ["Checked", "Report", "examine_gateway", "run_checks"]
