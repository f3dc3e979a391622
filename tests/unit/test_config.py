"""Profile files, values and settings. Nothing here reads the machine's own environment."""

from __future__ import annotations

import inspect
import os
import traceback
import warnings
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Protocol

import pytest

from sfconnect._types import UNSET, Secret
from sfconnect.config import (
    ConfigurationWarning,
    Form,
    Profile,
    Settings,
    Value,
    convert,
    did_you_mean,
    expected,
    load_profile,
    nearest,
    pick,
    profile_files,
    read_profiles,
    setting_names,
    user_config_file,
    warn_if_others_can_read,
)
from sfconnect.config.profiles import refuse_foreign, trusted_owners
from sfconnect.errors import ConfigurationError
from sfconnect.messages import Timeout
from sfconnect.retry import RetryPolicy
from sfconnect.transport import ConnectionPool

CANARY = "hunter2-canary"
NOTHING: Mapping[str, str] = {}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "src" / "project"
    folder.mkdir(parents=True)
    return folder


class TestConvert:
    class Colour(Enum):
        RED = "red"

    class Speaks(Protocol):
        def speak(self) -> str: ...

    @pytest.mark.parametrize(
        ("annotation", "raw", "result"),
        [
            (str, " as is ", " as is "),
            (str, "", ""),
            (int, " -12 ", -12),
            (int, 7, 7),
            (float, "2.5", 2.5),
            (float, "1e3", 1000.0),
            (float, 3, 3.0),
            (bool, "TRUE", True),
            (bool, "off", False),
            (bool, "1", True),
            (bool, False, False),
            (Path, "a/b", Path("a/b")),
            (Path, PurePosixPath("a/b"), Path("a/b")),
            (Secret, "s", Secret("s")),
            (Secret, Secret("s"), Secret("s")),
            (Literal["a", "b"], "b", "b"),
            (Literal[1, 2], "2", 2),
            (Literal[1, 2], 2, 2),
            (tuple[str, ...], "a, b,,c ", ("a", "b", "c")),
            (tuple[str, ...], ["a,b", "c"], ("a,b", "c")),
            (tuple[int, ...], "1,2", (1, 2)),
            (tuple[str, ...], "", ()),
            (int | None, None, None),
            (int | None, "None", None),
            (str | None, "none", "none"),
            (Secret | str, "s", Secret("s")),
            (int | str, "12", 12),
            (int | str, "x12", "x12"),
            (bytes | None, b"raw", b"raw"),
            (Any, b"raw", b"raw"),
            (object, "text", "text"),
            (Mapping[str, str], {"a": "b"}, {"a": "b"}),
            (Colour, Colour.RED, Colour.RED),
        ],
        ids=repr,
    )
    def test_a_value_that_fits_is_converted(
        self, annotation: object, raw: object, result: object
    ) -> None:
        converted = convert(annotation, raw)

        assert converted == result
        assert type(converted) is type(result)

    @pytest.mark.parametrize(
        ("annotation", "raw"),
        [
            (str, 12),
            (str, None),
            (int, "1.0"),
            (int, "1_000"),
            (int, ""),
            (int, True),
            (int, 1.0),
            (int, "9" * 5000),
            (float, "nan"),
            (float, "inf"),
            (float, True),
            (float, "x"),
            (float, [1.0]),
            (float, 10**400),
            (bool, "maybe"),
            (bool, 1),
            (Path, ""),
            (Path, 3),
            (Secret, 3),
            (Literal["a"], "A"),
            (Literal[1], True),
            (tuple[str, ...], 5),
            (tuple[int, ...], "1,x"),
            (tuple[str, str], "a,b"),
            (int | None, "x"),
            (int, None),
            (bytes, "text"),
            (Speaks, "text"),
            (Speaks, None),
            (Callable[[], str], "text"),
        ],
        ids=lambda value: repr(value)[:30],
    )
    def test_a_value_that_does_not_fit_is_unset(self, annotation: object, raw: object) -> None:
        assert convert(annotation, raw) is UNSET

    def test_an_object_for_a_protocol_passes_unchecked(self) -> None:
        thing = object()

        assert convert(self.Speaks, thing) is thing

    def test_a_relative_path_begins_at_the_base_and_an_absolute_one_does_not(self) -> None:
        assert convert(Path, "key.pem", Path("/etc/x")) == Path("/etc/x/key.pem")
        assert convert(Path, "/run/key.pem", Path("/etc/x")) == Path("/run/key.pem")

    def test_a_tilde_is_the_home_folder_also_below_a_base(self) -> None:
        assert convert(Path, "~/key.pem", Path("/etc/x")) == Path.home() / "key.pem"

    def test_a_choice_of_the_same_type_beats_one_that_is_written_alike(self) -> None:
        assert pick((1, "1"), "1") == "1"
        assert pick((1, "1"), 1) == 1
        assert pick((1, 2), "3") is UNSET

    @pytest.mark.parametrize(
        ("annotation", "words"),
        [
            (str, "text"),
            (Secret | str | None, "text"),
            (Path | None, "a path"),
            (Secret | Path, "text or a path"),
            (Secret | str | bytes | None, "text"),
            (Literal["a"] | bytes, "one of 'a'"),
            (bytes | None, "an object of type bytes, which only code can give"),
            (
                list[int] | bytes,
                "an object of type list, which only code can give or an object of "
                "type bytes, which only code can give",
            ),
            (int, "a whole number"),
            (float, "a number"),
            (bool, "true or false"),
            (tuple[str, ...], "a list of text"),
            (tuple[Path, ...], "a list of path"),
            (Literal["a", "b"], "one of 'a', 'b'"),
            (bytes, "an object of type bytes, which only code can give"),
            (Mapping[str, str], "an object of type Mapping, which only code can give"),
        ],
        ids=str,
    )
    def test_expected_says_it_in_words(self, annotation: object, words: str) -> None:
        assert expected(annotation) == words

    def test_the_repr_of_a_value_hides_it(self) -> None:
        value = Value(CANARY, "argument x", form=Form.FILE)

        assert CANARY not in repr(value)
        assert "argument x" in repr(value)


