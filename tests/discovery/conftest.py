"""As for the tests of the way out: no system certificates are read."""

from tests.http.conftest import few_roots, one_certificate

__all__ = ["few_roots", "one_certificate"]
