"""REST: the application itself, its commands, and where the gateway is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import unknown
from .protocol import Intent
from .render import application_json, user_json
from .routing import Answer, Call, Route
from .validate_forms import CHAT_INPUT, check_commands

if TYPE_CHECKING:
    from .gateway import Gateway
    from .world import World

Json = dict[str, Any]


class Applications:
    """Handlers of login, command sync and /gateway."""

    def __init__(self, world: World, gateway: Gateway) -> None:
        self.world = world
        self.gateway = gateway

    def routes(self) -> list[Route]:
        """Return the table."""
        commands = "/applications/{application}/commands"
        in_guild = "/applications/{application}/guilds/{guild}/commands"
        return [
            Route("GET", "/users/@me", self.me),
            Route("GET", "/oauth2/applications/@me", self.application),
            Route("GET", "/applications/@me", self.application),
            Route("GET", "/gateway", self.where, needs_token=False),
            Route("GET", "/gateway/bot", self.where_for_bots),
            Route("GET", commands, self.get_commands),
            Route("PUT", commands, self.put_commands),
            Route("GET", in_guild, self.get_commands),
            Route("PUT", in_guild, self.put_commands),
        ]

    def me(self, _: Call) -> Answer:
        """GET /users/@me."""
        return 200, user_json(self.world.bot)

    def application(self, _: Call) -> Answer:
        """GET /oauth2/applications/@me."""
        granted = Intent.MESSAGE_CONTENT in self.gateway.granted
        return 200, application_json(self.world, content_granted=granted)

    def where(self, _: Call) -> Answer:
        """GET /gateway."""
        return 200, {"url": self.gateway.url}

    def where_for_bots(self, _: Call) -> Answer:
        """GET /gateway/bot."""
        gateway = self.gateway
        limit = {
            "total": 1000,
            "remaining": gateway.starts_left,
            "reset_after": 3_600_000,
            "max_concurrency": gateway.concurrency,
        }
        return 200, {
            "url": gateway.url,
            "shards": gateway.recommended,
            "session_start_limit": limit,
        }

    def get_commands(self, call: Call) -> Answer:
        """GET commands of one scope."""
        return 200, self.world.commands.get(self._scope(call), [])

    def put_commands(self, call: Call) -> Answer:
        """PUT: the given commands take the place of all others in the scope."""
        scope = self._scope(call)
        check_commands(call.body)
        before = {(c["type"], c["name"]): c["id"] for c in self.world.commands.get(scope, [])}
        stored = []
        for command in call.body:
            kind = command.get("type", CHAT_INPUT)
            known = before.get((kind, command["name"]))
            extra: Json = {
                "id": known or str(self.world.new_id()),
                "application_id": str(self.world.application_id),
                "version": str(self.world.new_id()),
                "type": kind,
                "description": command.get("description") or "",
            }
            if scope is not None:
                extra["guild_id"] = str(scope)
            stored.append(command | extra)
        self.world.commands[scope] = stored
        return 200, stored

    def _scope(self, call: Call) -> int | None:
        if call.id("application") != self.world.application_id:
            raise unknown("Application")
        if "guild" not in call.parts:
            return None
        if call.id("guild") not in self.world.guilds:
            raise unknown("Guild")
        return call.id("guild")
