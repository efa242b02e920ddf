"""The gateway: sessions that outlive their sockets, events by intent, and ways to break them."""

from __future__ import annotations

import asyncio
import json
import math
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import WSCloseCode, WSMsgType, web

from .faults import Unrest
from .protocol import NO_INTENT, PRIVILEGED, Close, Intent, Op
from .render import guild_json, user_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from .world import Guild, World

KEPT_EVENTS = 10_000
CLEAN_CLOSES = frozenset({1000, 1001})

Json = dict[str, Any]


@dataclass(frozen=True)
class Frame:
    """A frame that the client sent."""

    at: float
    op: int
    data: Any


@dataclass(eq=False)
class Session:
    """A client's session: what it may hear, what it was sent, and its socket while it has one."""

    id: str
    intents: Intent
    shard: tuple[int, int]
    sequence: int = 0
    sent: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))
    connection: Connection | None = None

    def event(self, name: str, data: Json) -> None:
        """Send an event, or keep it for a RESUME."""
        self.sequence += 1
        frame = {"op": Op.DISPATCH, "t": name, "s": self.sequence, "d": data}
        text = json.dumps(frame)
        self.sent.append((self.sequence, text))
        if self.connection is not None:
            self.connection.push(text)

    def serves(self, guild_id: int | None) -> bool:
        """Whether the guild (None: DMs) belongs to this session's shard."""
        shard_id, count = self.shard
        return (0 if guild_id is None else (guild_id >> 22) % count) == shard_id


class Connection:
    """One socket. Frames leave in the order in which they were pushed."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.socket = socket
        self.dead = False
        """Whether nothing arrives any more, though nobody hung up."""
        self._transport = request.transport
        self._outgoing: asyncio.Queue[str | int] = asyncio.Queue()

    def push(self, text: str) -> None:
        """Send a text frame."""
        self._outgoing.put_nowait(text)

    def op(self, op: Op, data: object = None) -> None:
        """Send a frame that is no event."""
        self.push(json.dumps({"op": op, "d": data, "s": None, "t": None}))

    def close(self, code: int) -> None:
        """Close in order: after what was pushed before."""
        self._outgoing.put_nowait(code)

    def cut(self) -> None:
        """Drop the TCP connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    async def write(self) -> None:
        """Send what is pushed until closed."""
        while True:
            item = await self._outgoing.get()
            if self.dead:
                continue
            if isinstance(item, int):
                await self.socket.close(code=item)
                return
            try:
                await self.socket.send_str(item)
            except ConnectionError:
                return


