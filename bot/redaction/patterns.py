"""What in a text is personal, told by its form and, where it has one, by its checksum.

A wrong placeholder spoils a prompt for good, so numbers count only where they can be
nothing else: a date, a price, a version or an id of Discord's stays.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stdnum import iban, luhn
from stdnum.us import ssn

from bot.redaction.phones import phones

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Found:
    """Something personal in a text, `[start, end)`; `kind` is its placeholder's name."""

    start: int
    end: int
    kind: str

    def overlaps(self, other: Found) -> bool:
        """Whether the two have a character in common."""
        return self.start < other.end and other.start < self.end


def find(text: str) -> list[Found]:
    """All that is personal in `text`; nothing overlaps, the kinds come in their order."""
    found: list[Found] = []
    for kind, finder in FINDERS:
        for start, end in finder(text):
            one = Found(start, end, kind)
            if not any(one.overlaps(other) for other in found):
                found.append(one)
    return found


def _any(*patterns: str, flags: int = 0) -> Callable[[str], Iterator[tuple[int, int]]]:
    """Find what any of the patterns matches, or their group `it` alone."""
    compiled = [re.compile(pattern, flags) for pattern in patterns]

    def finder(text: str) -> Iterator[tuple[int, int]]:
        for pattern in compiled:
            group = "it" if "it" in pattern.groupindex else 0
            yield from (match.span(group) for match in pattern.finditer(text))

    return finder


_DIGIT = r"(?=[^\s\"'`<>]{0,80}\d)"
"""A digit in the word: what is only letters is rather a word than a key."""

_ISSUED = (
    r"gh[opsur]_[A-Za-z0-9]{36,}|github_pat_\w{22,}|glpat-[\w-]{20,}",
    r"xox[abeprs]-[\w-]{10,}|xapp-[\w-]{20,}",
    rf"{_DIGIT}(?:sk|pk|rk)-[A-Za-z0-9_-]{{20,}}|(?:sk|pk|rk|whsec)_(?:live_|test_)?[A-Za-z0-9]{{24,}}",
    r"(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{35}|ya29\.[\w-]{20,}",
    r"hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-[\w-]{50,}|SG\.[\w-]{22}\.[\w-]{43}",
    r"\d{8,10}:[A-Za-z0-9_-]{35}",  # Telegram
    r"[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,}|mfa\.[\w-]{80,}",  # Discord
    r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",  # JSON Web Tokens, RFC 7519
)
"""Secrets by the beginnings that their issuers gave them so that they can be found."""

_IN_LINKS = (
    r"(?i:[?&#](?:access_|auth_|refresh_|id_)?(?:token|api_?key|secret|password|passwd|pwd"
    r"|sig(?:nature)?|x-amz-signature)=)(?P<it>[^\s&#<>\"')]{6,})"
)
_CALLED_SO = (  # but `token = get_token2()` is code and no secret
    r"(?i:\b(?:password|passwd|passwort|pwd|passphrase|passcode"
    r"|(?:api|secret|access)[ _-]?key|(?:access|auth|bot|api)[ _-]?token|client[ _-]?secret)"
    rf"[\"']?\s*(?:[:=]|\bis\b)\s*)[\"'`]?{_DIGIT}(?P<it>[^\s\"'`,;<>()\[\]]{{6,}})(?![\w(\[.])"
)
_SECRETS = (
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    r"(?<=://)(?:[^\s/?#@:]{1,64}:[^\s/?#@]{1,128}|[^\s/?#@:]{16,128})(?=@)",
    _IN_LINKS,
    r"(?i:discord(?:app)?\.com/api/(?:v\d+/)?webhooks/\d{15,20}/)(?P<it>[\w-]{40,})",
    *(rf"(?<![\w-]){issued}(?![\w-])" for issued in (f"(?:{one})" for one in _ISSUED)),
    rf"(?i:\b(?:bearer|basic)\s+){_DIGIT}(?P<it>[\w.~+/-]{{16,}}=*)",
    _CALLED_SO,
)

_SPELT_OUT = (
    r"(?i:(?<![\w.+%-])[\w.+%-]{1,64}\s?[(\[]\s?at\s?[)\]]\s?"
    r"(?:[\w-]{1,63}\s?(?:\.|[(\[]\s?dot\s?[)\]])\s?)+[^\W\d_]{2,24})(?![\w-])"
)
_EMAILS = (
    r"(?<![\w.+%-])(?!git@)[\w.+%-]{1,64}@(?:[\w-]{1,63}\.)+[^\W\d_]{2,24}(?![\w-])",
    _SPELT_OUT,
)

_IBAN = re.compile(r"(?<![\w-])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}", re.IGNORECASE)


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    """ISO 13616: the longest beginning that holds, as words may follow it."""
    for match in _IBAN.finditer(text):
        for end in range(match.end(), match.start() + 14, -1):
            whole = not text[end : end + 1].isalnum() and text[end - 1].isalnum()
            if whole and iban.is_valid(text[match.start() : end]):
                yield match.start(), end
                break


_CARD = re.compile(r"(?<![\w.,/-])\d(?:[ -]?\d){12,18}(?![\w/-]|[.,]\d)")
_ISSUERS = re.compile(
    r"4\d{12}(?:\d{3})?|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"
    r"|3[47]\d{13}|(?:6011|65\d\d|64[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}"
    r"|3(?:0[0-5]|[68]\d)\d{11}"
)
"""Visa, Mastercard, American Express, Discover, JCB, Diners: the lengths that they issue.
None begins and is as long as an id of Discord's."""


def _cards(text: str) -> Iterator[tuple[int, int]]:
    """ISO/IEC 7812 numbers of the known issuers whose Luhn digit holds."""
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if _ISSUERS.fullmatch(digits) and luhn.is_valid(digits):
            yield match.span()


_SSN = re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])")


def _social_security(text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in _SSN.finditer(text) if ssn.is_valid(match[0]))


_ADDRESS = re.compile(
    r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)"
    r"|(?<![\w:.])(?=[0-9A-Fa-f]*:[0-9A-Fa-f:]*:)[0-9A-Fa-f:]{3,39}(?![\w:])"
)
_VERSION = re.compile(
    r"(?:\bv|\bversions?|\brelease|\bbuild|\bfirmware|\bdrivers?|\bupdate|\bsection|==)[ .:=]*\Z",
    re.IGNORECASE,
)
_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that is given out of IPv6 (RFC 4291, 2.4)."""


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    """IP addresses on the open internet; those of home networks and of this machine stay."""
    for match in _ADDRESS.finditer(text):
        try:
            address = ipaddress.ip_address(match[0])
        except ValueError:
            continue
        before = text[max(0, match.start() - 20) : match.start()]
        if _of_somebody(address) and not _VERSION.search(before):
            yield match.span()


def _of_somebody(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether a machine on the open internet can have it; x.y.z.0 is a net or a version."""
    if not address.is_global or address.is_multicast:
        return False
    return address in _UNICAST if address.version == 6 else address.packed[-1] != 0  # noqa: PLR2004 - IPv6


FINDERS: tuple[tuple[str, Callable[[str], Iterable[tuple[int, int]]]], ...] = (
    ("SECRET", _any(*_SECRETS)),
    ("EMAIL", _any(*_EMAILS)),
    ("IBAN", _ibans),
    ("CARD", _cards),
    ("SSN", _social_security),
    ("IP", _addresses),
    ("PHONE", phones),
)
"""By kind; what an earlier one found, a later one leaves alone."""
