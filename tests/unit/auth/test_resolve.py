"""From arguments, environment and profiles to a strategy. No test reads the real environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfconnect.auth import AuthStrategy, Registry, resolve
from sfconnect.config import Settings
from sfconnect.errors import ConfigurationError, PluginError
from tests.unit.auth.situation import (
    CANARY,
    CLIENT,
    FULL,
    PROFILE,
    Client,
    Common,
    Generic,
    Situation,
)


class TestForms:
    def test_an_object_is_used_as_it_is(self, here: Situation) -> None:
        made = here.resolve(CLIENT)

        assert made.strategy is CLIENT
        assert (made.name, made.origin) == ("Client", "argument auth")
        assert made.settings == Settings()

    def test_a_name_takes_its_options_from_arguments(self, here: Situation) -> None:
        made = here.resolve("client-credentials", **FULL)

        assert made.strategy == CLIENT
        assert (made.name, made.origin) == ("client-credentials", "argument auth")

    def test_a_name_takes_its_options_from_the_environment(self, here: Situation) -> None:
        here.variables(**FULL)

        assert here.resolve("client-credentials").strategy == CLIENT

    def test_a_qualified_name_works_too(self, here: Situation) -> None:
        assert here.resolve("application:client-credentials", **FULL).strategy == CLIENT

    def test_a_profile_names_strategy_and_options(self, here: Situation) -> None:
        here.profile(PROFILE)

        made = here.resolve(profile="prod")

        assert made.strategy == CLIENT
        assert made.name == "client-credentials"
        assert made.origin == f"profile 'prod' in {here.file}"

    def test_the_variable_names_a_profile_where_no_argument_does(self, here: Situation) -> None:
        here.profile(PROFILE)
        here.variables(profile="prod")

        assert here.resolve().strategy == CLIENT

    def test_the_variable_names_a_strategy_where_nothing_else_does(self, here: Situation) -> None:
        here.variables(auth="client-credentials", **FULL)

        made = here.resolve()

        assert made.strategy == CLIENT
        assert made.origin == "environment variable SFCONNECT_AUTH"

    def test_the_profile_variable_wins_over_the_strategy_variable(self, here: Situation) -> None:
        here.profile(PROFILE)
        here.variables(profile="prod", auth="jwt-bearer")

        assert here.resolve().name == "client-credentials"

    def test_a_profile_without_strategy_leaves_it_to_the_variable(self, here: Situation) -> None:
        here.profile("max_connections = 7")
        here.variables(auth="client-credentials", **FULL)

        made = here.resolve(profile="prod")

        assert (made.name, made.settings.max_connections) == ("client-credentials", 7)

    def test_a_name_and_a_profile_for_it_go_together(self, here: Situation) -> None:
        here.profile(PROFILE)

        assert here.resolve("client-credentials", "prod").strategy == CLIENT
        assert here.resolve("application:client-credentials", "prod").strategy == CLIENT

    def test_a_name_and_a_profile_without_strategy_go_together(self, here: Situation) -> None:
        here.profile('login_url = "https://x"\nclient_id = "id"')

        assert here.resolve("client-credentials", "prod", client_secret=CANARY).strategy == CLIENT

    def test_a_name_in_the_code_is_not_mixed_with_the_variables_profile(
        self, here: Situation
    ) -> None:
        here.profile('auth = "client-credentials"\nclient_id = "other"')
        here.variables(profile="prod")

        assert here.resolve("client-credentials", **FULL).strategy == CLIENT

    def test_an_object_takes_settings_and_not_options_from_a_profile(self, here: Situation) -> None:
        here.profile('auth = "jwt-bearer"\nprivate_key_file = "k"\nmax_connections = 7')

        made = here.resolve(CLIENT, "prod")

        assert made.strategy is CLIENT
        assert made.settings == Settings(max_connections=7)

    def test_a_value_for_an_option_that_is_a_setting_goes_to_both(self, here: Situation) -> None:
        made = here.resolve("generic", base_url="https://api.example.com")

        assert made.strategy == Generic("https://api.example.com")
        assert made.settings.base_url == "https://api.example.com"


class TestRefusals:
    def test_nothing_at_all_names_the_three_ways(self, here: Situation) -> None:
        error = here.refusal()

        assert error.message == "Nothing says how to log in."
        hint = str(error.hint)
        assert "Pass a strategy or the name of one" in hint
        assert "SFCONNECT_PROFILE" in hint
        assert "SFCONNECT_AUTH" in hint
        assert "client-credentials, generic, jwt-bearer" in hint

    def test_leftover_variables_never_choose_a_flow(self, here: Situation) -> None:
        here.variables(**FULL, password=CANARY, private_key=CANARY)

        assert here.refusal().message == "Nothing says how to log in."

    def test_an_empty_variable_names_nothing(self, here: Situation) -> None:
        here.variables(auth="", profile="")

        assert here.refusal().message == "Nothing says how to log in."

    def test_with_no_plugins_the_list_says_so(self, tmp_path: Path) -> None:
        empty: Registry[AuthStrategy] = Registry("g", (), discover=lambda _group: ())

        with pytest.raises(ConfigurationError, match="Strategies: none are installed"):
            resolve(environ={}, cwd=tmp_path, registry=empty)

    def test_an_unknown_strategy_names_the_nearest(self, here: Situation) -> None:
        error = here.refusal("jwt-baerer")

        assert isinstance(error, PluginError)
        assert error.hint == "Did you mean 'jwt-bearer'?"

    def test_an_unknown_profile_lists_those_there_are(self, here: Situation) -> None:
        here.profile(PROFILE)

        assert "There are: prod." in str(here.refusal(profile="prd"))

    def test_a_profile_without_strategy_says_what_to_add(self, here: Situation) -> None:
        here.profile('client_id = "id"')

        error = here.refusal(profile="prod")

        assert error.message == f"The profile 'prod' in {here.file} names no strategy."
        assert 'auth = "client-credentials"' in str(error.hint)

    @pytest.mark.parametrize("value", ["3", '""', '["jwt-bearer"]'])
    def test_a_strategy_that_is_no_name_is_refused(self, here: Situation, value: str) -> None:
        here.profile(f"auth = {value}")

        assert "not the name of a strategy" in here.refusal(profile="prod").message

    def test_a_profile_of_another_strategy_is_not_mixed_in(self, here: Situation) -> None:
        here.profile(PROFILE)

        error = here.refusal("jwt-bearer", "prod")

        assert "is for 'client-credentials', and 'jwt-bearer' was asked for" in error.message
        assert error.hint == "Name the profile or the strategy, not both."

    def test_a_class_instead_of_an_object_is_explained(self, here: Situation) -> None:
        error = here.refusal(Client)

        assert str(error) == (
            "Client is a class, and a strategy is an object of one. "
            "Hint: Write Client(…) with its options."
        )

    @pytest.mark.parametrize("thing", [3, object(), {"client_id": CANARY}], ids=["3", "o", "dict"])
    def test_an_object_that_cannot_log_in_is_refused(self, here: Situation, thing: object) -> None:
        assert "is no strategy" in here.refusal(thing).message

    def test_a_missing_option_names_its_variable(self, here: Situation) -> None:
        here.variables(login_url="https://x", client_id="id", client_secret="")

        error = here.refusal("client-credentials")

        assert error.message == "'client-credentials' lacks what it needs: client_secret."
        assert "(SFCONNECT_CLIENT_SECRET; not empty)" in str(error.hint)

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("cleint_id", "Did you mean 'client_id'?"),
            ("client_secret_fil", "Did you mean 'client_secret_file'?"),
            ("max_conections", "Did you mean 'max_connections'?"),
            ("zzz", "Known options: api_version, app_secret, "),
        ],
    )
    def test_an_unknown_argument_names_the_nearest(
        self, here: Situation, name: str, hint: str
    ) -> None:
        error = here.refusal("client-credentials", **FULL, **{name: CANARY})

        assert error.message == f"'client-credentials' has no option {name!r} (argument)."
        assert str(error.hint).startswith(hint)

    def test_an_unknown_key_in_a_profile_names_the_nearest_and_the_file(
        self, here: Situation
    ) -> None:
        here.profile(PROFILE + f'client_secert = "{CANARY}"')

        error = here.refusal(profile="prod")

        assert f"(profile 'prod' in {here.file})" in error.message
        assert error.hint == "Did you mean 'client_secret'?"

    def test_the_key_for_the_strategy_is_suggested_too(self, here: Situation) -> None:
        here.profile('auht = "client-credentials"')
        here.variables(auth="client-credentials")

        assert here.refusal(profile="prod").hint == "Did you mean 'auth'?"

    def test_options_beside_an_object_are_refused(self, here: Situation) -> None:
        error = here.refusal(CLIENT, client_id="other")

        assert error.message == "'Client' has no option 'client_id' (argument)."

    def test_a_bad_value_says_where_it_came_from(self, here: Situation) -> None:
        here.profile(PROFILE + 'client_auth = "bdoy"')

        assert str(here.refusal(profile="prod")) == (
            f"Option client_auth (client_auth of profile 'prod' in {here.file}) "
            "must be one of 'body', 'basic', not 'bdoy'."
        )

    def test_a_bad_value_of_a_variable_says_what_goes_before_it(self, here: Situation) -> None:
        here.variables(client_auth="tls_client_auth")

        assert str(here.refusal("client-credentials", **FULL)) == (
            "Option client_auth (environment variable SFCONNECT_CLIENT_AUTH) "
            "must be one of 'body', 'basic', not 'tls_client_auth'. "
            "Hint: If that is meant for another login, say client_auth as an argument, which goes "
            "before the variable, or unset that."
        )
        made = here.resolve("client-credentials", **FULL, client_auth="basic").strategy
        assert isinstance(made, Client)
        assert made.client_auth == "basic"

    def test_a_bad_setting_says_where_it_came_from(self, here: Situation) -> None:
        here.variables(max_connections="many")

        assert "environment variable SFCONNECT_MAX_CONNECTIONS" in here.refusal(CLIENT).message


class TestPrecedence:
    def test_argument_beats_environment_beats_profile_beats_default(self, here: Situation) -> None:
        here.profile(PROFILE + 'audience = "p"\nmax_connections = 1\nmax_waiting = 1')
        here.variables(audience="e", max_connections="2", client_id="of environment")

        made = here.resolve(profile="prod", audience="a")

        assert made.strategy == Client("https://x", "of environment", CANARY, audience="a")
        assert made.settings == Settings(max_connections=2, max_waiting=1)

    def test_none_as_an_argument_beats_the_environment(self, here: Situation) -> None:
        here.variables(audience="e")

        made = here.resolve("client-credentials", **FULL, audience=None)

        assert made.strategy == CLIENT

    def test_the_own_variable_beats_an_old_name_and_that_one_of_other_programs(
        self, here: Situation
    ) -> None:
        audiences = []
        here.environ["AUDIENCE"] = "common"
        audiences.append(here.resolve("client-credentials", **FULL))
        here.variables(aud="old")
        audiences.append(here.resolve("client-credentials", **FULL))
        here.variables(audience="own")
        audiences.append(here.resolve("client-credentials", **FULL))

        assert [getattr(made.strategy, "audience", "") for made in audiences] == [
            "common",
            "old",
            "own",
        ]

    @pytest.mark.parametrize("suffix", ["", "_file", "_command"])
    @pytest.mark.parametrize("place", ["argument", "variable", "profile"])
    def test_a_variable_of_other_programs_is_the_last_place_for_any_form(
        self, here: Situation, place: str, suffix: str
    ) -> None:
        here.environ["TOOL_TOKEN"] = "of another program"
        (here.folder / "s").write_text(CANARY)
        value = {"": CANARY, "_file": "s", "_command": "cat s"}[suffix]
        key = "token" + suffix
        if place == "variable":
            here.variables(**{key: value})
        if place == "profile":
            here.profile(f'auth = "tool"\n{key} = "{value}"')
        profile = "prod" if place == "profile" else None
        options = {key: value} if place == "argument" else {}

        made = here.resolve(None if profile else "tool", profile, **options)

        assert made.strategy == Common(CANARY)

    def test_a_variable_of_other_programs_counts_where_nothing_else_does(
        self, here: Situation
    ) -> None:
        here.environ["TOOL_TOKEN"] = CANARY
        here.profile('auth = "tool"')

        assert here.resolve(profile="prod").strategy == Common(CANARY)

    def test_two_forms_of_our_own_are_an_error_beside_it(self, here: Situation) -> None:
        here.environ["TOOL_TOKEN"] = CANARY
        here.variables(token="a", token_file="s")

        error = here.refusal("tool")

        assert error.message == (
            "Option token is given twice: environment variable SFCONNECT_TOKEN "
            "and environment variable SFCONNECT_TOKEN_FILE."
        )

    def test_old_names_work_in_arguments_and_profiles(self, here: Situation) -> None:
        here.profile('auth = "client-credentials"\naud = "p"\nclient_id = "id"')

        made = here.resolve(profile="prod", login_url="https://x", app_secret=CANARY)

        assert made.strategy == Client("https://x", "id", CANARY, audience="p")

    def test_old_and_new_name_together_are_an_error(self, here: Situation) -> None:
        error = here.refusal("client-credentials", **FULL, app_secret=CANARY)

        assert error.message == (
            "Option client_secret is given twice: argument client_secret and argument app_secret."
        )

    def test_the_origin_of_every_value_is_told(self, here: Situation) -> None:
        here.profile('auth = "client-credentials"\nlogin_url = "https://x"')
        here.variables(client_id="id", max_connections="3")

        made = here.resolve(profile="prod", client_secret=CANARY)

        assert made.origins == {
            "login_url": f"login_url of profile 'prod' in {here.file}",
            "client_id": "environment variable SFCONNECT_CLIENT_ID",
            "client_secret": "argument client_secret",
            "max_connections": "environment variable SFCONNECT_MAX_CONNECTIONS",
        }
        assert CANARY not in repr(made)


def test_the_current_folder_is_searched_where_none_is_given(
    here: Situation, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.profile(PROFILE)
    monkeypatch.chdir(here.folder)

    made = resolve(profile="prod", environ={}, registry=here.registry)

    assert made.strategy == CLIENT


def test_the_installed_plugins_are_asked_where_no_registry_is_given(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="Did you mean 'jwt-bearer'"):
        resolve("jwt-baerer", environ={}, cwd=tmp_path)
