from pathlib import Path

from local.manifests import Service, Variable
from local.processes.environment import function_environment

CONFIGURATION = {
    "DATA_DIR": "/data",
    "PATH": "/bin",
    "LC_ALL": "C.UTF-8",
    "HTTPS_PROXY": "http://proxy",
    "DATABASE_URL": "postgresql://secret",
    "OPENAI_API_KEY": "secret",
    "OCR_LANGUAGES": "eng",
}


def environment(*variables: Variable) -> dict[str, str]:
    return function_environment(Service("ocr", 1, 60, None, variables), Path("/app"), CONFIGURATION)


def test_function_gets_what_its_manifest_names() -> None:
    given = environment(Variable("OCR_LANGUAGES", key="OCR_LANGUAGES"), Variable("FIXED", value="1"))
    assert given["OCR_LANGUAGES"] == "eng"
    assert given["FIXED"] == "1"


def test_function_gets_nothing_else_that_is_secret() -> None:
    assert "secret" not in " ".join(environment().values())


def test_function_gets_what_any_program_needs() -> None:
    given = environment()
    assert given["PATH"] == "/bin"
    assert given["LC_ALL"] == "C.UTF-8"
    assert given["HTTPS_PROXY"] == "http://proxy"


def test_variable_that_is_not_set_is_left_out() -> None:
    assert "AZURE_AI_KEY" not in environment(Variable("AZURE_AI_KEY", key="AZURE_AI_KEY"))


def test_function_is_found_by_its_source() -> None:
    given = environment()
    assert given["FUNCTION_SOURCE"] == "/app/functions/ocr/main.py"
    assert given["FUNCTION_TARGET"] == "ocr"
    assert given["DATA_DIR"] == "/data"
