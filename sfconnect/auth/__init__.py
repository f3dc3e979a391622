"""Logging in: the contract for strategies, their options, discovery, life and storage."""

from sfconnect.auth.base import (
    PLUGIN_API,
    AuthContext,
    AuthStrategy,
    Credentials,
    SecretResolver,
    Signer,
    StoredToken,
    SupportsAvailability,
    SupportsRefresh,
    SupportsRevoke,
    SupportsSigning,
    TokenStore,
)
from sfconnect.auth.chain import Chain
from sfconnect.auth.file_store import FileStore
from sfconnect.auth.locks import FileLock, run_to_its_end, state_folder
from sfconnect.auth.options import OptionSpec, build, coerce_secrets, option, options_of
from sfconnect.auth.process import ProcessCredentials
from sfconnect.auth.records import credentials_from_json, credentials_to_json
from sfconnect.auth.registry import (
    LIMITERS,
    SECRETS,
    SIGNERS,
    STRATEGIES,
    TOKEN_STORES,
    PluginEntry,
    PluginReport,
    Registry,
    register,
)
from sfconnect.auth.resolve import Resolved, resolve
from sfconnect.auth.retirement import Retirement, RetirementWarning, warn_of_retirement
from sfconnect.auth.static import ApiKey, Basic
from sfconnect.auth.store import MemoryStore

__all__ = [
    "LIMITERS",
    "PLUGIN_API",
    "SECRETS",
    "SIGNERS",
    "STRATEGIES",
    "TOKEN_STORES",
    "ApiKey",
    "AuthContext",
    "AuthStrategy",
    "Basic",
    "Chain",
    "Credentials",
    "FileLock",
    "FileStore",
    "MemoryStore",
    "OptionSpec",
    "PluginEntry",
    "PluginReport",
    "ProcessCredentials",
    "Registry",
    "Resolved",
    "Retirement",
    "RetirementWarning",
    "SecretResolver",
    "Signer",
    "StoredToken",
    "SupportsAvailability",
    "SupportsRefresh",
    "SupportsRevoke",
    "SupportsSigning",
    "TokenStore",
    "build",
    "coerce_secrets",
    "credentials_from_json",
    "credentials_to_json",
    "option",
    "options_of",
    "register",
    "resolve",
    "run_to_its_end",
    "state_folder",
    "warn_of_retirement",
]
