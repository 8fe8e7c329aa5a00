"""Reads the Dockerfile as far as the tests ask: stages, what they are built on, and what ends up in an image."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
_EXTRAS = re.compile(r"scripts/image-packages ([a-z0-9 ]+)")
_APT = re.compile(r"apt-get install ([^&]+)")


@dataclass
class Stage:
    """One `FROM … AS name`, with its instructions as (keyword, rest) pairs."""

    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def of(self, keyword: str) -> list[str]:
        """The instructions of one kind."""
        return [rest for kind, rest in self.instructions if kind == keyword]


class Dockerfile:
    """All stages, by name."""

    def __init__(self, path: Path = ROOT / "Dockerfile") -> None:
        self.text = path.read_text()
        self.stages: dict[str, Stage] = {}
        lines = [line for line in self.text.splitlines() if not line.lstrip().startswith("#")]
        joined = "\n".join(lines).replace("\\\n", " ")
        for line in filter(str.strip, joined.splitlines()):
            keyword, rest = line.strip().split(None, 1)
            if keyword == "FROM":
                base, _, name = rest.partition(" AS ")
                self.stages[name] = Stage(name, base)
            elif self.stages:
                self.stages[name].instructions.append((keyword, rest))

    def lineage(self, target: str) -> list[Stage]:
        """The target and what it is built on, nearest first."""
        stage = self.stages[target]
        return [stage, *(self.lineage(stage.base) if stage.base in self.stages else [])]

    def instructions(self, target: str, keyword: str) -> list[str]:
        """The instructions of one kind that make the image, in order."""
        return [each for stage in reversed(self.lineage(target)) for each in stage.of(keyword)]

    def extras(self, target: str) -> set[str]:
        """Extras whose packages are in the image."""
        sources = [
            shlex.split(copy)[0].removeprefix("--from=")
            for copy in self.instructions(target, "COPY")
            if shlex.split(copy)[1:] == ["/packages", "/opt/venv"]
        ]
        installs = "\n".join(rest for source in sources for rest in self.stages[source].of("RUN"))
        return {extra for found in _EXTRAS.findall(installs) for extra in found.split()}

    def code(self, target: str) -> list[Path]:
        """Files and directories of the project in the image."""
        copies = [shlex.split(copy) for copy in self.instructions(target, "COPY")]
        return [
            ROOT / source.removeprefix("/app/")
            for origin, *sources, _ in copies
            if origin == "--from=code"
            for source in sources
        ]

    def debian_packages(self, target: str) -> set[str]:
        """Debian packages that the image asks for."""
        arguments = dict(re.findall(r"ARG (\w+)=\"([^\"]*)\"", self.text))
        words = " ".join(part for run in self.instructions(target, "RUN") for part in _APT.findall(run))
        for name, value in arguments.items():
            words = words.replace(f"${{{name}}}", value)
        return {word for word in words.split() if not word.startswith("-")}

    def environment(self, target: str) -> dict[str, str]:
        """The variables that the image sets."""
        pairs = (each.partition("=") for rest in self.instructions(target, "ENV") for each in shlex.split(rest))
        return {name: value for name, _, value in pairs}
