"""Turns: replicas that write the same rows let each other go first, without a word between them.

Two replicas that commit as fast as they can make each other lose: each of their transactions but
one is in vain, and etcd has written it to three disks all the same. So the one that has lost tries
again at once, with the rows that its loss has brought, and the one that has won pauses for about as
long as a commit takes. Its next updates gather meanwhile, so nothing is lost by it.

Two that pause for as long as they commit take turns of themselves. With more of them a commit loses
more often, and who has lost twice pauses for twice as long. A replica that is alone never pauses.

64 clients wrote one row, half of them at each of two replicas on two cores, with all three members
on them too. With turns, both together gave 0.75 to 0.81 of what one replica gives, and a third of
the commits lost. Without, it was 0.62 to 0.67, and nine of ten lost. With pauses of two commits it
was 0.67 to 0.70.
"""

import time

LONGEST_SECONDS = 0.1

COMMITS = 16
"""For so many commits after a loss, the replica pauses after each. The next one finds out whether
there still is another: that may be a loss."""

SMOOTHING = 0.2

SLACK = 1.25
"""A pause is longer than a commit. If it were as long, the other one's commit would end after the
pause as often as before it."""


class Turns:
    """The writer's lock (see `batch.Lock`): it is free once the pause is over."""

    def __init__(self) -> None:
        self._seconds = 0.0
        """How long a commit takes, on average."""
        self._left = 0
        """After how many more commits it pauses."""
        self._free_at = 0.0
        """When the pause is over, by the monotonic clock."""

    @property
    def are_taken(self) -> bool:
        """Whether other replicas have written the same rows just now."""
        return self._left > 0

    def acquire(self, *, blocking: bool) -> bool:
        """See `batch.Lock`."""
        seconds = self._free_at - time.monotonic()
        if seconds > 0:
            if not blocking:
                return False
            time.sleep(seconds)
        return True

    def release(self) -> None:
        """See `batch.Lock`."""

    def note(self, seconds: float, losses: int) -> None:
        """Note that a commit was kept after so many losses, and how long each try took."""
        self._seconds += (seconds - self._seconds) * (SMOOTHING if self._seconds else 1)
        if losses:
            self._left = COMMITS
        elif self._left:
            self._left -= 1
        if self._left:
            pause = self._seconds * SLACK * max(1, losses)
            self._free_at = time.monotonic() + min(pause, LONGEST_SECONDS)
