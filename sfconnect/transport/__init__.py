"""The wire: one aiohttp session behind a pool with a bounded waiting line."""

from sfconnect.transport._proxies import EnvironmentProxies
from sfconnect.transport.pool import ConnectionPool, HostStats, PoolStats
from sfconnect.transport.tls import Tls

__all__ = ["ConnectionPool", "EnvironmentProxies", "HostStats", "PoolStats", "Tls"]
