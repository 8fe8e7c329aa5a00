"""The list of declared variables, from which documentation and chart are checked."""

from pydantic import Field, SecretStr

from shared.settings import Settings, declared_variables
from shared.storage.settings import ObjectStoreSettings


class ExampleSettings(Settings):
    """Only declared here, never read."""

    example_token: SecretStr = Field(description="A secret that must be set.")
    example_limit: int = Field(5, description="A number.")


def test_every_variable_is_listed_once_with_type_default_and_description() -> None:
    found = {variable.name: variable for variable in declared_variables()}
    assert len(found) == len(declared_variables())
    assert (found["EXAMPLE_LIMIT"].type, found["EXAMPLE_LIMIT"].default) == ("int", "5")
    assert found["EXAMPLE_LIMIT"].description == "A number."
    assert not found["EXAMPLE_LIMIT"].required


def test_a_secret_is_listed_without_a_value() -> None:
    (token,) = [variable for variable in declared_variables() if variable.name == "EXAMPLE_TOKEN"]
    assert (token.secret, token.required, token.default) == (True, True, None)


def test_every_field_of_the_object_store_is_described() -> None:
    names = {name.upper() for name in ObjectStoreSettings.model_fields}
    listed = {variable.name: variable for variable in declared_variables() if variable.name in names}
    assert listed.keys() == names
    assert all(variable.description for variable in listed.values())
    assert listed["S3_BUCKET"].default == "docuelevate"
