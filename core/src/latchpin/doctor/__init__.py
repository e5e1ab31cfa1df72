"""What ``latchpin doctor`` finds out, for people, for programs, and for pages of a running gateway."""

from latchpin.doctor.report import Checked, Report
from latchpin.doctor.running import examine, run_checks

__all__ = ["Checked", "Report", "examine", "run_checks"]
