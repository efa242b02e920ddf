"""What a battle becomes in each format."""

from __future__ import annotations

import re
from itertools import chain
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bot.answers import harmless, normalised
from bot.dataset.files import line_of
from bot.dataset.formats import Made, Making
from bot.dataset.formats.registry import CHATS, FORMATS
from bot.dataset.funnel import LeftOut
from bot.dataset.policy import Columns, Policy, Text
from bot.dataset.select import Selector
from bot.prompting import Frame, library
from storage.records import (
    Happened,
    Kind,
    Outcome,
    Reason,
    VotedBattle,
    VoteEventKind,
    Written,
)
from tests.unit.exports import NAMES
from tests.unit.hostile import texts
from tests.unit.records import DAY, battle, bot_said, said, talk, voted

TIE, BAD = Outcome.TIE, Outcome.BOTH_BAD
TEMPLATES = library({})
ID = 2**60 + 4711
VARIANTS = [(name, chat) for name in FORMATS for chat in {False, name in CHATS}]


def made(
    name: str,
    of: VotedBattle,
    *,
    chat: bool = False,
    redact: Any = str,
    weights: dict[int, float] | None = None,
    **policy: Any,
) -> Made | LeftOut:
    chosen = Policy(**policy)
    making = Making(
        policy=chosen,
        selector=Selector(chosen, weights=weights or {}, redact=redact),
        pseudonyms=NAMES,
        templates=TEMPLATES,
        chat=chat,
    )
    return FORMATS[name](making).made(of)


def rows(name: str, of: VotedBattle, **options: Any) -> list[dict[str, Any]]:
    """Without columns that were not asked for, and without the hash."""
    came = made(name, of, **({"columns": ()} | options))
    assert isinstance(came, Made), came
    return [{key: row[key] for key in row if key != "battle"} for _, row in came.rows]


def case(*outcomes: Outcome | int, **changes: Any) -> VotedBattle:
    """Prompted with a transcript, as a base model is; the instruct model got a chat."""
    log = talk(said("why?", name="Ann"))
    of = voted(battle(texts=("so\nit is", "thus"), conversation=log), *outcomes, **changes)
    a, b = of.answers
    a = a._replace(rendered="Ann: why?\nTwofold:", raw=" so\n  it is\nAnn: what")
    b = b._replace(rendered="", template="chat", raw="thus")
    return of._replace(answers=(a, b))


PROMPT = "Member 1: why?\nTwofold:"
ASKED = [{"role": "user", "content": "why?"}]
SO, THUS = " so\n  it is", " thus"


