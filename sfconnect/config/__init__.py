"""Configuration: profile files, typed values, and the settings of a connection."""

from sfconnect.config.profiles import (
    CONFIG_VARIABLE,
    FILE_NAME,
    ConfigurationWarning,
    Profile,
    load_profile,
    profile_files,
    read_profiles,
    user_config_file,
    warn_if_others_can_read,
)
from sfconnect.config.settings import Settings, setting_names
from sfconnect.config.spelling import did_you_mean, nearest
from sfconnect.config.values import Form, Value, convert, expected, one_of, pick, resolve_path

__all__ = [
    "CONFIG_VARIABLE",
    "FILE_NAME",
    "ConfigurationWarning",
    "Form",
    "Profile",
    "Settings",
    "Value",
    "convert",
    "did_you_mean",
    "expected",
    "load_profile",
    "nearest",
    "one_of",
    "pick",
    "profile_files",
    "read_profiles",
    "resolve_path",
    "setting_names",
    "user_config_file",
    "warn_if_others_can_read",
]
