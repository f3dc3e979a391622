"""Secrets on their way to a strategy: the forms they may come in, and what is warned of."""

from __future__ import annotations

import pytest

from sfconnect.auth import resolve
from sfconnect.config import ConfigurationWarning
from tests.unit.auth.situation import CANARY, CLIENT, FULL, PROFILE, Key, Situation


class TestSecretForms:
    def test_a_file_in_a_profile_begins_at_the_profiles_folder(self, here: Situation) -> None:
        (here.folder / "secrets").mkdir()
        (here.folder / "secrets/prod").write_text(CANARY + "\n")
        here.profile(
            'auth = "client-credentials"\nlogin_url = "https://x"\nclient_id = "id"\n'
            'client_secret_file = "secrets/prod"'
        )
        below = here.folder / "below"
        below.mkdir()

        made = resolve(profile="prod", environ={}, cwd=below, registry=here.registry)

        assert made.strategy == CLIENT

    def test_a_file_in_the_environment_begins_at_the_current_folder(self, here: Situation) -> None:
        (here.folder / "s").write_text(CANARY)
        here.variables(login_url="https://x", client_id="id", client_secret_file="s")

        made = here.resolve("client-credentials")

        assert made.strategy == CLIENT
        assert made.origins["client_secret"] == (
            "environment variable SFCONNECT_CLIENT_SECRET_FILE"
        )

    def test_a_command_may_stand_in_an_argument_a_variable_or_a_profile(
        self, here: Situation
    ) -> None:
        (here.folder / "s").write_text(CANARY)
        here.profile(f'client_secret_command = "cat {here.folder}/s"')
        rest = {"login_url": "https://x", "client_id": "id"}
        by_profile = here.resolve("client-credentials", "prod", **rest)
        here.variables(client_secret_command="cat s")
        by_variable = here.resolve("client-credentials", **rest)
        here.environ.clear()
        command = ["cat", "s"]
        by_argument = here.resolve("client-credentials", **rest, client_secret_command=command)

        assert [by_profile.strategy, by_variable.strategy, by_argument.strategy] == [CLIENT] * 3

    def test_the_forms_of_an_old_name_work_too(self, here: Situation) -> None:
        (here.folder / "s").write_text(CANARY)
        here.variables(app_secret_file="s", login_url="https://x", client_id="id")

        assert here.resolve("client-credentials").strategy == CLIENT

    @pytest.mark.parametrize(
        "second", ["client_secret_file", "client_secret_command", "app_secret_file"]
    )
    def test_two_forms_in_one_place_are_an_error(self, here: Situation, second: str) -> None:
        here.variables(**FULL, **{second: CANARY})

        error = here.refusal("client-credentials")

        assert error.message == (
            "Option client_secret is given twice: environment variable SFCONNECT_CLIENT_SECRET "
            f"and environment variable SFCONNECT_{second.upper()}."
        )

    def test_another_form_in_a_stronger_place_wins(self, here: Situation) -> None:
        here.profile(
            'auth = "client-credentials"\nlogin_url = "https://x"\nclient_id = "id"\n'
            'client_secret_file = "gone"'
        )
        here.variables(client_secret=CANARY)

        assert here.resolve(profile="prod").strategy == CLIENT

    def test_a_field_of_the_strategy_named_like_a_form_takes_the_path(
        self, here: Situation
    ) -> None:
        here.variables(private_key_file="key.pem")

        made = here.resolve("jwt-bearer")

        assert made.strategy == Key(private_key_file=here.folder / "key.pem")

    def test_such_a_field_still_yields_to_a_stronger_place(self, here: Situation) -> None:
        here.profile('auth = "jwt-bearer"\nprivate_key_file = "key.pem"')
        here.variables(private_key=CANARY)

        assert here.resolve(profile="prod").strategy == Key(private_key=CANARY)

    def test_such_a_field_and_the_secret_in_one_place_are_an_error(self, here: Situation) -> None:
        error = here.refusal("jwt-bearer", private_key=CANARY, private_key_file="k")

        assert "private_key is given twice" in error.message

    def test_such_a_strategy_still_takes_a_command(self, here: Situation) -> None:
        (here.folder / "s").write_text(CANARY)

        made = here.resolve("jwt-bearer", private_key_command="cat s")

        assert made.strategy == Key(private_key=CANARY)


class TestWarnings:
    @pytest.mark.parametrize("name", ["client_secret", "app_secret"])
    def test_a_secret_in_a_file_that_others_can_read(self, here: Situation, name: str) -> None:
        here.profile(PROFILE.replace("client_secret", name))
        here.file.chmod(0o644)

        with pytest.warns(ConfigurationWarning, match=r"'client_secret'.*other users"):
            here.resolve(profile="prod")

    def test_a_path_to_a_secret_in_such_a_file_is_no_reason_to_warn(self, here: Situation) -> None:
        (here.folder / "s").write_text(CANARY)
        here.profile(PROFILE.replace(f'client_secret = "{CANARY}"', 'client_secret_file = "s"'))
        here.file.chmod(0o644)

        assert here.resolve(profile="prod").strategy == CLIENT

    def test_a_slip_in_a_variables_name(self, here: Situation) -> None:
        here.variables(audeince="x")

        with pytest.warns(ConfigurationWarning) as caught:
            here.resolve("client-credentials", **FULL)

        assert [str(item.message) for item in caught] == [
            "The variable SFCONNECT_AUDEINCE is not known; did you mean SFCONNECT_AUDIENCE?"
        ]

    @pytest.mark.parametrize(
        "name",
        ["SFCONNECT_USERNAME", "SFCONNECT_SAMPLES", "SFCONNECT_CLIENT_IDENTITY", "OTHER_AUDEINCE"],
    )
    def test_variables_of_others_are_passed_over(self, here: Situation, name: str) -> None:
        here.environ[name] = "x"

        assert here.resolve("client-credentials", **FULL).strategy == CLIENT

    def test_a_similar_variable_beside_the_right_one_is_meant_for_others(
        self, here: Situation
    ) -> None:
        here.variables(**FULL, client_id2="x")

        assert here.resolve("client-credentials").strategy == CLIENT