def message(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def test_dpo_is_the_base_models_prompt_and_what_it_would_have_to_write() -> None:
    assert rows("dpo", case(1)) == [{"prompt": PROMPT, "chosen": SO, "rejected": THUS}]
    assert rows("dpo", case(2)) == [{"prompt": PROMPT, "chosen": THUS, "rejected": SO}]
    assert made("dpo", case(BAD)) is LeftOut.BOTH_BAD
    assert made("dpo", case(TIE)) is LeftOut.TIE


def test_chats_have_messages_without_the_templates_marks() -> None:
    right = {"prompt": ASKED, "chosen": message("so\nit is"), "rejected": message("thus")}
    assert rows("dpo", case(1), chat=True) == [right]
    assert rows("openai", case(1)) == [
        {
            "input": {"messages": ASKED, "tools": [], "parallel_tool_calls": True},
            "preferred_output": message("so\nit is"),
            "non_preferred_output": message("thus"),
        }
    ]
    assert rows("kto", case(2), chat=True) == [
        {"prompt": ASKED, "completion": message("thus"), "label": True},
        {"prompt": ASKED, "completion": message("so\nit is"), "label": False},
    ]


def test_several_speakers_of_a_chat_have_numbers_for_names() -> None:
    log = talk(
        said("ask <@123456789012345678>", name="Alice Smith"),
        bot_said("I did"),
        said("in <#42>?", by=2, name="Bob"),
    )
    (row,) = rows("dpo", voted(battle(conversation=log), 1), chat=True)
    assert [m["content"] for m in row["prompt"]] == [
        "Member 1: ask @someone",
        "I did",
        "Member 2: in #someone?",
    ]


@pytest.mark.parametrize(
    ("votes", "policy", "labels"),
    [
        ([1], {}, [(SO, True), (THUS, False)]),
        ([2], {}, [(THUS, True), (SO, False)]),
        ([TIE], {"ties": "desirable"}, {(SO, True), (THUS, True)}),
        ([TIE], {"ties": "undesirable"}, {(SO, False), (THUS, False)}),
        ([TIE], {"ties": "soft"}, LeftOut.TIE),
        ([TIE], {}, LeftOut.TIE),
        ([BAD], {}, {(SO, False), (THUS, False)}),
        ([BAD], {"both_bad": "leave_out"}, LeftOut.BOTH_BAD),
    ],
)
def test_kto_says_of_each_answer_whether_it_is_desirable(
    votes: list[Any], policy: dict[str, Any], labels: Any
) -> None:
    came = made("kto", case(*votes), **policy)
    if isinstance(came, Made):
        got = [(row["completion"], row["label"]) for _, row in came.rows]
        assert {row["prompt"] for _, row in came.rows} == {PROMPT}
        assert (got if isinstance(labels, list) else set(got)) == labels
    else:
        assert came is labels


def test_what_ended_because_its_length_ran_out_is_nothing_to_learn_but_to_avoid() -> None:
    of = case(1)
    cut = of._replace(answers=(of.answers[0]._replace(tags=("cut_short",)), of.answers[1]))
    assert made("dpo", cut) is made("sft", cut) is LeftOut.CUT
    assert [(row["completion"], row["label"]) for row in rows("kto", cut)] == [(THUS, False)]
    assert rows("dpo", cut, cut=True) == rows("dpo", of)


def test_an_answer_written_anew_is_a_row_of_its_own() -> None:
    of = case(1, 2, remarks=(Written(1, None, None, 2, "anew\n\nand well"),))
    anew = " anew\n  \n  and well"
    assert rows("dpo", of) == [{"prompt": PROMPT, "chosen": anew, "rejected": THUS}]
    assert rows("sft", of) == [{"prompt": PROMPT, "completion": anew}]
    assert rows("kto", of) == [{"prompt": PROMPT, "completion": anew, "label": True}]
    (row,) = rows("kto", of, columns=("contenders", "tags"))
    assert (row["contender"], row["kind"], row["fingerprint"], row["tags"]) == (
        *("edit", "edit", ""),
        (),
    )


def test_ties_are_soft_pairs_where_that_is_asked_for() -> None:
    of = case(TIE, TIE, 1)
    (row,) = rows("dpo", of, ties="soft", columns=("margin",))
    assert {row["chosen"], row["rejected"]} == {SO, THUS}
    assert row["p_chosen"] in {0.4, 0.6}
    assert row["margin"] == 0.0
    assert made("sft", of, ties="soft") is LeftOut.TIE


def test_a_reward_row_has_its_margin_whatever_the_columns_are() -> None:
    (row,) = rows("reward", case(1, 1, 2))
    assert row == {"prompt": PROMPT, "chosen": SO, "rejected": THUS, "margin": 0.3333}


def test_columns_come_in_groups() -> None:
    of = case(1, 1, 2, TIE, BAD)
    late = of.votes[4]._replace(blind=False)
    of = of._replace(votes=(*of.votes[:4], late))
    (row,) = rows("dpo", of, columns=tuple(Columns), weights={1: 0.25, 2: 0.5})
    assert {key: row[key] for key in row if key not in {"prompt", "chosen", "rejected"}} == {
        "votes_chosen": 2,
        "votes_rejected": 1,
        "votes_tie": 1,
        "votes_both_bad": 0,
        "votes_not_blind": 1,
        "margin": 0.25,
        "p_chosen": 0.6,
        "chosen_contender": "base-1",
        "rejected_contender": "instruct-2",
        "chosen_kind": "base",
        "rejected_kind": "instruct",
        "chosen_fingerprint": "print-1",
        "rejected_fingerprint": "print-2",
        "chosen_tags": (),
        "rejected_tags": (),
        "weight": 0.4,
    }


@pytest.mark.parametrize(("name", "chat"), VARIANTS)
@pytest.mark.parametrize("columns", [(), tuple(Columns)])
def test_every_row_has_exactly_the_columns_of_its_table(
    name: str, chat: bool, columns: tuple[Columns, ...]
) -> None:
    policy = Policy(columns=columns)
    selector = Selector(policy, weights={})
    making = Making(
        policy=policy, selector=selector, pseudonyms=NAMES, templates=TEMPLATES, chat=chat
    )
    form = FORMATS[name](making)
    scored = {"ref_chosen_logps", "ref_rejected_logps"}
    for table, row in form.made(planted()).rows:
        assert set(row) == set(form.tables[table]) - scored


def test_another_template_may_write_all_prompts() -> None:
    (row,) = rows("dpo", case(1), render_with="qa")
    assert row["prompt"] == TEMPLATES["qa"].render(talk(said("why?", name="Member 1"))).prompt
    assert TEMPLATES["qa"].parse(row["chosen"]).text.strip() == "so\nit is"


def test_without_a_base_prompt_or_its_template_there_is_no_text_but_a_chat() -> None:
    of = case(1)
    a, b = of.answers
    chats = of._replace(answers=(a._replace(kind=Kind.INSTRUCT), b))
    unknown = of._replace(answers=(a._replace(template="gone"), b))
    for case_, reason in ((chats, LeftOut.NO_BASE_PROMPT), (unknown, LeftOut.NO_TEMPLATE)):
        assert made("dpo", case_) is reason
        assert len(rows("dpo", case_, chat=True)) == 1
        assert len(rows("dpo", case_, render_with="transcript")) == 1


def test_raw_text_is_the_models_own_completion() -> None:
    (row,) = rows("dpo", case(1), text="raw")
    assert (row["chosen"], row["rejected"]) == (" so\n  it is\nMember 1: what", THUS)


def test_arena_has_a_pair_and_every_vote() -> None:
    of = case(1, TIE, 2, remarks=(Written(2, Reason.FUNNY, "hm", 1, "anew"),), unranked=True)
    came = made("arena", of)
    (pair,) = (row for table, row in came.rows if table == "pairs")
    votes = [row for table, row in came.rows if table == "votes"]
    assert (pair["model_a"], pair["model_b"], pair["winner"]) == ("base-1", "instruct-2", None)
    assert pair["conversation_a"] == [*ASKED, *message("so\nit is")]
    assert pair["conversation_b"] == [*ASKED, *message("thus")]
    assert pair["unranked"]
    assert [vote["winner"] for vote in votes] == ["model_a", "tie", "model_b"]
    assert [vote["evaluation_order"] for vote in votes] == [1, 2, 3]
    assert {vote["battle"] for vote in votes} == {pair["id"]}
    said_so = ("reason", "comment", "edited", "edit")
    assert [votes[1][key] for key in said_so] == ["funnier", "hm", "model_a", "anew"]


def test_raw_has_battles_without_votes_and_names_winners_by_their_hash() -> None:
    came = made("raw", case(1))
    tables: dict[str, list[dict[str, Any]]] = {}
    for table, row in came.rows:
        tables.setdefault(table, []).append(row)
    assert {table: len(rows) for table, rows in tables.items()} == {
        "battles": 1,
        "answers": 2,
        "votes": 1,
    }
    assert tables["votes"][0]["winner"] == tables["answers"][0]["answer"]
    assert [answer["rendered"] for answer in tables["answers"]] == [PROMPT, ""]
    assert [table for table, _ in made("raw", case()).rows] == ["battles", "answers", "answers"]


FRAMED = sorted(TEMPLATES)
PERSON = "Zebulonquist"
PLANTS = (PERSON.casefold(), "van horne", str(ID), "98765432109876543")


def planted() -> VotedBattle:
    """A name and ids in everything that people and models wrote."""
    spread = f"{PERSON}! <@{ID}> _{PERSON.upper()}_ {ID} <:x:{ID}> Q van Horne /98765432109876543/"
    log = talk(
        said(spread, by=ID, name=PERSON),
        bot_said(spread, message=ID),
        said(spread, by=ID + 1, name="Q van Horne"),
    )
    rendered = TEMPLATES["transcript"].render(log).prompt
    of = voted(battle(texts=(f"one {spread}", f"two {spread}"), conversation=log, id=ID), 1, 1)
    a, b = of.answers
    votes = tuple(
        vote._replace(
            voter_id=ID + number, about=vote.about._replace(id=ID + 50 + number, guessed=True)
        )
        for number, vote in enumerate(of.votes)
    )
    return of._replace(
        answers=(
            a._replace(rendered=rendered, raw=f" raw {spread}"),
            b._replace(rendered=rendered, raw=f" raw two {spread}"),
        ),
        guild_id=ID + 2,
        parent_id=ID - 1,
        mirror_of_id=ID - 2,
        votes=votes,
        remarks=(Written(ID, Reason.FUNNY, f"a comment {spread}", 2, f"an edit {spread}"),),
        events=(Happened(ID + 90, ID, VoteEventKind.CAST, Outcome.WIN, 1, blind=True, day=DAY),),
    )


@pytest.mark.parametrize(("name", "chat"), VARIANTS)
def test_no_name_and_no_id_leaves_in_any_column(name: str, chat: bool) -> None:
    wide = {"columns": tuple(Columns), "deciding": "every"}
    found = [
        made(name, planted(), chat=chat, text=text, render_with=template, **wide).rows
        for text in Text
        for template in (None, *FRAMED)
    ]
    assert min(map(len, found)) >= 3
    for _, row in chain(*found):
        line = line_of(row).decode().casefold()
        assert not [plant for plant in PLANTS if plant in line]
        assert not re.search(r"[0-9]{17}", line)


@pytest.mark.parametrize(("name", "chat"), VARIANTS)
def test_a_guild_decides_whether_what_leaves_is_redacted(name: str, chat: bool) -> None:
    of = planted()._replace(settings={"redaction": True})
    came = made(name, of, chat=chat, redact=lambda text: text.replace("!", "<X>"))
    leaves = b"".join(line_of(row) for _, row in came.rows)
    assert b"<X>" in leaves
    assert b"!" not in leaves
    still = made(name, planted(), chat=chat, redact=lambda text: text.replace("!", "<X>"))
    assert b"<X>" not in b"".join(line_of(row) for _, row in still.rows)


plain_texts = texts.map(lambda text: harmless(text).strip()).filter(
    lambda text: text and not re.search(r"[0-9]{17}|<|someone|twofold|member", text, re.IGNORECASE)
)


@pytest.mark.parametrize("name", FRAMED)
@given(st.lists(plain_texts, min_size=1, max_size=4))
def test_a_prompt_without_names_leaves_byte_for_byte(name: str, words: list[str]) -> None:
    turns = [
        bot_said(text, message=1) if place % 2 else said(text, by=place, name=f"Member {who}")
        for who, (place, text) in zip((1, 1, 2, 2), enumerate(words), strict=False)
    ]
    if turns[-1].is_bot:
        turns.pop()
    log = talk(*turns)
    rendered = TEMPLATES[name].render(log).prompt
    of = voted(battle(conversation=log), 1)
    answers = [answer._replace(template=name, rendered=rendered) for answer in of.answers]
    (row,) = rows("dpo", of._replace(answers=tuple(answers)))
    assert row["prompt"] == rendered


@pytest.mark.parametrize("name", FRAMED)
@given(texts)
@example("one\n\n  two\n\tthree")
@example('he said "no" and\nleft')
def test_an_answer_is_completed_as_its_template_is_parsed(name: str, text: str) -> None:
    template = TEMPLATES[name]
    text = harmless(text).strip()
    assume(text)
    assume(not re.search(r"(?m)^\s*(<\S+>|\w+[:\uff1a])[ \t]+\S", text))  # may be cut
    again = template.parse(template.complete(text))
    if name == "story":
        assert normalised(again.text) == normalised(text.replace('"', "'"))
    else:
        assert again.text.strip() == text
    assert template.complete(text)[0].isspace() or name == "story"


def test_what_is_completed_for_a_quoting_template_ends_the_quotation() -> None:
    frame = Frame(help="x", person='{name}: "{text}"', cue='{name}: "', quote='"')
    (template,) = (t for n, t in library({"x": frame}).items() if n == "x")
    assert template.complete("a\nb") == 'a b"'