class TestSpelling:
    def test_the_nearest_word_is_named(self) -> None:
        assert nearest("cleint_id", ["client_id", "login_url"]) == "client_id"
        assert nearest("zzz", ["client_id"]) is None

    def test_without_a_near_word_all_are_listed(self) -> None:
        assert did_you_mean("zzz", ["b", "a"], kind="options") == "Known options: a, b."
        assert did_you_mean("zzz", [], kind="options") == "Known options: none."
        assert did_you_mean("clientid", ["client_id"], kind="x") == "Did you mean 'client_id'?"


class TestSettings:
    def test_values_are_converted_and_the_rest_has_its_default(self) -> None:
        settings = Settings.from_values(
            {
                "max_connections": Value("7", "environment variable SFCONNECT_MAX_CONNECTIONS"),
                "read_timeout_s": Value("none", "environment variable SFCONNECT_READ_TIMEOUT_S"),
                "ca_file": Value("ca.pem", "profile", Path("/etc/x")),
            }
        )

        assert settings == Settings(
            max_connections=7, read_timeout_s=None, ca_file=Path("/etc/x/ca.pem")
        )

    def test_a_value_of_the_wrong_kind_names_setting_origin_and_kind(self) -> None:
        value = Value("many", "environment variable SFCONNECT_MAX_CONNECTIONS")

        with pytest.raises(ConfigurationError) as caught:
            Settings.from_values({"max_connections": value})

        assert str(caught.value) == (
            "Setting max_connections (environment variable SFCONNECT_MAX_CONNECTIONS) "
            "must be a whole number."
        )

    @pytest.mark.parametrize(
        ("name", "raw"), [("max_connections", 0), ("read_timeout_s", -1), ("max_waiting", "-3")]
    )
    def test_a_number_below_the_minimum_is_refused(self, name: str, raw: object) -> None:
        with pytest.raises(ConfigurationError, match=f"{name} .* must be at least"):
            Settings.from_values({name: Value(raw, "argument")})

    @pytest.mark.parametrize("raw", ["nan", "inf", float("nan"), float("inf")])
    def test_a_number_that_is_not_finite_is_refused(self, raw: object) -> None:
        with pytest.raises(ConfigurationError, match=r"read_timeout_s \(argument\) must be"):
            Settings.from_values({"read_timeout_s": Value(raw, "argument")})

    def test_a_version_without_quotes_gets_a_hint(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            Settings.from_values({"api_version": Value(62.0, "profile 'prod'")})

        assert caught.value.hint == 'Put it in quotes: "62.0".'

    def test_quotes_are_not_suggested_where_they_would_not_help(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            Settings.from_values({"api_version": Value([1], "profile 'prod'")})

        assert caught.value.hint is None

    def test_every_setting_has_a_default_and_a_help_text(self) -> None:
        assert Settings.from_values({}) == Settings()
        assert set(setting_names()) == set(inspect.signature(Settings).parameters)
        assert all(f.metadata["help"] for f in Settings.__dataclass_fields__.values())

    def test_the_defaults_are_those_of_the_classes_that_they_configure(self) -> None:
        settings, timeout = Settings(), Timeout()
        pool = inspect.signature(ConnectionPool).parameters
        of_pool = ("max_connections", "max_waiting", "wait_s", "idle_s")

        assert (settings.connect_timeout_s, settings.read_timeout_s, settings.total_timeout_s) == (
            timeout.connect_s,
            timeout.read_s,
            timeout.total_s,
        )
        assert [getattr(settings, name) for name in of_pool] == [
            pool[name].default for name in of_pool
        ]
        assert settings.max_attempts == RetryPolicy().max_attempts


class TestProfileFiles:
    def test_the_project_file_is_found_from_a_folder_below_it(self, project: Path) -> None:
        path = write(project / "sfconnect.toml", "")
        below = project / "a" / "b"
        below.mkdir(parents=True)

        assert list(profile_files(environ=NOTHING, cwd=below)) == [path]

    def test_the_nearest_project_file_hides_those_above_it(self, project: Path) -> None:
        write(project.parent / "sfconnect.toml", "")
        path = write(project / "sfconnect.toml", "")

        assert list(profile_files(environ=NOTHING, cwd=project)) == [path]

    def test_the_users_file_comes_after_the_project_file(self, project: Path, home: Path) -> None:
        first = write(project / "sfconnect.toml", "")
        second = write(home / ".config/sfconnect/sfconnect.toml", "")

        assert list(profile_files(environ={"HOME": str(home)}, cwd=project)) == [first, second]

    def test_a_file_that_is_both_is_read_once(self, tmp_path: Path) -> None:
        path = write(tmp_path / "sfconnect/sfconnect.toml", "")
        environ = {"XDG_CONFIG_HOME": str(tmp_path)}

        assert list(profile_files(environ=environ, cwd=path.parent)) == [path]

    def test_the_variable_names_the_only_file(self, project: Path, home: Path) -> None:
        write(project / "sfconnect.toml", "")
        chosen = write(home / "other.toml", "")

        found = list(profile_files(environ={"SFCONNECT_CONFIG": str(chosen)}, cwd=project))

        assert found == [chosen]

    def test_a_relative_path_in_the_variable_begins_at_the_current_folder(
        self, project: Path
    ) -> None:
        chosen = write(project / "etc/other.toml", "")
        environ = {"SFCONNECT_CONFIG": "etc/other.toml"}

        assert list(profile_files(environ=environ, cwd=project)) == [chosen]

    def test_a_missing_file_in_the_variable_is_an_error(self, project: Path) -> None:
        environ = {"SFCONNECT_CONFIG": "nowhere.toml"}

        with pytest.raises(ConfigurationError, match=r"SFCONNECT_CONFIG names .*nowhere\.toml"):
            list(profile_files(environ=environ, cwd=project))

    @pytest.mark.parametrize(
        ("platform", "environ", "folder"),
        [
            ("linux", {"HOME": "/h"}, "/h/.config"),
            ("linux", {"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "/x"),
            ("darwin", {"HOME": "/h"}, "/h/.config"),
            ("win32", {"HOME": "/h", "APPDATA": "/app"}, "/app"),
        ],
    )
    def test_the_users_folder_follows_the_platform(
        self, platform: str, environ: Mapping[str, str], folder: str
    ) -> None:
        found = user_config_file(environ, platform=platform)

        assert found == Path(folder, "sfconnect", "sfconnect.toml")

    def test_without_a_home_there_is_no_users_file(self) -> None:
        assert user_config_file(NOTHING, platform="linux") is None
        assert user_config_file(NOTHING, platform="win32") is None

    def test_files_of_this_user_of_root_and_of_the_folders_owner_are_trusted(
        self, project: Path
    ) -> None:
        assert trusted_owners(project) == {0, os.geteuid(), project.stat().st_uid}

    def test_a_planted_file_of_another_user_is_refused(self, project: Path) -> None:
        path = write(project.parent / "sfconnect.toml", "")

        with pytest.raises(ConfigurationError) as caught:
            refuse_foreign(path, trusted=[path.stat().st_uid + 1])

        assert "belongs to another user" in caught.value.message
        assert f"SFCONNECT_CONFIG={path}" in str(caught.value.hint)


class TestReadProfiles:
    def test_profiles_come_by_name(self, project: Path) -> None:
        path = write(project / "x.toml", "[profiles.a]\nn = 1\n[profiles.b]\n")

        assert read_profiles(path) == {"a": {"n": 1}, "b": {}}

    def test_an_empty_file_has_no_profiles(self, project: Path) -> None:
        assert read_profiles(write(project / "x.toml", "")) == {}

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("[profile.a]\n", "unknown key 'profile'"),
            ("profiles = 3\n", "something else than tables"),
            ("[profiles]\na = 3\n", "something else than tables"),
        ],
        ids=["top-level key", "no table", "no table of tables"],
    )
    def test_anything_but_profiles_is_refused(self, project: Path, text: str, problem: str) -> None:
        path = write(project / "x.toml", text)

        with pytest.raises(ConfigurationError) as caught:
            read_profiles(path)

        assert problem in caught.value.message
        assert str(path) in caught.value.message
        assert caught.value.hint == "A profile is a table: [profiles.NAME]."

    def test_a_syntax_error_names_file_and_line_and_keeps_no_secret(self, project: Path) -> None:
        text = f'[profiles.a]\nclient_secret = "{CANARY}"\nclient_id = \n'
        path = write(project / "x.toml", text)

        with pytest.raises(ConfigurationError) as caught:
            read_profiles(path)

        assert f"{path} is not valid TOML" in caught.value.message
        assert "line 3" in caught.value.message
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        assert CANARY not in "".join(traceback.format_exception(caught.value))

    def test_bytes_that_are_not_utf_8_are_an_error_that_quotes_none(self, project: Path) -> None:
        path = project / "x.toml"
        path.write_bytes(b'a = "\xff' + CANARY.encode() + b'"')

        with pytest.raises(ConfigurationError, match="not UTF-8") as caught:
            read_profiles(path)

        assert caught.value.__context__ is None

    def test_a_file_that_cannot_be_read_says_why(self, project: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"cannot be read: Is a directory"):
            read_profiles(project)


class TestLoadProfile:
    def test_the_profile_knows_its_file_and_hides_its_values(self, project: Path) -> None:
        path = write(project / "sfconnect.toml", f'[profiles.prod]\npassword = "{CANARY}"\n')

        profile = load_profile("prod", environ=NOTHING, cwd=project)

        assert profile.values["password"] == CANARY
        assert profile.origin == f"profile 'prod' in {path}"
        assert CANARY not in repr(profile)

    def test_a_profile_that_the_project_lacks_is_taken_from_the_users_file(
        self, project: Path, home: Path
    ) -> None:
        write(project / "sfconnect.toml", "[profiles.prod]\n")
        own = write(home / ".config/sfconnect/sfconnect.toml", "[profiles.prod]\n[profiles.me]\n")
        environ = {"HOME": str(home)}

        assert load_profile("me", environ=environ, cwd=project).path == own
        assert load_profile("prod", environ=environ, cwd=project).path != own

    def test_an_unknown_profile_lists_those_that_exist(self, project: Path) -> None:
        path = write(project / "sfconnect.toml", "[profiles.prod]\n[profiles.dev]\n")

        with pytest.raises(ConfigurationError) as caught:
            load_profile("prd", environ=NOTHING, cwd=project)

        assert caught.value.message == f"There is no profile 'prd' in {path}."
        assert caught.value.hint == "Did you mean 'prod'? There are: dev, prod."

    def test_a_file_without_profiles_says_so(self, project: Path) -> None:
        write(project / "sfconnect.toml", "")

        with pytest.raises(ConfigurationError, match="There are: none"):
            load_profile("prod", environ=NOTHING, cwd=project)

    def test_without_any_file_the_error_says_where_one_belongs(self, project: Path) -> None:
        with pytest.raises(ConfigurationError) as caught:
            load_profile("prod", environ=NOTHING, cwd=project)

        assert caught.value.message == "There is no profile 'prod': no sfconnect.toml was found."
        assert "SFCONNECT_CONFIG" in str(caught.value.hint)


class TestOpenSecrets:
    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o604], ids=oct)
    def test_a_file_that_others_can_read_brings_a_warning(self, project: Path, mode: int) -> None:
        profile = Profile("prod", write(project / "sfconnect.toml", ""), {"password": CANARY})
        profile.path.chmod(mode)

        with pytest.warns(ConfigurationWarning, match=r"'password'.*chmod 600") as caught:
            warn_if_others_can_read(profile, "password")

        assert CANARY not in str(caught[0].message)

    def test_a_private_file_brings_none(self, project: Path) -> None:
        profile = Profile("prod", write(project / "sfconnect.toml", ""), {})
        profile.path.chmod(0o600)

        with warnings.catch_warnings(record=True) as caught:
            warn_if_others_can_read(profile, "password")

        assert not caught
