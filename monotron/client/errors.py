"""What can go wrong for a client. Each message is one line for a person."""

from monotron.errors import MonotronError


class ClientError(MonotronError):
    """A call that brought no result."""


class WrongAddress(ClientError):
    """The address of the service or the credentials cannot be used."""


class Unreachable(ClientError):
    """The service did not answer within the time that the client has for a call."""


class OutcomeUnknown(ClientError):
    """It is not known whether the service has done what was asked, and no repeat can tell."""


class NotTrusted(ClientError):
    """The service has no certificate that this machine trusts."""


class NotMonotron(ClientError):
    """What answered is not Monotron."""


class Problem(ClientError):
    """The service refused the call, and nothing was done."""

    def __init__(self, status: int, detail: str, type_: str = "about:blank") -> None:
        super().__init__(detail)
        self.status = status
        """The status of HTTP."""
        self.detail = detail
        """What was wrong, for a person; the wording may change."""
        self.type = type_
        """What was wrong, for a program: a URN, or `about:blank` if the status says it all."""

    @property
    def says_more(self) -> bool:
        """Whether the type says more than the status, such as that the account is missing."""
        return self.type != "about:blank"


class Unauthorized(Problem):
    """401: missing or wrong credentials."""


class Forbidden(Problem):
    """403: the API key may not do this."""


class NotFound(Problem):
    """404: there is no such thing, or not yet."""


class Conflict(Problem):
    """409: the series cannot do this, for example because it has reached its last value."""


BY_STATUS: dict[int, type[Problem]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
}
"""The type of the problems with a status; those of any other are just a `Problem`."""
