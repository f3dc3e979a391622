"""Measurements of sfconnect against bare aiohttp on loopback. Run ``python -m benchmarks``."""
