r"""What a prompt is about, by rules that anybody can follow: the first one that fits decides.

1. `code`: it has code in backticks, or what only programs have (`def f(`, `#include`,
   `SELECT … FROM`, `console.log(`, `</div>`), or a word of programming (`python`, `regex`,
   `programmieren`, `code source`, `código fuente`).
2. `creative`: it asks for something to be made up, by a verb of making (write, tell; schreib,
   erzähl; écris, raconte; escribe, cuenta) and within four words a thing that is made up (poem,
   story, joke, song); or begins with that thing and what it is about ("a haiku about rain"), or
   as tales do ("once upon a time"); or it gives a part to play ("pretend you are").
3. `question`: it has a question mark of any script, or a sentence of it begins with a word that
   questions begin with.
4. `chat`: all the rest.

Words are English, German, French and Spanish; programs and question marks are the same in any
language. Links, mentions and a server's own emoji are not looked at.
"""

from __future__ import annotations

import re
import unicodedata

TOPICS = ("chat", "question", "creative", "code")

LONGEST = 4_000
"""Characters that are looked at; what comes after them is pasted as a rule."""


def topic_of(text: str) -> str | None:
    """One of TOPICS, as the rules above have it; None of a text without a letter or digit."""
    said = _NO_WORDS.sub(" ", unicodedata.normalize("NFC", text[:LONGEST]))
    if not any(character.isalnum() for character in said):
        return None
    fitting = (topic for topic, rules in _RULES if any(rule.search(said) for rule in rules))
    return next(fitting, "chat")


def _any(*words: str) -> str:
    """One of some words, each the beginning of a pattern; `_` stands for white space."""
    return "|".join(word.replace("_", r"\s+") for part in words for word in part.split())


def _words(pattern: str) -> re.Pattern[str]:
    """A pattern that begins and ends where words do, in capitals or not."""
    return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE)


_NO_WORDS = re.compile(r"https?://\S+|<a?[:@#/][^<>\s]{1,100}>")

_PROGRAM = re.compile(
    r"""
    ```|`[^`\n]+`
    | ^[^\S\n]*(?:def|class)\ \w+\s*[(:]
    | ^[^\S\n]*(?:import|from)\ [\w.]+(?:\ import\ .+)?;?$
    | ^[^\S\n]*\#(?:include|define)\b
    | \b(?:console\.log|System\.out|std::|printf?|println!?|fmt\.Print\w*)\s*\(?["'(:]
    | \bSELECT\b[^;]{1,200}\bFROM\b
    | </\w+>
    | \b(?:function|public\ static|private\ static)\ \w+\s*\(
    | \b(?:const|let|var)\ \w+\s*=
    | \w\(\)\s*[;{]
    | \b(?:sudo\ \w|pip\ install|npm\ (?:i|install|run)|git\ (?:commit|push|pull|clone|rebase))\b
    """,
    re.MULTILINE | re.VERBOSE,
)
_PROGRAMMING = _words(
    _any(
        r"c\+\+ c# \.net node\.js python javascript typescript kotlin golang haskell php perl html",
        "css sql mysql postgres(?:ql)? sqlite json yaml xml regexp? regexes bash powershell numpy",
        "pandas pytorch django docker(?:file)? kubernetes git api_endpoint rest_api stack_?trace",
        "traceback segfault segmentation_fault null_?pointer syntax_error compiler linked_list",
        "debug(?:ging|ger)? refactor(?:ing)? unit_tests? algorithms? source_code pseudo-?code",
        "code_review programming coding programmers? software_developers? binary_(?:tree|search)",
        "java_(?:code|program|class|method)",
        "(?:write|fix|explain|review)(?:_(?:me|a|an|the|this|my|some)){0,2}_(?:code|script|program)",
        r"programmier\w* quell(?:code|text) algorithmus algorithmen debuggen kompilier\w*",
        r"softwareentwick\w*",
        "algorithmes? code_source programmation compilateur programmer_en déboguer",
        "algoritmos? código_fuente programación programador(?:es|as?)? programar compilador",
        "depurar",
    )
)

