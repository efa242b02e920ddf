"""Discord's error answers: status, code, sentence, and the nested `errors` of a bad form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Flaw:
    """One thing wrong with a request body: where, which rule, and in words.

    What a correct client can run into as well (a race) is not avoidable.
    """

    path: str
    code: str
    message: str
    avoidable: bool = True

    def __str__(self) -> str:
        return f"{self.path or '(body)'}: {self.code}: {self.message}"


class ApiError(Exception):
    """An error answer of the REST side."""

    def __init__(
        self, status: int, code: int, message: str, *, flaws: list[Flaw] | None = None
    ) -> None:
        super().__init__(f"{status} ({code}): {message}")
        self.status = status
        self.code = code
        self.message = message
        self.flaws = flaws or []

    def body(self) -> dict[str, Any]:
        """Return the JSON that discord.py parses into an HTTPException."""
        answer: dict[str, Any] = {"message": self.message, "code": self.code}
        if self.flaws:
            answer["errors"] = _nest(self.flaws)
        return answer


def _nest(flaws: list[Flaw]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for flaw in flaws:
        node = root
        for step in filter(None, flaw.path.split(".")):
            node = node.setdefault(step, {})
        node.setdefault("_errors", []).append({"code": flaw.code, "message": flaw.message})
    return root


def bad_form(flaws: list[Flaw]) -> ApiError:
    """400/50035: the body breaks a documented rule."""
    return ApiError(400, 50035, "Invalid Form Body", flaws=flaws)


def empty_message() -> ApiError:
    """400/50006: a message without anything to show."""
    flaw = Flaw("", "EMPTY_MESSAGE", "nothing to show")
    return ApiError(400, 50006, "Cannot send an empty message", flaws=[flaw])


def unknown(what: str) -> ApiError:
    """Answer 404 with the code that Discord has for that kind of thing."""
    codes = {
        "Channel": 10003,
        "Guild": 10004,
        "Member": 10007,
        "Message": 10008,
        "User": 10013,
        "Webhook": 10015,
        "Interaction": 10062,
        "Application": 10002,
    }
    return ApiError(404, codes[what], f"Unknown {what.lower()}")


def missing_access() -> ApiError:
    """403/50001: the bot cannot see the channel."""
    return ApiError(403, 50001, "Missing Access")


def missing_permissions() -> ApiError:
    """403/50013: the bot sees the channel but may not do this."""
    return ApiError(403, 50013, "Missing Permissions")
