"""The settings of a server, declared once; checks, panel and docs derive from this."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from pydantic import (
    AfterValidator,
    AnyUrl,
    BaseModel,
    ConfigDict,
    TypeAdapter,
    UrlConstraints,
)

from bot.growth import Showing
from bot.settings import Control, Group, Setting
from storage.records import Consent, Continuing

if TYPE_CHECKING:
    from collections.abc import Mapping


class Others(StrEnum):
    """What the models get of members who have not agreed to be kept."""

    AS_THEY_ARE = "as_they_are"
    PLACEHOLDER = "placeholder"


class Moderation(StrEnum):
    """What becomes of an answer that was found unfit."""

    OFF = "off"
    SPOILER = "spoiler"
    HIDE = "hide"


# A button cannot link to a longer one.
_HTTPS = TypeAdapter[AnyUrl](
    Annotated[AnyUrl, UrlConstraints(max_length=512, allowed_schemes=["https"])]
)
Link = Annotated[str, AfterValidator(lambda text: str(_HTTPS.validate_python(text)))]


class GuildSettings(BaseModel):
    """What a server's admins decide. Keys that a later version wrote are passed over.

    None is the operator's value, or none at all.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    channels: Annotated[
        tuple[int, ...],
        Setting(
            Group.PLACES,
            "Channels",
            "Where every message of a person is answered. Elsewhere mentions and replies are.",
            Control.CHANNELS,
        ),
    ] = ()
    digests: Annotated[
        tuple[int, ...],
        Setting(
            Group.PLACES,
            "Weekly digest",
            "Where I tell on Monday mornings (UTC) how the week's battles in that channel went.",
            Control.CHANNELS,
            forums=False,
        ),
    ] = ()
    contenders: Annotated[
        tuple[str, ...],
        Setting(
            Group.MODELS,
            "Contenders",
            "The models that may meet here. None chosen means all of them.",
            Control.CHOICES,
        ),
    ] = ()
    template: Annotated[
        str | None,
        Setting(
            Group.MODELS,
            "Prompt template",
            "How the conversation is given to a model that only continues text.",
            Control.CHOICE,
            operator="template",
        ),
    ] = None
    continuing: Annotated[
        Continuing,
        Setting(
            Group.MODELS,
            "Conversations go on from",
            "Which of two answers the models take for what was said.",
            Control.CHOICE,
            options={
                Continuing.WINNER: "The winner of the votes so far, else the instruct model's.",
                Continuing.INSTRUCT: "Always the instruct model's answer.",
                Continuing.BASE: "Always the base model's answer.",
            },
        ),
    ] = Continuing.WINNER
    showing: Annotated[
        Showing | None,
        Setting(
            Group.SHOWING,
            "Answers appear",
            "When the two answers of a battle are to be seen.",
            Control.CHOICE,
            options={
                Showing.AT_ONCE: "When both are done.",
                Showing.LOCKSTEP: "Growing side by side, by the same share.",
            },
            operator="showing",
        ),
    ] = None
    moderation: Annotated[
        Moderation,
        Setting(
            Group.SHOWING,
            "Unfit answers",
            "What becomes of an answer that is found unfit before it is shown.",
            Control.CHOICE,
            options={
                Moderation.OFF: "Nothing is looked at.",
                Moderation.SPOILER: "Shown behind a spoiler.",
                Moderation.HIDE: "Not shown; it is kept and marked.",
            },
        ),
    ] = Moderation.OFF
    closing_votes: Annotated[
        int,
        Setting(
            Group.VOTING,
            "Votes that close a battle",
            "After so many votes everybody learns who was who.",
            Control.NUMBER,
            least=1,
            most=100,
            unit="vote",
        ),
    ] = 5
    closing_hours: Annotated[
        int,
        Setting(
            Group.VOTING,
            "Time that closes a battle",
            "After so many hours a battle closes with the votes that it has.",
            Control.NUMBER,
            least=1,
            most=168,
            unit="hour",
        ),
    ] = 24
    authors_vote: Annotated[
        bool,
        Setting(
            Group.VOTING,
            "Authors vote",
            "Whether whoever wrote a prompt may vote on its answers.",
            Control.TOGGLE,
        ),
    ] = True
    account_days: Annotated[
        int,
        Setting(
            Group.VOTING,
            "Age of a voter's account",
            "How old the account of whoever votes has to be.",
            Control.NUMBER,
            least=0,
            most=365,
            unit="day",
        ),
    ] = 0
    membership_days: Annotated[
        int,
        Setting(
            Group.VOTING,
            "Voters' time in this server",
            "How long whoever votes has to have been a member here.",
            Control.NUMBER,
            least=0,
            most=365,
            unit="day",
        ),
    ] = 0
    mirror_share: Annotated[
        int,
        Setting(
            Group.MEASUREMENT,
            "Mirror battles",
            "Share of /rate that shows members a pair again that they voted on, sides swapped.",
            Control.NUMBER,
            least=0,
            most=50,
            unit="%",
        ),
    ] = 0
    control_share: Annotated[
        int,
        Setting(
            Group.MEASUREMENT,
            "Control battles",
            "Share of battles in which one model gives both answers.",
            Control.NUMBER,
            least=0,
            most=50,
            unit="%",
        ),
    ] = 0
    consent_cap: Annotated[
        Consent,
        Setting(
            Group.PRIVACY,
            "The most members can allow",
            "The most that members are asked to agree to.",
            Control.CHOICE,
            options={
                Consent.NONE: "Nothing: nobody is asked, and nothing is kept beyond running.",
                Consent.EVALUATE: "Votes and texts for statistics.",
                Consent.TRAIN: "The same, and texts may enter a training export.",
                Consent.PUBLISH: "The same, and texts may be published.",
            },
        ),
    ] = Consent.TRAIN
    others: Annotated[
        Others,
        Setting(
            Group.PRIVACY,
            "Members who have not agreed",
            "What the models get of others in a conversation who have not agreed to be kept.",
            Control.CHOICE,
            options={
                Others.AS_THEY_ARE: "Their messages; such a battle is wiped and never exported.",
                Others.PLACEHOLDER: "A line that says nothing; nothing of theirs is stored.",
            },
        ),
    ] = Others.AS_THEY_ARE
    privacy_link: Annotated[
        Link | None,
        Setting(
            Group.PRIVACY,
            "Privacy text of this server",
            "Where the server's own text is, to which /privacy links.",
            Control.LINK,
        ),
    ] = None
    retention_hours: Annotated[
        int | None,
        Setting(
            Group.PRIVACY,
            "Texts are wiped after",
            "Texts stay this long unless everyone whose words are in them agreed to more.",
            Control.NUMBER,
            least=1,
            unit="hour",
            operator="retention_hours",
        ),
    ] = None
    redaction: Annotated[
        bool,
        Setting(
            Group.PRIVACY,
            "Redaction",
            "Whether personal data is replaced in what people write before it is read or kept.",
            Control.TOGGLE,
        ),
    ] = False
    member_limit: Annotated[
        int | None,
        Setting(
            Group.LIMITS,
            "Battles a minute for a member",
            "How many battles a member may begin here in a minute.",
            Control.NUMBER,
            least=1,
            unit="battle",
            operator="member_battles_per_minute",
        ),
    ] = None
    channel_limit: Annotated[
        int | None,
        Setting(
            Group.LIMITS,
            "Battles a minute in a channel",
            "How many battles may begin in each channel in a minute.",
            Control.NUMBER,
            least=1,
            unit="battle",
            operator="channel_battles_per_minute",
        ),
    ] = None
    guild_limit: Annotated[
        int | None,
        Setting(
            Group.LIMITS,
            "Battles a minute in all",
            "How many battles may begin here in a minute.",
            Control.NUMBER,
            least=1,
            unit="battle",
            operator="guild_battles_per_minute",
        ),
    ] = None


SETTINGS: Mapping[str, Setting] = {
    key: next(data for data in field.metadata if isinstance(data, Setting))
    for key, field in GuildSettings.model_fields.items()
}
"""Every setting by its key, in the order in which they are shown."""
