"""The flow inspector: what is recorded of a flow, where it is kept, and who sees it."""
