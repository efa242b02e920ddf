"""The rules of `twofold lint`, each declared once; the checks name them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, StrEnum, auto


class Severity(StrEnum):
    """What a finding means: the data must not be used so, or somebody should look."""

    ERROR = "error"
    WARNING = "warning"


class Needs(Flag):
    """What a table, or the manifest, must have before a rule has anything to look at.

    PAIRS are sides of which one is preferred, VERDICTS such pairs or labels under a prompt,
    PLACES votes that tell which place won.
    """

    NOTHING = 0
    ROWS = auto()
    FORMAT = auto()
    TRAINING = auto()
    TEXTS = auto()
    SIDES = auto()
    PAIRS = auto()
    PROMPTS = auto()
    TEXT_PROMPTS = auto()
    CHATS = auto()
    VERDICTS = auto()
    PLACES = auto()
    LABELS = auto()
    SPLITS = auto()
    MANIFEST = auto()


@dataclass(frozen=True, slots=True)
class Rule:
    """`help` says what is looked for, `fix` what to do where it is found."""

    name: str
    severity: Severity
    help: str
    fix: str
    needs: Needs


def _error(name: str, help_: str, fix: str, needs: Needs = Needs.ROWS) -> Rule:
    return Rule(name, Severity.ERROR, help_, fix, needs)


def _warning(name: str, help_: str, fix: str, needs: Needs = Needs.ROWS) -> Rule:
    return Rule(name, Severity.WARNING, help_, fix, needs)


UNREADABLE = _error(
    "unreadable",
    "Files and rows that cannot be read.",
    "Write the file again, or take the row out.",
    Needs.NOTHING,
)
NO_DATA = _error(
    "no-data",
    "A folder or file without rows.",
    "Write rows into it, or take the file away: loaders fail on it.",
    Needs.NOTHING,
)
COLUMNS = _error(
    "columns",
    "Columns that are missing, differ between files, or are too many for `openai`.",
    "Give every file the columns of its format.",
)
UNEVEN = _warning(
    "uneven-keys",
    "Rows without a key that other rows of the file have.",
    "Write every key in every row, with null where there is nothing.",
)
TYPES = _error(
    "types",
    "Values of the format's columns that are of another type.",
    "Write texts as strings, chats as lists of messages with `role` and `content`.",
    Needs.FORMAT,
)
MIXED = _warning(
    "mixed-types",
    "Other columns whose values change their type.",
    "Keep one type for each column: loaders guess it from the first rows.",
)
MANIFEST = _error(
    "manifest",
    "Files that are not what `manifest.json` says: hash, rows, presence.",
    "Export again; the files were changed after they were written.",
    Needs.MANIFEST,
)
FEW = _warning(
    "few-rows",
    "A training split too small to be taken: 3 rows, for `openai` 10.",
    "Collect more before training.",
    Needs.TRAINING,
)
EMPTY = _error(
    "empty",
    "An empty prompt, side or message.",
    "Take the row out: it teaches to say nothing.",
    Needs.TEXTS,
)
EQUAL = _error(
    "equal-sides",
    "Sides that are the same but for white space and case.",
    "Take the row out: there is nothing to prefer.",
    Needs.PAIRS,
)
ROLES = _error(
    "roles",
    "Chats that do not take turns, or sides that an assistant did not write.",
    "A prompt begins with `system` or `user`, takes turns and ends with `user`; a side is one "
    "`assistant` message.",
    Needs.CHATS,
)
PROMPT_END = _warning(
    "prompt-end",
    "Text prompts that end in white space.",
    "Move the space to the beginning of the completions: tokens grow together across it.",
    Needs.TEXT_PROMPTS,
)
COMPLETION_START = _warning(
    "completion-start",
    "Text completions that do not begin with white space, where the prompt does not end in it.",
    "Begin the completion with the space or line break that the model would write.",
    Needs.TEXT_PROMPTS,
)
SPECIAL = _warning(
    "special-tokens",
    "Texts with tokens such as `<bos>`, `</s>` or `[INST]`.",
    "Take them out: trainers add their own, and two of them are another prompt.",
    Needs.TEXTS,
)
PROMPT_LENGTH = _warning(
    "prompt-length",
    "Prompts that alone fill the token limit.",
    "Shorten them or raise the trainer's max_length: TRL drops these rows without a word.",
    Needs.PROMPTS,
)
ROW_LENGTH = _warning(
    "row-length",
    "Rows whose prompt and one side together are over the token limit.",
    "Shorten them or raise the trainer's max_length: the end of the side is cut off.",
    Needs.SIDES,
)
IDS = _error(
    "ids",
    "Ids, mentions, invites and links of Discord.",
    "Take them out: they tell who people are.",
)
NAMES = _error(
    "names",
    "Names of the list given with `--names`.",
    "Put something like `Member 1` in their place.",
)
PERSONAL = _error(
    "personal-data",
    "Mail addresses, telephone numbers, accounts, cards, IP addresses.",
    "Redact the text, or take the row out.",
)
SECRETS = _error(
    "secrets",
    "Passwords, tokens and keys.",
    "Take them out, and have whoever owns them make new ones.",
)
DUPLICATES = _warning(
    "duplicates",
    "Rows that occur twice in a split.",
    "Keep one of them, unless each stands for a vote.",
    Needs.SIDES,
)
CONTRADICTIONS = _warning(
    "contradictions",
    "A pair preferred both ways, or a completion with both labels.",
    "Keep what most voters said, unless each row stands for a vote.",
    Needs.VERDICTS,
)
NEAR = _warning(
    "near-duplicates",
    "Rows of a split that are nearly the same (MinHash, 3-word shingles, Jaccard 0.8).",
    "Keep one of them.",
    Needs.SIDES,
)
LEAK = _error(
    "split-leak",
    "The same prompt in two splits.",
    "Split by prompt: figures of a test set that was trained on say nothing.",
    Needs.PROMPTS | Needs.SPLITS,
)
NEAR_LEAK = _warning(
    "near-leak",
    "Prompts or rows that are nearly the same in two splits.",
    "Keep them in one split.",
    Needs.SIDES | Needs.SPLITS,
)
LENGTH = _warning(
    "length-balance",
    "Chosen sides that are longer, or shorter, in clearly over 60 % of the rows.",
    "Match pairs by length, or use a loss that corrects for it: else length is what is learnt.",
    Needs.PAIRS,
)
POSITION = _warning(
    "position-balance",
    "A place, A or B, that wins clearly over 55 % of the decided votes.",
    "Show the answers in random order, and correct the ranking for the place.",
    Needs.PLACES,
)
LABELS = _warning(
    "label-balance",
    "KTO labels that are all true or all false.",
    "Have both: TRL trains on one alone, but it wants a small learning rate.",
    Needs.LABELS,
)

RULES: tuple[Rule, ...] = (
    *(UNREADABLE, NO_DATA, COLUMNS, UNEVEN, TYPES, MIXED, MANIFEST, FEW),
    *(EMPTY, EQUAL, ROLES, PROMPT_END, COMPLETION_START, SPECIAL, PROMPT_LENGTH, ROW_LENGTH),
    *(IDS, NAMES, PERSONAL, SECRETS),
    *(DUPLICATES, CONTRADICTIONS, NEAR, LEAK, NEAR_LEAK, LENGTH, POSITION, LABELS),
)
"""In the order in which a report tells of them."""
