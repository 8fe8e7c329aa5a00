"""What is written about settings and events is what the code declares."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click

from local.cli import main
from shared.events import DATA_MODELS, TYPE_PREFIX
from shared.release import VERSION

ROOT = Path(__file__).parents[2]


def test_the_configuration_page_is_fresh() -> None:
    # In a process of its own: other tests declare settings for themselves.
    command = [sys.executable, "scripts/configuration.py"]
    page = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert (ROOT / "docs" / "configuration.md").read_text() == page, "run `make docs`"


def test_the_code_knows_the_release_that_it_is() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_every_event_type_is_described_and_none_is_invented() -> None:
    described = set(re.findall(r"`((?:object|document|pages)\.[a-z]+)`", (ROOT / "docs" / "events.md").read_text()))
    declared = {name.removeprefix(TYPE_PREFIX).removesuffix(".v1") for name in DATA_MODELS}
    assert described == declared


def test_links_between_pages_lead_somewhere() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_commands_that_operators_are_told_to_give_exist() -> None:
    text = "\n".join(path.read_text() for path in (ROOT / "docs/operations.md", ROOT / "docs/events.md"))
    lines = re.findall(r"^(docuelevate [^#\n]+)", text, re.MULTILINE) + re.findall(r"`(docuelevate [^`]+)`", text)
    assert len(lines) > 20
    for line in lines:
        command: click.Command = main
        for word in shlex.split(line)[1:]:
            if isinstance(command, click.Group) and word in command.commands:
                command = command.commands[word]
            elif word.startswith("-"):
                options = [option for parameter in command.params for option in parameter.opts]
                assert word.partition("=")[0] in options, line
        assert command is not main or line == "docuelevate serve", line
