"""Fields as options: schema, conversion, and the files and commands that stand in for secrets."""

import pickle
import shlex
import sys
import traceback
from collections.abc import Sequence
from dataclasses import FrozenInstanceError, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfconnect._types import UNSET, Secret
from sfconnect.auth import AuthContext, Credentials, OptionSpec, build, coerce_secrets
from sfconnect.auth.options import coerce, option, options_of, without_secrets
from sfconnect.auth.secret_sources import read_secret
from sfconnect.config import Form, Value
from sfconnect.errors import ConfigurationError, PluginError

if TYPE_CHECKING:
    from decimal import Decimal

CANARY = "hunter2-canary"


@dataclass(frozen=True, slots=True)
class Everything:
    """A strategy with an option of every kind."""

    login_url: str = option(help="Where to log in.", example="https://acme.my.salesforce.com")
    client_secret: Secret | str = option(help="The app's secret.", secret=True)
    client_auth: Literal["body", "basic"] = option(help="How it is sent.", default="body")
    key_file: Path | None = option(help="Key.", default=None, env="KEY_PATH")
    retries: int = option(help="Tries.", default=3, choices=(1, 3, 5), aliases=("tries",))
    strict: bool = option(help="Strict.", default=True)
    skew_s: float = option(help="Skew.", default=1.5)
    scopes: tuple[str, ...] = option(help="Scopes.", default=(), choices=("api", "web"))
    plain: str = "plain"
    tags: tuple[str, ...] = field(default_factory=tuple)
    derived: str = field(init=False, default="")
    plugin_api: ClassVar[int] = 1

    def __post_init__(self) -> None:
        coerce_secrets(self)

    async def authenticate(self, context: AuthContext) -> Credentials:
        raise NotImplementedError


SPECS = {spec.name: spec for spec in options_of(Everything)}


@dataclass(frozen=True, slots=True)
class VaultToken:
    """Read an access token that a Vault agent keeps fresh."""

    path: Path = option(help="File that the agent writes.")
    instance_url: str = option(help="Base URL of the org.")


@dataclass(frozen=True, slots=True)
class Picky:
    """Its own checks quote what they were given."""

    password: Secret = option(help="Password.", secret=True)

    def __post_init__(self) -> None:
        message = f"{self.password.reveal()} is no good"
        raise ValueError(message)


def values(**raw: object) -> dict[str, Value]:
    return {name: Value(text, f"argument {name}") for name, text in raw.items()}


def everything(**raw: object) -> Everything:
    return build(Everything, values(**{"login_url": "u", "client_secret": CANARY} | raw))


def whole_text(error: BaseException) -> str:
    """Everything that a log or a crash report could show of an error."""
    return "".join(traceback.format_exception(error)) + repr(error)


