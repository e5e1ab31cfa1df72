"""What ``latchpin doctor`` finds out, for people, for programs, and for pages of a running gateway.

``running.run_checks`` examines a gateway that runs in this process, and gives a ``report.Report``.
``gateway_findings.examine_gateway`` looks at one of its gateways alone.
"""