_MAKE = _any(
    "write compose invent create make_up tell sing draft imagine give rhyme",
    "schreib(?:e|en|st|t)? erzähl(?:e|en|st|t)? dichte(?:n|t)? erfinde(?:n|t|st)?",
    "verfass(?:e|en|t)? denk(?:e|t)? gib mach(?:e|en|t|st)?",
    "écris(?:-moi|-nous)? écrire écrivez raconte(?:-moi|-nous|r|z)? invente(?:-moi|-nous|r|z)?",
    "compose(?:-moi|r|z) imagine(?:r|z) rédige(?:r|z)? fais(?:-moi|-nous)? donne(?:-moi|-nous)?",
    "escr[ií]be(?:me|nos)? escribir escriba cu[eé]nta(?:me|nos)? contar inv[eé]nta(?:me|nos)?",
    "inventar compón componer imagina haz(?:me)? dame crea",
)
_MADE = _any(
    "poems? poetry haikus? limericks? sonnets? ballads? verses? rhymes? stor(?:y|ies) backstory",
    "tales? fairy_?tales? fables? jokes? puns? songs? lyrics rap screenplays? sketch(?:es)?",
    "riddles? novels? dialogues? slogans? parod(?:y|ies) fan_?fictions?",
    "gedichte? ballade verse? reime? (?:kurz)?geschichten? märchen fabeln? witze? lied(?:er|text)?",
    "songtexte? rätsel romane?",
    "poèmes? poésies? sonnets histoires? contes? blagues? chansons? romans? devinettes? paroles",
    "poemas? poesías? sonetos? historias? cuentos? relatos? chistes? canci(?:ón|ones) novelas?",
    "adivinanzas? fábulas? rimas?",
)
_BETWEEN = (
    r"(?:[\s,]+(?!(?:wh\w+|how|if|about|w[aeio]\w+|ob|über|qu\w+|si|sur|sobre)\b)[\w'’-]+){0,4}?"
)
_ASKED_FOR = _words(rf"(?:{_MAKE}){_BETWEEN}[\s,:]+(?:{_MADE})")
_NAMED = re.compile(
    rf"\A\W*(?:(?:an?|one|some|eine?|une?|una)\s+)?(?:[\w-]+\s+)?(?:{_MADE})\s+"
    r"(?:about|on|über|von|sur|sobre|de)\b",
    re.IGNORECASE,
)
_TOLD = re.compile(
    r"\b(?:once\s+upon\s+a\s+time|es\s+war\s+einmal|il\s+était\s+une\s+fois"
    r"|(?:érase|había)\s+una\s+vez)\b",
    re.IGNORECASE,
)
_PLAYED = _words(
    _any(
        "pretend_(?:to_be|that|you) role-?_?play act_(?:as|like)_(?:an?|the|if|my)",
        "imagine_(?:that_)?you(?:_are|['’]re) you_are_now_(?:an?|the)",
        "stell_dir_vor,?_du_(?:bist|wärst) tu_so,?_als spiele?_die_rolle",
        "imagine_que_tu_es fais_semblant joue_le_rôle",
        "imagina_que_eres finge_(?:ser|que) haz_de_cuenta actúa_como",
    )
)

_MARK = re.compile("[?\u00bf\u037e\u061f\u1367\u2e2e\ua60f\ufe56\uff1f]")
_ASKING = _any(
    r"what(?!_an?\b) (?:what|who|where|how)['’]?s who whom whose when where why which how",
    "is are am was were do does did don['’]t doesn['’]t didn['’]t isn['’]t aren['’]t can can['’]t",
    r"could would should shall has have(?=_you\b) may(?=_i\b) will(?=_(?:you|he|she|it|they)\b)",
    "wer wen wem wessen was wann wo woher wohin warum wieso weshalb wie welche[rsnm]? womit wofür",
    "worüber wozu ist sind bist hast hat kann kannst können könntest weißt gibt_es",
    r"qui quoi qu['’]est-ce quand où pourquoi comment(?!_(?:on|below|your|this)\b) combien",
    r"quel(?:le)?s? lequel laquelle est-ce \w+-(?:tu|vous|il|elle) y_a-t-il",
    "qué quién(?:es)? cuándo dónde adónde por_qué cómo cuál(?:es)? cuánt[oa]s? puedes podrías",
    "sabes",
)
_GREETING = _any(
    "so and but ok okay hey hi hello well und aber also hallo na et mais alors salut y pero hola"
)
_ASKS = re.compile(
    rf"(?:\A|[.!:\n])[^\w\n]{{0,5}}(?:(?:{_GREETING})[\s,]+){{0,2}}(?:{_ASKING})(?!\w)",
    re.IGNORECASE,
)

_RULES = (
    ("code", (_PROGRAM, _PROGRAMMING)),
    ("creative", (_ASKED_FOR, _NAMED, _TOLD, _PLAYED)),
    ("question", (_MARK, _ASKS)),
)
