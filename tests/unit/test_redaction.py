"""What is personal is left out of what people wrote, and nothing else is."""

from __future__ import annotations

import pytest

from bot.redaction import Redactor
from bot.redaction.patterns import Found
from bot.redaction.presidio import presidio
from tests.unit.records import bot_said, said, talk

PERSONAL = [
    ("write to alice@example.com please", "write to <EMAIL> please"),
    ("Bob.Smith+lists@mail.example.co.uk, thanks", "<EMAIL>, thanks"),
    ("(müller@grüße.de)", "(<EMAIL>)"),
    ("alice [at] example [dot] org", "<EMAIL>"),
    ("mailto:alice_b@example.museum", "mailto:<EMAIL>"),
    ("ring +44 20 7946 0958 or +1 (425) 882-8080", "ring <PHONE> or <PHONE>"),
    ("+4930901820 is the office", "<PHONE> is the office"),
    ("+91 98765 43210", "<PHONE>"),
    ("ich bin unter 0171 2345678 zu haben", "ich bin unter <PHONE> zu haben"),
    ("mon numéro: 06 12 34 56 78", "mon numéro: <PHONE>"),
    ("030/901820 in Berlin", "<PHONE> in Berlin"),
    ("(212) 555-0123 or 212-555-0123", "<PHONE> or <PHONE>"),
    ("0043 664 1234567", "<PHONE>"),
    ("020 7946 0958.", "<PHONE>."),
    ("call me at 5551234567", "call me at <PHONE>"),
    ("my number is 2125550123, text me", "my number is <PHONE>, text me"),
    ("Tel. 901820 12", "Tel. <PHONE>"),
    ("https://wa.me/491711234567", "https://wa.me/<PHONE>"),
    ("pay to DE89 3704 0044 0532 0130 00 by noon", "pay to <IBAN> by noon"),
    ("GB82WEST12345698765432", "<IBAN>"),
    ("nl91 abna 0417 1643 00 AND HURRY", "<IBAN> AND HURRY"),
    ("visa 4111 1111 1111 1111 exp 12/27", "visa <CARD> exp 12/27"),
    ("5555555555554444", "<CARD>"),
    ("amex 3782-822463-10005", "amex <CARD>"),
    ("my ssn is 536-90-4399", "my ssn is <SSN>"),
    ("my server is 88.198.24.108:25565", "my server is <IP>:25565"),
    ("http://88.198.24.108/admin", "http://<IP>/admin"),
    ("2a01:4f8:c17:b8f::2 answers", "<IP> answers"),
    ("ssh 2a01:04f8:0c17:0b8f:0000:0000:0000:0002", "ssh <IP>"),
    ("postgres://bob:hunter2@db.example.com/x", "postgres://<SECRET>@db.example.com/x"),
    ("https://example.com/a?token=abcdef123&b=1", "https://example.com/a?token=<SECRET>&b=1"),
    (
        "https://discord.com/api/webhooks/1234567890123456789/" + "aB3_" * 17,
        "https://discord.com/api/webhooks/1234567890123456789/<SECRET>",
    ),
    ("key sk-proj-" + "aB3dEf6h" * 5, "key <SECRET>"),
    ("ghp_" + "aB3dEf6hI" * 4, "<SECRET>"),
    ("AKIAIOSFODNN7EXAMPLE", "<SECRET>"),
    ("hf_" + "aBcDeFgHiJ" * 3 + "xyzw", "<SECRET>"),
    ("client.run('MTIzNDU2Nzg5MDEyMzQ1Njc4.Gabcde." + "aB3_" * 9 + "')", "client.run('<SECRET>')"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_X", "<SECRET>"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "<SECRET>"),
    ("password: hunter2!x", "password: <SECRET>"),
    ('my password is "Tr0ub4dor&3"', 'my password is "<SECRET>"'),
    ("Authorization: Bearer abcDEF123456ghiJKL", "Authorization: Bearer <SECRET>"),
]

HARMLESS = [
    "hello there",
    "let's meet on 2024-05-17 at 14:30",
    "01.02.2024 03:15 and 17/05/2024",
    "20231231235959",
    "between 1914-1918 and 1939-1945, 2024 2025 2026",
    "it costs 1,299.99 dollars, or 1 200 000 kr",
    "€ 12.345.678,90 and $1000000000",
    "pi is 3.14159265358979323846",
    "1 2 3 4 5 6 7 8 9 10 11 12",
    "the population is 8045311447 now",
    "order 12345678901, ticket 998877665",
    "unix time 1700000000 or 1700000000000",
    "<@123456789012345678> and <:wave:1234567890123456789>",
    "message 1432106543210987654",
    "https://discord.com/channels/123456789012345678/4111111111111111",
    "https://example.com/item/0171-2345678?page=2&key=value",
    "for i in range(0, 100000000): print(i)",
    "```py\nx = 212-555-1234\ny = '+4930901820'\n```",
    "`(212) 555-1234` is what the regex matches",
    "0x7fff5fbff8c0 and 0xdeadbeef00112233",
    "token = get_token2()",
    "password = os.environ['PASSWORD_1']",
    "the password is required and has 8-16 characters",
    "Python 3.11.4, version 1.2.3.4, v10.0.0.12",
    "Windows 10.0.19041.1234, nets 88.198.24.0/24 and 224.0.0.5",
    "127.0.0.1:8000, 192.168.178.1 and 10.0.0.5",
    "::1, fe80::1 and std::vector<int>",
    "at 12:30:45, or 00:01:02:03",
    "a::b and dead::beef",
    "@app.route('/') and @alice said hi",
    "git clone git@github.com:owner/repo.git",
    "npm install lodash@4.17.21",
    "1920x1080, 4096x2160 at 60 Hz",
    "-122.4194155, 37.7749295",
    "123e4567-e89b-12d3-a456-426614174000",
    "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "4111 1111 1111 1112 fails the Luhn check",
    "DE89 3704 0044 0532 0130 01 has the wrong sum",
    "ISBN 978-3-16-148410-0",
    "score 555-1234, room 101, chapter 12",
    "sk-learn-contrib-something-very-long is a package",
    "5 + 7 = 12, 2^31 = 2147483648, +1 for that",
    "I was born in 1990 and my phone cost 1200 dollars",
    "call me at 2024-05-17 18:00",
    "Boston MA 02111-1307, postcode 90210-1234, Apt 12, 10115 Berlin",
    "https://user.example.com/path@v1?q=a@b",
    "ask Bob, who lives in Paris, about Napoleon",
    "電話は明日します。二〇二四年",
]


@pytest.mark.parametrize(("text", "kept"), PERSONAL)
async def test_what_is_personal_is_replaced_and_stays_so(text: str, kept: str) -> None:
    redactor = Redactor()
    assert await redactor.text(text) == kept
    assert await redactor.text(kept) == kept


@pytest.mark.parametrize("text", HARMLESS)
async def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert await Redactor().text(text) == text


async def test_of_a_conversation_only_what_people_wrote_is_changed() -> None:
    mail = "write to alice@example.com"
    before = talk(said(mail, name="alice@example.com"), bot_said(mail), said("hi", by=2))
    after = await Redactor().conversation(before)
    assert [turn.text for turn in after.turns] == ["write to <EMAIL>", mail, "hi"]
    assert after.turns[0].name == "alice@example.com"
    assert after.turns[1:] == before.turns[1:]


async def test_what_is_found_besides_gives_way_to_the_patterns() -> None:
    def words(text: str) -> list[Found]:
        return [Found(0, 5, "WORD"), Found(9, len(text), "REST")]

    text = "hello my mail is alice@example.com"
    assert await Redactor(more=words).text(text) == "<WORD> my mail is <EMAIL>"


async def test_presidio_knows_more_kinds_without_a_model() -> None:
    pytest.importorskip("presidio_analyzer", reason="the extra `privacy` is not installed")
    redactor = Redactor(more=presidio())
    text = "pay 16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ from 00:1A:2B:3C:4D:5E, a@example.com"
    assert await redactor.text(text) == "pay <WALLET> from <MAC>, <EMAIL>"
    for harmless in HARMLESS:
        assert await redactor.text(harmless) == harmless
