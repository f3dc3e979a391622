"""The wire: one aiohttp session behind a pool with a bounded waiting line."""

from sfconnect.transport.pool import ConnectionPool, PoolStats
from sfconnect.transport.tls import Tls

__all__ = ["ConnectionPool", "PoolStats", "Tls"]
