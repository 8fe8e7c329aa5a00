"""Prints the part of requirements.lock that the project and some of its extras need, hashes included.

`locked_requirements.py s3 pdf` is for an image that holds no more than that; `--build-system` is for the build backend.
The lock says of each package which others asked for it (`# via …`), so nothing is resolved again.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_ENTRY = re.compile(r"^(?=\S)(?=[^#])", re.MULTILINE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ASKED_BY = re.compile(r"^    # (?:via)? *(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Locked:
    """An entry of the lock: its text, and the packages that asked for it."""

    name: str
    text: str
    asked_by: frozenset[str]


def read_lock(text: str) -> list[Locked]:
    """The entries, in the order of the lock. A package may have several, for different Pythons."""
    return [
        Locked(package_name(entry), entry, frozenset(map(package_name, _ASKED_BY.findall(entry))))
        for entry in _ENTRY.split(text)
        if _NAME.match(entry)
    ]


def package_name(requirement: str) -> str:
    """`Typing_Extensions>=4` → `typing-extensions`."""
    found = _NAME.match(requirement)
    assert found, f"not a requirement: {requirement!r}"
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def needed(lock: Iterable[Locked], roots: Iterable[str]) -> list[Locked]:
    """The entries of `roots` and of all that these ask for. Raises SystemExit where the lock lacks a root."""
    entries = list(lock)
    names = {package_name(root) for root in roots}
    if missing := names - {entry.name for entry in entries}:
        raise SystemExit(f"not in requirements.lock: {', '.join(sorted(missing))}; run `make lock`")
    while more := {entry.name for entry in entries if entry.asked_by & names} - names:
        names |= more
    return [entry for entry in entries if entry.name in names]


def roots_of(project: Mapping[str, list[str]], optional: Mapping[str, list[str]], extras: Iterable[str]) -> list[str]:
    """What the project and these extras name themselves. Raises SystemExit for an extra that does not exist."""
    if unknown := set(extras) - optional.keys():
        raise SystemExit(f"pyproject.toml has no extra {', '.join(sorted(unknown))}")
    return [*project["dependencies"], *(name for extra in extras for name in optional[extra])]


def main(arguments: list[str]) -> None:
    """Print the entries for the extras named."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = declared["project"]
    if arguments == ["--build-system"]:
        roots = declared["build-system"]["requires"]
    else:
        roots = roots_of(project, project["optional-dependencies"], arguments)
    print("".join(entry.text for entry in needed(read_lock((ROOT / "requirements.lock").read_text()), roots)), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
