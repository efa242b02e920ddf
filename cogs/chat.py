"""Hears messages and has them answered twice."""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bot.answers import visible
from bot.battles import Ask
from bot.errors import BattleError, LimitReached, TwofoldError
from cogs._conversation import SILENT, addressed, conversation, prompt_of
from cogs._edits import FAULTS, Edits
from cogs._render import battles as battle_views
from cogs._render import layout
from cogs._responding import defer
from cogs._resuming import Resuming
from cogs._running import Runner
from cogs.catching_up import CatchingUpCog
from cogs.closing import ClosingCog
from cogs.errors import sentence, tell
from cogs.more import MoreCog
from cogs.prompts import PromptsCog
from storage.records import Conversation, Turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.battles import BattleService
    from bot.client import TwofoldClient
    from bot.governing import GuildService
    from cogs._stage import Stage


class ChatCog(commands.Cog):
    """Turns messages into battles."""

    def __init__(
        self,
        client: TwofoldClient,
        *,
        battles: BattleService,
        guilds: GuildService,
        runner: Runner,
        context_messages: int,
    ) -> None:
        self._client = client
        self._battles = battles
        self._guilds = guilds
        self._runner = runner
        self._resuming = Resuming(client, battles=battles, runner=runner)
        self._context_messages = context_messages
        self._mending: asyncio.Task[None] | None = None
        self._menu = app_commands.ContextMenu(
            name="Answer this twice", callback=self.answer_this_twice
        )

    async def cog_load(self) -> None:
        """Context menus cannot be declared in a class body."""
        self._client.tree.add_command(self._menu)
        self._mending = self._runner.begin(self._resuming.mend())

    async def mended(self) -> None:
        """Wait until the messages that an earlier process left are as they should be."""
        if self._mending is not None:
            await asyncio.wait({self._mending})

    async def cog_unload(self) -> None:
        """Let running battles end before the client closes; give the rest up."""
        self._client.tree.remove_command(self._menu.name, type=self._menu.type)
        await self._runner.drain()

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Answer a person's message where the channel or the message asks for it."""
        prompt = prompt_of(message, self._me)
        if prompt is None or not await self._wanted(message):
            return
        try:
            await self._runner.hold(
                self._answer(message, prompt, partial(self._runner.replying, message))
            )
        except TwofoldError as error:
            self._client.services.instruments.failed("message", error)
            if not isinstance(error, LimitReached) or error.news:
                with suppress(*FAULTS):
                    told = layout.message(sentence(error))
                    await message.reply(view=told, nonce=f"{message.id}-no")

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
        await defer(interaction, ephemeral=True, thinking=True)
        await self._battles.admit(
            guild_id=ask.guild_id, channel_id=ask.channel_id, member_id=author.id
        )
        with closing(self._runner.responding(interaction, asked=turn)) as stage:
            await self._runner.hold(self._runner.run(ask, stage))

    async def answer_this_twice(
        self, interaction: discord.Interaction, message: discord.Message
    ) -> None:
        """The menu entry: answer a message that was not addressed to the bot."""
        prompt = prompt_of(message, self._me)
        if prompt is None:
            raise BattleError("Only messages of people that have a text can be answered.")
        await defer(interaction, ephemeral=True, thinking=True)
        if await self._battles.answered(message.id) is None:
            stage = partial(
                self._runner.responding, interaction, to=message, source_message_id=message.id
            )
            asking = self._answer(message, prompt, stage, asked_by=interaction.user.id)
            if await self._runner.hold(asking):
                return
        battle = await self._battles.answered(message.id)
        await tell(interaction, battle_views.answered_already(battle))

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

    async def _answer(
        self,
        message: discord.Message,
        prompt: str,
        staged: Callable[[], Stage],
        *,
        asked_by: int | None = None,
    ) -> bool:
        """Answer a message on a stage; False where it has a battle already."""
        guild_id = message.guild.id if message.guild else None
        await self._battles.admit(
            guild_id=guild_id,
            channel_id=message.channel.id,
            member_id=asked_by or message.author.id,
        )
        with closing(staged()) as stage:
            settings = await self._guilds.settings(guild_id)
            ask = Ask(
                source_message_id=message.id,
                guild_id=guild_id,
                channel_id=message.channel.id,
                author_id=message.author.id,
                asked_by=asked_by,
                conversation=await conversation(
                    message,
                    prompt,
                    me=self._me,
                    limit=self._context_messages,
                    continuing=settings.continuing,
                    spoken=self._battles.spoken,
                ),
            )
            return await self._runner.run(ask, stage)


async def setup(client: TwofoldClient) -> None:
    """Discord.py calls this when the client loads the extension."""
    services = client.services
    edits = Edits(patiently=services.patiently)
    runner = Runner(services.battles, edits=edits, instruments=services.instruments)
    chat = ChatCog(
        client,
        battles=services.battles,
        guilds=services.guilds,
        runner=runner,
        context_messages=services.config.context_messages,
    )
    await client.add_cog(
        CatchingUpCog(
            client,
            catching_up=services.catching_up,
            guilds=services.guilds,
            hear=chat.on_message,
            closing=lambda: runner.closing,
        )
    )
    await client.add_cog(chat)
    await client.add_cog(
        ClosingCog(
            client,
            battles=services.battles,
            closing=services.closing,
            retention=services.retention,
            edits=edits,
            mended=chat.mended,
        )
    )
    await client.add_cog(PromptsCog(client, battles=services.battles, retention=services.retention))
    await client.add_cog(MoreCog(battles=services.battles, voting=services.voting, runner=runner))
