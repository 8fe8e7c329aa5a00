"""What the Dockerfile puts into each image, without building one: enough for what its unit imports, and no more."""

import re
import subprocess
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from scripts.locked_requirements import needed, package_name, read_lock, roots_of
from tests.deploy.dockerfile import ROOT, Dockerfile
from tests.deploy.imported import Reached, reached

DOCKERFILE = Dockerfile()
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/main.py"))
TARGETS = [*FUNCTIONS, "convert-gotenberg", "migrate", "web"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OPTIONAL: dict[str, list[str]] = PROJECT["optional-dependencies"]
LOCK = read_lock((ROOT / "requirements.lock").read_text())

ONE_MACHINE_ONLY = {"tantivy"}
"""The embedded index has one writer and lives in a directory: a cluster cannot have it."""
SERVES_ALL = {"local.runner", "local.sweeping", "web.sweep.configured", "web.sweep.settings", "web.api.sweep"}
"""What `docuelevate serve` and `sweep --direct` need; the image with the command line offers neither."""
DEBIAN = {"uno": "python3-uno", "com": "python3-uno"}
BY_NAME = {"psycopg", "sqlalchemy"}
"""SQLAlchemy imports the driver that the address names."""


def unit_of(target: str) -> Reached:
    if target == "migrate":
        return reached(["local.cli", "shared.database.migrations.env", "alembic"], SERVES_ALL)
    if target == "web":
        return reached(["web.server", "web.sweep.__main__"])
    function = target.partition("-")[0]
    return reached([f"functions.{function}.main", "shared.function_server"])


def distributions_of(target: str) -> set[str]:
    return {entry.name for entry in needed(LOCK, roots_of(PROJECT, OPTIONAL, DOCKERFILE.extras(target)))}


@pytest.fixture(scope="module")
def distributions() -> dict[str, set[str]]:
    """Top-level package → the distributions that bring it."""
    return {name: set(map(package_name, found)) for name, found in packages_distributions().items()}


def test_every_function_has_an_image() -> None:
    assert set(TARGETS) <= DOCKERFILE.stages.keys()
    listed = re.search(r"targets=\(([a-z -]+)\)", (ROOT / "scripts/build-images").read_text())
    assert listed
    assert sorted(listed[1].split()) == sorted(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_has_the_packages_that_its_unit_imports(target: str, distributions: dict[str, set[str]]) -> None:
    there = distributions_of(target)
    for package in unit_of(target).foreign - ONE_MACHINE_ONLY - DEBIAN.keys():
        assert distributions[package] & there, f"{target} imports {package}"


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_has_no_package_that_its_unit_never_imports(target: str, distributions: dict[str, set[str]]) -> None:
    imported = {name for package in unit_of(target).foreign for name in distributions.get(package, ())} | BY_NAME
    asked_for = {package_name(each) for extra in DOCKERFILE.extras(target) for each in OPTIONAL[extra]}
    assert asked_for <= imported


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_has_the_code_that_its_unit_imports(target: str) -> None:
    code = DOCKERFILE.code(target)
    missing = [path for path in unit_of(target).files if not any(path.is_relative_to(place) for place in code)]
    # The top of `functions` is copied as a file, the migrations with `shared`.
    assert missing == []
    others = {place.name for place in code if place.parent.name == "functions"} - {"__init__.py"}
    assert others == ({target.partition("-")[0]} if target.partition("-")[0] in FUNCTIONS else set())


@pytest.mark.parametrize("target", FUNCTIONS)
def test_an_image_serves_its_function(target: str) -> None:
    environment = DOCKERFILE.environment(target)
    assert environment["FUNCTION_TARGET"] == target
    assert Path(environment["FUNCTION_SOURCE"]) == Path("/app/functions") / target / "main.py"
    assert DOCKERFILE.instructions(target, "EXPOSE")[-1] == "8080"
    assert DOCKERFILE.instructions(target, "CMD")[-1] == '["python", "-m", "shared.function_server"]'


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_runs_as_nobody_in_particular_and_builds_nothing(target: str) -> None:
    assert DOCKERFILE.stages[target].instructions[-1][0] in ("USER", "CMD")
    assert DOCKERFILE.instructions(target, "USER")[-1] == "10001:10001"
    assert "build" not in {stage.name for stage in DOCKERFILE.lineage(target)}
    for run in DOCKERFILE.instructions(target, "RUN"):
        assert "/opt/pip" not in run
        assert "apt-get install" not in run or "rm -rf /var/lib/apt/lists/*" in run
    secret = re.compile(r"SECRET|PASSWORD|TOKEN|KEY|CERT|PROXY|INDEX_URL|DATABASE_URL")
    assert not [name for name in DOCKERFILE.environment(target) if secret.search(name)]


def test_convert_and_ocr_have_the_debian_packages_of_one_machine() -> None:
    script = (ROOT / "scripts/install-system").read_text()
    listed = re.search(r"run_packages=\(([^)]*)\)", script)
    assert listed
    in_images = DOCKERFILE.debian_packages("convert") | DOCKERFILE.debian_packages("ocr")
    assert set(listed[1].split()) - {"python3-venv"} == in_images - {"ca-certificates", "python3", "tzdata"}
    assert set(DEBIAN.values()) <= DOCKERFILE.debian_packages("convert")
    assert not {each for each in DOCKERFILE.debian_packages("convert-gotenberg") if "libreoffice" in each}


def test_the_builder_gets_all_that_is_copied_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {line[1:] for line in lines if line.startswith("!")}
    copies = [each.split()[:-1] for stage in DOCKERFILE.stages.values() for each in stage.of("COPY")]
    copied = {source for sources in copies if not sources[0].startswith("--from") for source in sources}
    assert copied == sent - {"Dockerfile"}
    assert "*" in lines


A_LOCK = """\
a==1 \\
    --hash=sha256:1
    # via docuelevate (pyproject.toml)
b-c==2 ; sys_platform == 'linux' \\
    --hash=sha256:2
    # via
    #   a
    #   docuelevate (pyproject.toml)
d==3 \\
    --hash=sha256:3
    # via b-c
e==4 \\
    --hash=sha256:4
    # via f
f==5 \\
    --hash=sha256:5
    # via docuelevate (pyproject.toml)
"""


def test_a_part_of_the_lock_is_closed_and_keeps_its_hashes() -> None:
    lock = read_lock(A_LOCK)
    assert [entry.name for entry in needed(lock, ["A>=1"])] == ["a", "b-c", "d"]
    assert [entry.name for entry in needed(lock, ["B_c[x]>=2"])] == ["b-c", "d"]
    assert all("--hash=sha256:" in entry.text for entry in lock)
    with pytest.raises(SystemExit, match="make lock"):
        needed(lock, ["g"])


def test_all_extras_together_are_the_whole_lock() -> None:
    build = needed(LOCK, ["setuptools"])
    assert needed(LOCK, roots_of(PROJECT, OPTIONAL, OPTIONAL)) == LOCK
    assert {entry.name for entry in build} == {"setuptools"}


def test_an_extra_that_does_not_exist_is_refused() -> None:
    command = ["python3", str(ROOT / "scripts/locked_requirements.py"), "s3", "nothing"]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode != 0
    assert "no extra nothing" in refused.stderr
