"""Hears messages and has them answered twice."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, TypeVar

import aiohttp
import discord
import structlog
from discord import app_commands
from discord.ext import commands

from bot.answers import visible
from bot.battles import Ask, BattleCancelled
from bot.errors import BattleError
from cogs import _render
from cogs._conversation import SILENT, addressed, conversation, prompt_of
from cogs.errors import sentence, tell
from storage.records import Conversation, Turn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any

    from bot.battles import BattleService
    from bot.client import TwofoldClient
    from bot.guilds import GuildService
    from storage.records import Battle

log = structlog.get_logger(__name__)

T = TypeVar("T")

DRAIN_SECONDS = 8.0
"""How long a closing client waits for battles; supervisors kill after ten seconds."""

GONE = {10008, 50035}
"""Discord's codes for a reply to a message that no longer exists."""


class ChatCog(commands.Cog):
    """Turns messages into battles."""

    def __init__(
        self,
        client: TwofoldClient,
        *,
        battles: BattleService,
        guilds: GuildService,
        context_messages: int,
    ) -> None:
        self._client = client
        self._battles = battles
        self._guilds = guilds
        self._context_messages = context_messages
        self._at_work: set[asyncio.Task[Any]] = set()
        self._menu = app_commands.ContextMenu(
            name="Answer this twice", callback=self.answer_this_twice
        )

    async def cog_load(self) -> None:
        """Context menus cannot be declared in a class body."""
        self._client.tree.add_command(self._menu)

    async def cog_unload(self) -> None:
        """Let running battles end before the client closes; give the rest up."""
        self._client.tree.remove_command(self._menu.name, type=self._menu.type)
        if not self._at_work:
            return
        log.info("waiting for battles to end", battles=len(self._at_work))
        _, left = await asyncio.wait(self._at_work, timeout=DRAIN_SECONDS)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Answer a person's message where the channel or the message asks for it."""
        prompt = prompt_of(message, self._me)
        if prompt is not None:
            await self._hold(self._hear(message, prompt))

    @commands.Cog.listener()
    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """A deleted prompt is not answered any more."""
        await self._battles.cancel(event.message_id)

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        """The same for many at once."""
        for message_id in event.message_ids:
            await self._battles.cancel(message_id)

    @app_commands.command(description="Ask something and get two answers to vote on.")
    @app_commands.describe(prompt="What you want answered, word for word.")
    async def ask(
        self, interaction: discord.Interaction, prompt: app_commands.Range[str, 1, 4000]
    ) -> None:
        """Answer a text that no message in the channel holds."""
        if not visible(prompt) or prompt.lstrip().startswith(SILENT):
            raise BattleError("There is nothing to answer in that. Write a few words.")
        author = interaction.user
        turn = Turn(author_id=author.id, name=author.display_name, text=prompt)
        ask = Ask(
            source_message_id=interaction.id,
            guild_id=interaction.guild_id,
            channel_id=interaction.channel_id or 0,
            author_id=author.id,
            conversation=Conversation(turns=(turn,), bot_name=self._me.display_name),
        )
        await interaction.response.defer(ephemeral=True, thinking=True)

        async def show(battle: Battle) -> int:
            # The first message after a deferral would fill it, and be as private as it is.
            await explain("Here are both answers.")
            view = _render.ballot(battle, asked=turn)
            return (await interaction.followup.send(view=view, wait=True)).id

        async def explain(text: str) -> None:
            await interaction.edit_original_response(view=_render.message(text))

        await self._hold(self._battle(ask, show=show, explain=explain))

    async def answer_this_twice(
        self, interaction: discord.Interaction, message: discord.Message
    ) -> None:
        """The menu entry: answer a message that was not addressed to the bot."""
        prompt = prompt_of(message, self._me)
        if prompt is None:
            raise BattleError("Only messages of people that have a text can be answered.")
        await interaction.response.defer(ephemeral=True, thinking=True)
        fresh = await self._hold(self._answer_message(message, prompt))
        await tell(interaction, "Answered." if fresh else "That message was answered already.")

    @property
    def _me(self) -> discord.ClientUser:
        user = self._client.user
        assert user is not None, "messages arrive only after login"  # noqa: S101
        return user

    async def _wanted(self, message: discord.Message) -> bool:
        if addressed(message, self._me):
            return True
        guild_id = message.guild.id if message.guild else None
        channels = (await self._guilds.settings(guild_id)).channels
        parent = getattr(message.channel, "parent_id", None)
        return message.channel.id in channels or parent in channels

    async def _hear(self, message: discord.Message, prompt: str) -> None:
        if await self._wanted(message):
            await self._answer_message(message, prompt)

    async def _answer_message(self, message: discord.Message, prompt: str) -> bool:
        """Reply to a message with a ballot; False where it already has one."""

        async def show(battle: Battle) -> int:
            return (await message.reply(view=_render.ballot(battle), nonce=message.id)).id

        async def explain(text: str) -> None:
            await message.reply(view=_render.message(text))

        async with AsyncExitStack() as working:
            with suppress(discord.HTTPException):  # answering matters, the typing sign does not
                await working.enter_async_context(message.channel.typing())
            ask = Ask(
                source_message_id=message.id,
                guild_id=message.guild.id if message.guild else None,
                channel_id=message.channel.id,
                author_id=message.author.id,
                conversation=await conversation(
                    message,
                    prompt,
                    me=self._me,
                    limit=self._context_messages,
                    spoken=self._battles.spoken,
                ),
            )
            return await self._battle(ask, show=show, explain=explain)

    async def _battle(
        self,
        ask: Ask,
        *,
        show: Callable[[Battle], Awaitable[int]],
        explain: Callable[[str], Awaitable[None]],
    ) -> bool:
        """Open, answer and show a battle, or explain why not; False if there already is one."""
        battle = await self._battles.open(ask)
        if battle is None:
            return False
        try:
            battle = await self._battles.answer(battle)
        except BattleCancelled:
            log.info("the prompt was deleted", battle=battle.id)
            return True
        except asyncio.CancelledError:
            await self._post(battle, explain("I am being restarted. Ask again in a minute."))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, it is told in one sentence
            await self._post(battle, explain(sentence(error)))
            return True
        shown = await self._post(battle, show(battle))
        if shown is not None:
            await self._battles.shown(battle, shown)
        return True

    async def _post(self, battle: Battle, posting: Awaitable[T]) -> T | None:
        """Send to Discord; None where that fails, and the battle is given up then."""
        try:
            return await posting
        except discord.HTTPException as error:
            log.warning("could not post", battle=battle.id, status=error.status, code=error.code)
            if error.code in GONE:
                await self._battles.cancel(battle.source_message_id)
            else:
                await self._battles.abandon(battle, reason="not shown")
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("could not post", battle=battle.id, error=repr(error))
            await self._battles.abandon(battle, reason="not shown")
        return None

    async def _hold(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a battle so that a closing client waits for it."""
        task = asyncio.ensure_future(work)
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        return await task


async def setup(client: TwofoldClient) -> None:
    """Discord.py calls this when the client loads the extension."""
    services = client.services
    await client.add_cog(
        ChatCog(
            client,
            battles=services.battles,
            guilds=services.guilds,
            context_messages=services.config.context_messages,
        )
    )
