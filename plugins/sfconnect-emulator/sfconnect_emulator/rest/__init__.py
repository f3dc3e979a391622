"""The REST API of the org: everything under ``/services/data``."""
