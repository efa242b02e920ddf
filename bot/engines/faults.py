"""What goes wrong with a server, in a sentence each.

They are for the operator: members never read which model, or whose server, it was.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.engines.dialect import is_too_long
from bot.errors import (
    EngineAstray,
    EngineError,
    EngineRefused,
    EngineUnavailable,
    EngineUnreachable,
    PromptTooLong,
)

_MAY_PASS = {408, 409, 429}
_ELSEWHERE = range(300, 400)
_NO_KEY, _WRONG_KEY, _NOT_FOUND, _SERVER_ERROR = 401, {401, 403}, 404, 500
_SECONDS = re.compile(r"\d{1,3}(\.\d+)?")


class Later(EngineUnreachable):
    """Worth another attempt, `after` so many seconds where the server said so."""

    def __init__(self, user_message: str, *, after: float | None = None) -> None:
        super().__init__(user_message)
        self.after = after


class LaterAstray(Later, EngineAstray):
    """The same, of a server that is there and says something that is no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The sentences for `model` at `base_url`; `key_name` says where its key is set."""

    model: str
    base_url: str
    key_name: str
    has_key: bool

    @property
    def _where(self) -> str:
        return f"The model API at {self.base_url}"

    def unreachable(self) -> Later:
        """There is no connection."""
        return Later(
            f"{self._where} cannot be reached. Check the address and the network, and whether the "
            "server runs."
        )

    def astray(self) -> Later:
        """It said something that is no answer."""
        return LaterAstray(f"{self._where} does not answer as it should. Look at its log.")

    def broken_off(self) -> EngineUnavailable:
        """The stream broke after text had come: another sample may come through."""
        return EngineUnavailable(
            f"{self._where} broke off in the middle of an answer. Look at its log."
        )

    def status(self, status: int, words: str, *, retry_after: str = "") -> EngineError:
        """It answered with an HTTP status and `words`, which are read and never repeated."""
        if status in _MAY_PASS or status >= _SERVER_ERROR:
            after = float(retry_after) if _SECONDS.fullmatch(retry_after) else None
            kind = LaterAstray if status == _SERVER_ERROR else Later
            return kind(
                f"{self._where} is busy or down (status {status}). Look at its log.", after=after
            )
        if status == _NO_KEY and not self.has_key:
            return EngineRefused(f"{self._where} wants a key. Put it into {self.key_name}.")
        if status in _WRONG_KEY:
            return EngineRefused(
                f"{self._where} does not accept the key for {self.model}. Check {self.key_name}."
            )
        if status in _ELSEWHERE:
            return EngineRefused(
                f"{self._where} sends to another address (status {status}), which is not followed. "
                "Write that address as base_url if it is right."
            )
        if status == _NOT_FOUND:
            return EngineRefused(
                f"{self._where} knows no model {self.model}, or not this way of asking. Check the "
                "model's name and the base URL; a base model needs a server with completions."
            )
        if is_too_long(words):
            return PromptTooLong(
                f"{self._where} cannot read that much at once. Send a shorter message, or give the "
                "server a longer context."
            )
        return EngineRefused(
            f"{self._where} refuses the request (status {status}). Check the model's name, and "
            "what the server's log says."
        )