class TestSchema:
    def test_the_fields_are_the_options_in_their_order(self) -> None:
        assert list(SPECS) == [
            "login_url",
            "client_secret",
            "client_auth",
            "key_file",
            "retries",
            "strict",
            "skew_s",
            "scopes",
            "plain",
            "tags",
        ]

    def test_an_option_says_all_about_itself(self) -> None:
        assert SPECS["login_url"] == OptionSpec(
            name="login_url",
            type=str,
            help="Where to log in.",
            default=UNSET,
            secret=False,
            env=("SFCONNECT_LOGIN_URL",),
            choices=(),
            example="https://acme.my.salesforce.com",
            aliases=(),
        )

    def test_an_option_without_default_is_required(self) -> None:
        required = [spec.name for spec in options_of(Everything) if spec.required]

        assert required == ["login_url", "client_secret"]

    def test_defaults_are_known_also_from_a_factory(self) -> None:
        assert SPECS["retries"].default == 3
        assert SPECS["tags"].default == ()
        assert not SPECS["tags"].required

    def test_further_variables_come_after_the_own_one_and_before_old_names(self) -> None:
        assert SPECS["key_file"].env == ("SFCONNECT_KEY_FILE", "KEY_PATH")
        assert SPECS["retries"].env == ("SFCONNECT_RETRIES", "SFCONNECT_TRIES")

    def test_several_further_variables_keep_their_order(self) -> None:
        @dataclass(frozen=True, slots=True)
        class Two:
            path: str = option(help="x", env=("B", "A"))

        assert options_of(Two)[0].env == ("SFCONNECT_PATH", "B", "A")

    def test_choices_come_from_a_literal_or_are_given(self) -> None:
        assert SPECS["client_auth"].choices == ("body", "basic")
        assert SPECS["client_auth"].wanted == "one of 'body', 'basic'"
        assert SPECS["retries"].wanted == "one of 1, 3, 5"
        assert SPECS["skew_s"].wanted == "a number"

    def test_a_field_typed_as_secret_is_one_without_being_declared(self) -> None:
        @dataclass(frozen=True, slots=True)
        class Bare:
            token: Secret | None

        assert options_of(Bare)[0].secret

    def test_a_plugin_as_the_guide_shows_it_has_its_options(self) -> None:
        assert [(spec.name, spec.type) for spec in options_of(VaultToken)] == [
            ("path", Path),
            ("instance_url", str),
        ]

    def test_options_of_a_class_that_is_no_dataclass_are_refused(self) -> None:
        class Plain:
            pass

        with pytest.raises(PluginError, match="Plain is not a dataclass"):
            options_of(Plain)

    def test_a_type_that_is_only_there_for_the_type_checker_is_refused(self) -> None:
        @dataclass(frozen=True, slots=True)
        class Lazy:
            amount: "Decimal" = option(help="x")

        with pytest.raises(PluginError, match="'Decimal' is not defined") as caught:
            options_of(Lazy)

        assert "TYPE_CHECKING" in str(caught.value.hint)

    def test_a_secret_typed_as_text_is_refused(self) -> None:
        @dataclass(frozen=True, slots=True)
        class Open:
            token: str = option(help="x", secret=True)

        with pytest.raises(PluginError, match=r"secret option 'token'.*not typed as Secret"):
            options_of(Open)

    @pytest.mark.parametrize("name", ["profile", "auth", "config"])
    def test_a_name_that_means_something_else_is_refused(self, name: str) -> None:
        cls: Any = dataclass(type("Taken", (), {"__annotations__": {name: str}}))

        with pytest.raises(PluginError, match=f"'{name}'.*reserved"):
            options_of(cls)

    def test_a_reserved_alias_is_refused(self) -> None:
        @dataclass(frozen=True, slots=True)
        class Aliased:
            host: str = option(help="x", aliases=("profile",))

        with pytest.raises(PluginError, match=r"'profile'.*reserved"):
            options_of(Aliased)


class TestSecrets:
    def test_plain_text_given_to_the_constructor_becomes_a_secret(self) -> None:
        made = Everything(login_url="u", client_secret=CANARY)

        assert made.client_secret == Secret(CANARY)

    def test_the_object_stays_frozen_and_secret_options_leave_its_repr(self) -> None:
        made = Everything(login_url="u", client_secret=CANARY)

        assert CANARY not in repr(made)
        assert "client_secret" not in repr(made)
        with pytest.raises(FrozenInstanceError):
            made.login_url = "v"  # type: ignore[misc]  # what is tested

    def test_strategies_compare_by_their_secrets_too(self) -> None:
        assert Everything("u", "a") == Everything("u", Secret("a"))
        assert Everything("u", "a") != Everything("u", "b")

    def test_a_strategy_with_a_secret_cannot_be_pickled(self) -> None:
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(Everything("u", CANARY))

    def test_a_secret_of_another_type_is_left_as_it_is(self) -> None:
        @dataclass(frozen=True, slots=True)
        class Keyed:
            key: Secret | str | bytes | None = option(help="x", secret=True)

            def __post_init__(self) -> None:
                coerce_secrets(self)

        assert Keyed(b"raw").key == b"raw"
        assert Keyed(None).key is None
        assert build(Keyed, values(key=b"raw")).key == b"raw"

    def test_build_wraps_a_secret_also_where_the_class_does_not(self) -> None:
        @dataclass(frozen=True, slots=True)
        class Careless:
            token: str | Secret = option(help="x", secret=True)

        assert build(Careless, values(token=CANARY)).token == Secret(CANARY)


