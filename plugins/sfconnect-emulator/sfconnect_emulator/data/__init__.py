"""The rows of an emulated org: storage, checks on writing, ids, and generated data."""

from sfconnect_emulator.data.errors import ApiError
from sfconnect_emulator.data.org import Org, OrgUser
from sfconnect_emulator.data.store import Store

__all__ = ["ApiError", "Org", "OrgUser", "Store"]
