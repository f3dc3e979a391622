"""Log in to Salesforce with what the Salesforce CLI is logged in to."""

from sfconnect_auth_sfcli.strategy import SfCli

__all__ = ["SfCli"]
