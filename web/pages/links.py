"""The state of a list in its URL: the same page with a filter set, taken off, or turned over. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

Pairs = tuple[tuple[str, str], ...]
PLACE = frozenset({"cursor", "page"})
"""Parameters that say where in the list one stands; another filter begins at the top again."""


@dataclass(frozen=True)
class Address:
    """A path with its parameters, in order, empty ones left out."""

    path: str
    pairs: Pairs = ()

    @classmethod
    def of(cls, path: str, pairs: Sequence[tuple[str, str]]) -> "Address":
        """From a request's path and parameters."""
        return cls(path, tuple((name, value) for name, value in pairs if value))

    def get(self, name: str) -> str:
        """The first value of a parameter, empty if it is not set."""
        return next((value for key, value in self.pairs if key == name), "")

    def has(self, name: str, value: str) -> bool:
        """Whether the parameter has (also) this value."""
        return (name, value) in self.pairs

    def having(self, name: str, value: str | int | None) -> "Address":
        """With this one value for the parameter, None to leave it out; back to the first page."""
        kept = tuple(pair for pair in self.pairs if pair[0] != name and pair[0] not in PLACE)
        return Address(self.path, kept if value is None else (*kept, (name, str(value))))

    def at(self, name: str, value: str | int) -> "Address":
        """Another place in the same list."""
        kept = tuple(pair for pair in self.pairs if pair[0] not in PLACE)
        return Address(self.path, (*kept, (name, str(value))))

    def toggled(self, name: str, value: str, *, several: bool = False) -> "Address":
        """With this value if it is not set, without it if it is; `several` keeps the parameter's other values."""
        kept = tuple(pair for pair in self.pairs if pair[0] not in PLACE and pair != (name, value))
        if not several:
            kept = tuple(pair for pair in kept if pair[0] != name)
        return Address(self.path, kept if self.has(name, value) else (*kept, (name, value)))

    def only(self, *names: str) -> "Address":
        """With the named parameters alone."""
        return Address(self.path, tuple(pair for pair in self.pairs if pair[0] in names))

    def without(self, *names: str) -> "Address":
        """Without the named parameters and the place."""
        return Address(self.path, tuple(pair for pair in self.pairs if pair[0] not in {*names, *PLACE}))

    def __str__(self) -> str:
        return f"{self.path}?{urlencode(self.pairs)}" if self.pairs else self.path