class Gateway:
    """All sessions of the bot, and the methods with which a test disturbs them."""

    def __init__(self, world: World, token: str, *, granted: Intent, heartbeat_ms: int) -> None:
        self.world = world
        self.token = token
        self.granted = granted
        self.heartbeat_ms = heartbeat_ms
        self.url = ""
        self.sessions: dict[str, Session] = {}
        self.frames: list[Frame] = []
        self.identified = 0
        self.resumed = 0
        self.unrest = Unrest()
        self.closed = False
        """Whether nobody gets in any more."""
        self.recommended = 1
        self.concurrency = 1
        self.starts_left = 1000
        """Shards, sessions that may begin within five seconds, and those left for today."""

    @property
    def online(self) -> list[Session]:
        """Sessions that have a socket."""
        return [s for s in self.sessions.values() if s.connection is not None]

    def publish(
        self,
        name: str,
        data: Json | Callable[[Session], Json],
        *,
        guild_id: int | None,
        intent: Intent = NO_INTENT,
    ) -> None:
        """Send an event to every session that serves the guild and asked for it."""
        for session in self.sessions.values():
            if session.serves(guild_id) and intent in session.intents:
                said = data(session) if callable(data) else data
                for _ in range(2 if name in self.unrest.twice else 1):
                    if self.unrest.held is None:
                        session.event(name, said)
                    else:
                        self.unrest.held.append(partial(session.event, name, said))

    def reconnect(self) -> None:
        """Op 7: ask every client to come back and resume."""
        for connection in self._connections():
            connection.op(Op.RECONNECT)

    def invalidate(self, *, resumable: bool) -> None:
        """Op 9. A session that cannot be resumed is forgotten."""
        for session in self.online:
            session.connection.op(Op.INVALID_SESSION, resumable)
            if not resumable:
                del self.sessions[session.id]

    def close_all(self, code: int = 4000) -> None:
        """Close every socket with `code`; sessions can be resumed."""
        for connection in self._connections():
            connection.close(code)

    def lose(self, code: int = 4009) -> None:
        """Close every socket with `code`, and know nothing of the sessions any more."""
        self.close_all(code)
        self.sessions.clear()

    def cut_all(self) -> None:
        """Abort every TCP connection."""
        for connection in self._connections():
            connection.cut()

    def fall_silent(self) -> None:
        """Leave every socket open, and send nothing more over it."""
        for connection in self._connections():
            connection.dead = True

    def forget(self) -> None:
        """Drop every session that has no socket, as Discord does after a while."""
        self.sessions = {s.id: s for s in self.online}

    def _connections(self) -> list[Connection]:
        return [s.connection for s in self.online if s.connection is not None]

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one socket from HELLO to its end. Frames are plain text, whatever was asked."""
        if self.closed:
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        connection = Connection(socket, request)
        writer = asyncio.create_task(connection.write())
        connection.op(Op.HELLO, {"heartbeat_interval": self.heartbeat_ms})
        session: Session | None = None
        closed_with: int | None = None
        try:
            while (frame := await socket.receive()).type is WSMsgType.TEXT:
                session = self._receive(connection, session, json.loads(frame.data))
            closed_with = frame.data if frame.type is WSMsgType.CLOSE else None
        finally:
            self._detach(session, connection, closed_with)
            writer.cancel()
        return socket

    def _detach(
        self, session: Session | None, connection: Connection, closed_with: int | None
    ) -> None:
        if session is None or session.connection is not connection:
            return
        session.connection = None
        # A client that closes with 1000 or 1001 gives its session up; any other end can resume.
        if closed_with in CLEAN_CLOSES:
            self.sessions.pop(session.id, None)

    def _receive(
        self, connection: Connection, session: Session | None, frame: Json
    ) -> Session | None:
        op, data = frame.get("op"), frame.get("d")
        self.frames.append(Frame(time.monotonic(), op, data))
        if op == Op.HEARTBEAT:
            self._acknowledge(connection)
        elif op in (Op.IDENTIFY, Op.RESUME):
            if session is not None:
                connection.close(Close.ALREADY_AUTHENTICATED)
            elif data["token"] != self.token:
                connection.close(Close.WRONG_TOKEN)
            elif op == Op.IDENTIFY:
                return self._identify(connection, data)
            else:
                return self._resume(connection, data)
        elif session is None:
            connection.close(Close.NOT_AUTHENTICATED)
        elif op not in (Op.PRESENCE, Op.VOICE_STATE, Op.REQUEST_MEMBERS):
            connection.close(Close.UNKNOWN_OPCODE)
        return session

    def _acknowledge(self, connection: Connection) -> None:
        late = self.unrest.ack_after
        if not late:
            connection.op(Op.ACK)
        elif late < math.inf:
            asyncio.get_running_loop().call_later(late, connection.op, Op.ACK)

    def _identify(self, connection: Connection, data: Json) -> Session | None:
        intents = Intent(data["intents"])
        if intents & PRIVILEGED & ~self.granted:
            connection.close(Close.DISALLOWED_INTENTS)
            return None
        shard = tuple(data.get("shard") or (0, 1))
        session = Session(secrets.token_hex(16), intents, shard, connection=connection)
        mine = [g for g in self.world.guilds.values() if session.serves(g.id)]
        ready = {
            "v": 10,
            "user": user_json(self.world.bot),
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in mine],
            "session_id": session.id,
            "resume_gateway_url": self.url,
            "application": {"id": str(self.world.application_id), "flags": 0},
            "shard": list(shard),
        }
        session.event("READY", ready)
        for guild in mine:
            self.announce(guild, [session])
        self.sessions[session.id] = session
        self.identified += 1
        return session

    def announce(self, guild: Guild, sessions: list[Session]) -> None:
        """Send GUILD_CREATE."""
        for session in sessions:
            if Intent.GUILDS in session.intents:
                session.event("GUILD_CREATE", guild_json(guild, self.world.bot))

    def _resume(self, connection: Connection, data: Json) -> Session | None:
        session = self.sessions.get(data["session_id"])
        oldest = session.sent[0][0] if session and session.sent else 1
        if session is None or not oldest - 1 <= data["seq"] <= session.sequence:
            connection.op(Op.INVALID_SESSION, False)
            return None
        if session.connection is not None:
            session.connection.close(WSCloseCode.GOING_AWAY)
        session.connection = connection
        for sequence, text in session.sent:
            if sequence > data["seq"]:
                connection.push(text)
        self.resumed += 1
        session.event("RESUMED", {})
        return session
