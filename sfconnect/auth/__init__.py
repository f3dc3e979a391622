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
from sfconnect.auth.options import OptionSpec, build, coerce_secrets, option, options_of
from sfconnect.auth.process import ProcessCredentials
from sfconnect.auth.registry import (
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

__all__ = [
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
    "option",
    "options_of",
    "register",
    "resolve",
    "warn_of_retirement",
]