class TestBuild:
    def test_text_becomes_what_each_option_wants(self) -> None:
        made = everything(
            client_auth="basic",
            key_file="k.pem",
            retries="5",
            strict="no",
            skew_s="2",
            scopes="api, web",
            tags="x",
        )

        assert made == Everything(
            login_url="u",
            client_secret=Secret(CANARY),
            client_auth="basic",
            key_file=Path("k.pem"),
            retries=5,
            strict=False,
            skew_s=2.0,
            scopes=("api", "web"),
            tags=("x",),
        )

    def test_what_is_not_given_has_its_default(self) -> None:
        assert everything() == Everything(login_url="u", client_secret=CANARY)

    def test_none_is_taken_where_the_type_allows_it(self) -> None:
        assert everything(key_file=None).key_file is None

    def test_a_missing_option_names_the_ways_to_give_it(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            build(Everything, {}, name="everything")

        error = caught.value
        assert error.message == "'everything' lacks what it needs: login_url, client_secret."
        assert "(SFCONNECT_LOGIN_URL, SFCONNECT_CLIENT_SECRET; not empty)" in str(error.hint)

    def test_an_unknown_option_names_the_nearest(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            everything(client_auht="basic")

        assert str(caught.value) == (
            "'Everything' has no option 'client_auht'. Hint: Did you mean 'client_auth'?"
        )

    @pytest.mark.parametrize(
        ("name", "raw", "text"),
        [
            ("retries", "x", "Option retries (argument retries) must be one of 1, 3, 5, not 'x'."),
            ("retries", 4, "Option retries (argument retries) must be one of 1, 3, 5, not 4."),
            ("scopes", "api,x", "must be one of 'api', 'web', not 'api,x'."),
            ("strict", "si", "must be true or false, not 'si'."),
            ("strict", [CANARY], "must be true or false."),
            ("login_url", 12, "must be text, not 12. Hint: Example: https://acme."),
        ],
    )
    def test_a_value_that_does_not_fit_says_what_would(
        self, name: str, raw: object, text: str
    ) -> None:
        with pytest.raises(ConfigurationError) as caught:
            everything(**{name: raw})

        assert text in str(caught.value)
        assert CANARY not in whole_text(caught.value)

    def test_a_secret_that_does_not_fit_is_not_quoted(self) -> None:
        number = int("20260101")

        with pytest.raises(ConfigurationError) as caught:
            everything(client_secret=number)

        assert str(caught.value) == ("Option client_secret (argument client_secret) must be text.")
        assert "20260101" not in whole_text(caught.value)

    def test_a_check_of_the_strategys_own_loses_the_secret_that_it_quotes(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            build(Picky, values(password=CANARY), name="picky")

        assert caught.value.message == "The options of 'picky' do not fit together: … is no good"
        assert CANARY not in whole_text(caught.value)
        assert caught.value.__context__ is None

    def test_an_empty_secret_does_not_garble_such_an_error(self) -> None:
        with pytest.raises(ConfigurationError, match=r"together:  is no good$"):
            build(Picky, values(password=""))

    def test_an_error_of_the_strategys_own_kind_passes(self) -> None:
        @dataclass(frozen=True, slots=True)
        class Own:
            a: str = option(help="x")

            def __post_init__(self) -> None:
                raise ConfigurationError("a and b exclude each other")

        with pytest.raises(ConfigurationError, match=r"^a and b exclude each other$"):
            build(Own, values(a="1"))

    def test_a_list_with_none_in_it_is_not_taken_for_a_choice(self) -> None:
        with pytest.raises(ConfigurationError):
            coerce(SPECS["scopes"], Value([None], "argument scopes"))


class TestWithoutSecrets:
    @pytest.mark.parametrize(
        ("secrets", "text", "left"),
        [
            (["hunter2"], "hunter2 and xhunter2x", "… and x…x"),
            (["a"], "a bad password: a, (a) or 'a'", "… bad password: …, (…) or '…'"),
            (["ab", "c"], "abc tab ab-c", "abc tab …-…"),
            (["!"], "no! Why! ! a!b", "no! Why! … a!b"),
            (["a.c"], "a.c abc xa.c", "… abc xa.c"),
            (["hunter", "hunter22"], "hunter22, hunter", "…, …"),
            (["", "\\1x"], "\\1x stays legible", "… stays legible"),
            ([], "nothing", "nothing"),
        ],
    )
    def test_short_ones_are_taken_out_where_they_stand_alone(
        self, secrets: list[str], text: str, left: str
    ) -> None:
        assert without_secrets(text, secrets) == left

    @given(st.text(), st.text(min_size=4).filter(lambda secret: "…" not in secret), st.text())
    def test_no_longer_one_is_left_in_a_text(self, front: str, secret: str, back: str) -> None:
        assert secret not in without_secrets(front + secret + back, [secret])


def file_value(path: Path | str, base: Path | None = None) -> Value:
    return Value(path, "environment variable SFCONNECT_X_FILE", base, Form.FILE)


def command_value(command: str | Sequence[str], base: Path | None = None) -> Value:
    return Value(command, "environment variable SFCONNECT_X_COMMAND", base, Form.COMMAND)


def python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


class TestFilesForSecrets:
    @pytest.mark.parametrize(
        ("content", "secret"),
        [
            (b"s3cret", "s3cret"),
            (b"s3cret\n", "s3cret"),
            (b"s3cret\r\n", "s3cret"),
            (b"s3cret\n\n", "s3cret\n"),
            (b" s3cret \n", " s3cret "),
            ("schlüssel\n".encode(), "schlüssel"),
        ],
    )
    def test_one_trailing_newline_is_dropped_and_nothing_else(
        self, tmp_path: Path, content: bytes, secret: str
    ) -> None:
        (tmp_path / "s").write_bytes(content)

        assert read_secret("x", file_value(tmp_path / "s")) == secret

    def test_build_reads_it_into_a_secret(self, tmp_path: Path) -> None:
        (tmp_path / "s").write_text(CANARY)
        given = values(login_url="u") | {"client_secret": file_value("s", tmp_path)}

        assert build(Everything, given).client_secret == Secret(CANARY)

    def test_a_relative_path_begins_at_the_base(self, tmp_path: Path) -> None:
        (tmp_path / "s").write_text("in base")

        assert read_secret("x", file_value("s", tmp_path)) == "in base"

    def test_a_missing_file_is_named_with_the_reason(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError) as caught:
            read_secret("x", file_value(tmp_path / "gone"))

        assert str(caught.value) == (
            "Option x cannot be read from environment variable SFCONNECT_X_FILE: "
            f"{tmp_path / 'gone'} cannot be read: No such file or directory."
        )

    @pytest.mark.parametrize("content", [b"", b"\n", b"\r\n"])
    def test_an_empty_file_is_an_error(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "s").write_bytes(content)

        with pytest.raises(ConfigurationError, match="is empty"):
            read_secret("x", file_value(tmp_path / "s"))

    def test_bytes_that_are_no_text_are_an_error_that_quotes_none(self, tmp_path: Path) -> None:
        (tmp_path / "s").write_bytes(b"\xff" + CANARY.encode())

        with pytest.raises(ConfigurationError, match="not UTF-8") as caught:
            read_secret("x", file_value(tmp_path / "s"))

        assert caught.value.__context__ is None
        assert CANARY not in whole_text(caught.value)

    def test_a_path_has_to_be_text(self) -> None:
        with pytest.raises(ConfigurationError, match="it must be a path"):
            read_secret("x", Value(3, "profile", form=Form.FILE))


class TestCommandsForSecrets:
    def test_what_a_command_prints_is_the_secret(self) -> None:
        assert read_secret("x", command_value(python("print('s3cret')"))) == "s3cret"

    def test_an_array_of_words_needs_no_quoting(self) -> None:
        command = [sys.executable, "-c", "print('a  b')"]

        assert read_secret("x", command_value(command)) == "a  b"

    def test_no_shell_reads_the_command(self) -> None:
        command = python("import sys; print(sys.argv[1:])") + " $HOME '*' ; echo x"

        assert read_secret("x", command_value(command)) == "['$HOME', '*', ';', 'echo', 'x']"

    def test_it_runs_in_the_base_folder_and_has_no_input(self, tmp_path: Path) -> None:
        code = "import os, sys; print(os.getcwd() + sys.stdin.read())"

        assert read_secret("x", command_value(python(code), tmp_path)) == str(tmp_path)

    def test_a_failing_command_shows_its_code_and_none_of_its_output(self) -> None:
        code = f"import sys; print('{CANARY}'); print('{CANARY}', file=sys.stderr); sys.exit(3)"

        with pytest.raises(ConfigurationError) as caught:
            read_secret("x", command_value(python(code)))

        assert f"{sys.executable} ended with code 3; its output is not shown." in str(caught.value)
        assert CANARY not in whole_text(caught.value)

    def test_a_command_that_does_not_end_is_stopped(self) -> None:
        code = f"import time; print('{CANARY}', flush=True); time.sleep(60)"

        with pytest.raises(ConfigurationError, match=r"did not end within 0\.5 s") as caught:
            read_secret("x", command_value(python(code)), timeout_s=0.5)

        assert CANARY not in whole_text(caught.value)
        assert caught.value.__context__ is None

    def test_a_command_that_does_not_exist_is_named(self) -> None:
        with pytest.raises(ConfigurationError, match=r"no-such-program cannot be run: No such"):
            read_secret("x", command_value("no-such-program --token x"))

    def test_a_silent_command_is_an_error(self) -> None:
        with pytest.raises(ConfigurationError, match="is empty"):
            read_secret("x", command_value(python("")))

    @pytest.mark.parametrize("command", ["echo 'open", "", [], [1], 7], ids=repr)
    def test_what_is_no_command_line_is_refused(self, command: Any) -> None:
        with pytest.raises(ConfigurationError, match="it must be a command line"):
            read_secret("x", command_value(command))
