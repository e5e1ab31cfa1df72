"""Prometheus metrics and OpenTelemetry traces.

``meters`` has what is counted, ``counting`` counts, ``gauges`` reads what is in the stores, ``tracing`` makes spans,
``plugin`` is what Latchpin finds.
"""
