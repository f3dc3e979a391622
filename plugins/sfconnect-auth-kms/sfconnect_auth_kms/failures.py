"""What the errors of AWS mean, as errors that say what to change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

from sfconnect.errors import (
    AuthConfigurationError,
    AuthError,
    ClockSkewError,
    CredentialUnavailableError,
    InvalidCredentialsError,
    ReauthorizationRequired,
    TransientAuthError,
)

_UNKNOWN: Final = "Check kms_key, and that kms_region and the AWS account are those of the key."
_UNSUITABLE: Final = "Make one: aws kms create-key --key-usage SIGN_VERIFY --key-spec RSA_2048"
_DENIED: Final = (
    "Allow kms:Sign on the key, and kms:GetPublicKey where kms_fingerprint is set, in the policy "
    "of the AWS identity or of the key."
)
_IDENTITY: Final = "Correct the AWS credentials; see `aws sts get-caller-identity`."
_SIGN_IN: Final = "Sign in to AWS again (`aws sso login`), or renew the session."

_MEANINGS: Final[dict[str, tuple[type[AuthError], str, str]]] = {
    "NotFoundException": (AuthConfigurationError, _UNKNOWN, "kms-key-unknown"),
    "InvalidArnException": (AuthConfigurationError, _UNKNOWN, "kms-key-unknown"),
    "DisabledException": (AuthConfigurationError, "Enable the key.", "kms-key-disabled"),
    "KMSInvalidStateException": (
        AuthConfigurationError,
        "Cancel its deletion, or use another key.",
        "kms-key-disabled",
    ),
    "InvalidKeyUsageException": (AuthConfigurationError, _UNSUITABLE, "kms-key-unsuitable"),
    "ValidationException": (AuthConfigurationError, _UNSUITABLE, "kms-key-unsuitable"),
    "UnsupportedOperationException": (AuthConfigurationError, _UNSUITABLE, "kms-key-unsuitable"),
    "AccessDeniedException": (AuthConfigurationError, _DENIED, "kms-denied"),
    "UnrecognizedClientException": (InvalidCredentialsError, _IDENTITY, "aws-credentials"),
    "InvalidClientTokenId": (InvalidCredentialsError, _IDENTITY, "aws-credentials"),
    "InvalidSignatureException": (InvalidCredentialsError, _IDENTITY, "aws-credentials"),
    "IncompleteSignature": (InvalidCredentialsError, _IDENTITY, "aws-credentials"),
    "MissingAuthenticationTokenException": (InvalidCredentialsError, _IDENTITY, "aws-credentials"),
    "ExpiredTokenException": (ReauthorizationRequired, _SIGN_IN, "aws-session-ended"),
    "RequestExpired": (ClockSkewError, "Set this machine's clock by NTP.", "clock-skew"),
    "ThrottlingException": (TransientAuthError, "", "kms-busy"),
    "LimitExceededException": (TransientAuthError, "", "kms-busy"),
    "KMSInternalException": (TransientAuthError, "", "kms-fault"),
    "DependencyTimeoutException": (TransientAuthError, "", "kms-fault"),
    "KeyUnavailableException": (TransientAuthError, "", "kms-fault"),
    "ServiceUnavailableException": (TransientAuthError, "", "kms-fault"),
    "InternalFailure": (TransientAuthError, "", "kms-fault"),
}
_SERVER_FAULT: Final = 500
_WORDS_SHOWN: Final = 300


@contextmanager
def translated(key: str, region: str | None) -> Iterator[None]:
    """Turn errors of botocore that are raised inside into typed ones."""
    errors = import_module("botocore.exceptions")
    where = f"the key {key}" + (f" in {region}" if region else "")
    try:
        yield
    except errors.ClientError as error:
        raise _refused(error.response, where) from error
    except (
        errors.NoCredentialsError,
        errors.PartialCredentialsError,
        errors.CredentialRetrievalError,
        errors.TokenRetrievalError,
        errors.SSOError,
        errors.ProfileNotFound,
    ) as error:
        message = f"There are no AWS credentials to sign with {where}: {_words(error)}."
        raise CredentialUnavailableError(
            message, hint="See `aws sts get-caller-identity`.", docs_key="aws-no-credentials"
        ) from error
    except errors.NoRegionError as error:
        message = f"Nothing says in which region {where} is."
        raise AuthConfigurationError(
            message, hint="Set kms_region, or give the ARN.", docs_key="aws-no-region"
        ) from error
    except (errors.ConnectionError, errors.HTTPClientError) as error:
        message = f"AWS KMS cannot be reached: {_words(error)}."
        raise TransientAuthError(message, docs_key="kms-unreachable") from error
    except (errors.BotoCoreError, ValueError) as error:
        message = f"AWS KMS cannot be asked for {where}: {_words(error)}."
        hint = "Check the options that begin with kms_."
        raise AuthConfigurationError(message, hint=hint, docs_key="kms-options") from error


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:_WORDS_SHOWN].rstrip(".")


def _refused(response: dict[str, Any], where: str) -> AuthError:
    told, facts = response.get("Error", {}), response.get("ResponseMetadata", {})
    code, status = str(told.get("Code") or ""), facts.get("HTTPStatusCode")
    unknown: tuple[type[AuthError], str, str] = (AuthError, "", "kms-refused")
    if isinstance(status, int) and status >= _SERVER_FAULT:
        unknown = (TransientAuthError, "", "kms-fault")
    kind, hint, docs_key = _MEANINGS.get(code, unknown)
    words = str(told.get("Message") or "it does not say why")[:_WORDS_SHOWN].rstrip(".")
    return kind(
        f"AWS KMS does not sign with {where}: {code}: {words}.",
        code=code or None,
        hint=hint or None,
        request_id=facts.get("RequestId"),
        status=status,
        docs_key=docs_key,
    )
