"""Errors a caller can act on; anything else is a bug and stops the role.

TidegateError
├── NotFound      it is not there
├── Conflict      it is there, in a state that forbids this
├── Forbidden     this caller may not
├── Invalid       the request itself is wrong
└── Unavailable   right request, wrong moment
"""


class TidegateError(Exception):
    """One sentence for a person (`str(error)`) and one stable code for programs (`error.code`)."""

    code = "tidegate.error"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail)
        if code is not None:
            self.code = code


class NotFound(TidegateError):
    """What was asked for does not exist, or not for this caller."""

    code = "tidegate.not_found"


class Conflict(TidegateError):
    """The state it is in forbids what was asked."""

    code = "tidegate.conflict"


class Forbidden(TidegateError):
    """The caller may not do this."""

    code = "tidegate.forbidden"


class Invalid(TidegateError):
    """The request breaks a rule that the sentence names, with the fix."""

    code = "tidegate.invalid"


class Unavailable(TidegateError):
    """Something needed is down or busy; the same request may succeed later."""

    code = "tidegate.unavailable"
