"""The logins to Salesforce that are being retired: username and password, and SOAP login()."""

from sfconnect_auth_legacy.soap_login import SoapLogin
from sfconnect_auth_legacy.username_password import UsernamePassword

__all__ = ["SoapLogin", "UsernamePassword"]
