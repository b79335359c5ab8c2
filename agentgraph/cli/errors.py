"""What a command tells in one line before it ends."""

from __future__ import annotations

__all__ = ["FailedError", "RefusedError", "ToldError"]


class ToldError(Exception):
    """Ends a command: `message` goes to stderr, as one line."""

    exit_code: int

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class RefusedError(ToldError):
    """What was asked cannot be done: something named in the arguments is not there, or does not fit."""

    exit_code = 2


class FailedError(ToldError):
    """It was tried, and did not work."""

    exit_code = 1
