"""What `__all__` promises is what there is, no less and no more."""

from __future__ import annotations

import importlib
import pkgutil
import types

import pytest

import sfconnect

PACKAGES = ["sfconnect"] + [
    module.name
    for module in pkgutil.walk_packages(sfconnect.__path__, "sfconnect.")
    if module.ispkg and not module.name.rpartition(".")[2].startswith("_")
]

#: Packages that users and plugin authors import from.
MEANT_FOR_OTHERS = ["sfconnect", "sfconnect.auth", "sfconnect.soql", "sfconnect.testing"]


@pytest.fixture(params=PACKAGES)
def package(request: pytest.FixtureRequest) -> types.ModuleType:
    """Each package of the distribution."""
    return importlib.import_module(request.param)


def exported(package: types.ModuleType) -> list[str]:
    """What a package says that it exports; a package may export nothing."""
    return list(getattr(package, "__all__", ()))


def is_of(package: types.ModuleType, value: object) -> bool:
    """Tell whether a class or function was defined in this package."""
    home = getattr(value, "__module__", None) or ""
    return f"{home}.".startswith(f"{package.__name__}.")


def test_all_names_are_importable(package: types.ModuleType) -> None:
    assert [name for name in exported(package) if not hasattr(package, name)] == []


def test_no_name_is_exported_twice(package: types.ModuleType) -> None:
    names = exported(package)

    assert len(names) == len(set(names))


def test_nothing_public_of_ours_is_left_out_of_all(package: types.ModuleType) -> None:
    public = {name for name in vars(package) if not name.startswith("_")}
    defined_below = {name for name in public if is_of(package, getattr(package, name))}

    assert defined_below <= set(exported(package))


@pytest.mark.parametrize("name", MEANT_FOR_OTHERS)
def test_packages_meant_for_others_say_what_they_export(name: str) -> None:
    assert exported(importlib.import_module(name))


def test_dir_shows_names_that_are_loaded_on_demand() -> None:
    assert set(sfconnect.__all__) <= set(dir(sfconnect))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = sfconnect.no_such_name


def test_top_level_stays_small_enough_to_learn() -> None:
    assert len(sfconnect.__all__) <= 35


def test_the_names_of_the_usage_are_at_the_top_level() -> None:
    usage = {
        "AccessToken",
        "ClientCredentials",
        "Connector",
        "JwtBearer",
        "RefreshToken",
        "Salesforce",
    }

    assert usage <= set(sfconnect.__all__)
