"""What people allowed clients: requests that wait for an answer, consents that are remembered, grants that stand."""
