"""What came of trying every outside call of something."""

from dataclasses import dataclass, field


@dataclass
class Report:
    """`points` are the calls at which something failed, `runs` the attempts, `lost` documents that are no more.

    `problems` are sentences on what was wrong afterwards; `calls` says how often what was called, undisturbed.
    """

    scenario: str
    points: int = 0
    runs: int = 0
    lost: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)
