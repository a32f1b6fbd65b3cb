"""An embedded PostgreSQL, for `crmshift demo`, the tests and the benchmarks."""

from crmshift.embedded.binaries import wheel_binaries
from crmshift.embedded.server import EmbeddedServer

__all__ = ["EmbeddedServer", "wheel_binaries"]
