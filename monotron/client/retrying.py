"""Trying a call again until it is answered, for a bounded time."""

import random
import time
from collections.abc import Callable

from monotron import digits
from monotron.client.connections import Answer, NoAnswer, NoConnection
from monotron.client.errors import OutcomeUnknown, Unreachable

AGAIN = (429, 502, 503, 504)
"""The answers of a service, or of a proxy before it, that cannot answer just now."""

OUTCOME_UNKNOWN = b"urn:monotron:problem:outcome-unknown"
"""The type of the problem after which something may have been done."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 16.0
"""Seconds between two tries: each pause is twice the one before, less a random part of it."""

OnRetry = Callable[[str, float], None]
"""Hears why a try failed, and how many seconds the next one waits."""


def until_answered(
    ask: Callable[[], Answer],
    *,
    patience: float,
    repeatable: bool,
    on_retry: OnRetry,
) -> Answer:
    """Return the answer of `ask`, which is tried again for at most `patience` seconds.

    A call that is not `repeatable` is tried again only if it is certain that nothing was done. The
    last answer is returned even if it is one of `AGAIN`. Raises `Unreachable` and `OutcomeUnknown`.
    """
    end = time.monotonic() + patience
    pause = FIRST_PAUSE
    while True:
        answer, least = None, 0.0
        try:
            answer = ask()
        except NoConnection as error:
            reason = str(error)
        except NoAnswer as error:
            if not repeatable:
                raise OutcomeUnknown(f"{error}; it may have been done") from error
            reason = str(error)
        else:
            if answer.status not in AGAIN or not (repeatable or _is_refusal(answer)):
                return answer
            reason, least = f"status {answer.status}", _seconds(answer.retry_after)
        # What clients that failed together try again must not come together again.
        wait = max(least, pause * random.uniform(0.5, 1))  # noqa: S311
        if time.monotonic() + wait >= end:
            if answer is not None:
                return answer
            raise Unreachable(f"{reason}; tried for {patience:g} s")
        on_retry(reason, wait)
        time.sleep(wait)
        pause = min(pause * 2, LONGEST_PAUSE)


def _is_refusal(answer: Answer) -> bool:
    """Return whether the service did nothing, as only the service itself can know."""
    return answer.status in (429, 503) and OUTCOME_UNKNOWN not in answer.body


def _seconds(retry_after: str) -> float:
    """Return the seconds of a Retry-After; 0 if it is missing or is a date."""
    return float(digits.whole_number(retry_after.strip()) or 0)
