"""Segmentation of a trace into sentences, steps and thoughts; code, LaTeX and lists are allowed for.

The three are partitions of the text that refine one another: a thought consists of whole steps, a step of whole
sentences. The rules are for English text; docs/traces.md states their precision and recall on texts marked by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from clew.tasks.answers import THINK_CLOSE, THINK_OPEN


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a text, with the white space after it.

    start: index of its first character.
    end: index of the character after its last one.
    """

    start: int
    end: int

    def of(self, text: str) -> str:
        """Its text, without white space around it."""
        return text[self.start : self.end].strip()


_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[^\n]*\n.*?(?:^[ \t]*\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_DISPLAY = re.compile(
    r"\\\[.+?\\\]|\$\$.+?\$\$|\\begin\{(?P<env>(?:align|equation|gather|multline|eqnarray|cases|array)\*?)\}.+?"
    r"\\end\{(?P=env)\}",
    re.DOTALL,
)
_INLINE = re.compile(
    r"`[^`\n]+`|\\\(.+?\\\)|\$(?!\s)[^$\n]+?(?<!\s)\$(?!\d)|https?://\S+?(?=[.,;)]*(?:\s|$))"
    r"|\\f?boxed\{(?:[^{}\n]|\{[^{}\n]*\})*\}"
)
_ITEM = re.compile(r"(?P<indent>[ \t]*)(?:[-*+•]|\d{1,3}[.)]|\(\d{1,3}\)|[a-zA-Z][.)])[ \t]+(?=\S)")
_HEADING = re.compile(
    r"[ \t]*(?:(?!#{4}[ \t]+-?[$\\\d])#{1,6}[ \t]+\S|(?:\*\*|__)[^*\n]+(?:\*\*|__):?[ \t]*$"
    r"|(?:\*\*)?(?:step|part|case)[ \t]+\w{1,3}[ \t]*[:.])",
    re.IGNORECASE,
)
_TERMINAL = re.compile(r"[.!?…]+[\"'”’)\]*_]*(?=\s|$)")
_ENDED = re.compile(r"[.!?…][\"'”’)\]*_]*\s*$")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"'])(?:[A-Za-z]|(?:[A-Za-z]\.)+[A-Za-z]|mr|mrs|ms|dr|prof|st|jr|sr|rev|gen|col|inc|ltd|co|corp|vs|etc"
    r"|cf|al|eq|eqs|fig|figs|sec|ch|vol|no|nos|pp|ed|eds|resp|approx|min|max|avg|dept|est|thm|lem|prop|def|ex"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|step|part|case)\.$",
    re.IGNORECASE,
)
_ALSO_LAST = frozenset({"etc", "inc", "ltd", "co", "corp", "jr", "sr", "al", "min", "max", "no", "est"})
"""Abbreviations with which sentences often end: before a capital letter they are taken to end one."""
_WRAPPED_AT = 50  # characters from which on a line may have been broken by its width

SWITCH = re.compile(
    r"(?:(?:ah|oh|um|uh|okay|ok|but|no|hmm+)[,. …]+)*(?:"
    r"wait\b|hold on\b|hmm+[,. …]+(?:but|that|wait|no)\b|no,|actually,|alternatively\b|on second thought"
    r"|scratch that|scrap that|on the other hand, (?:i|we|maybe)|(?:maybe|perhaps) (?:i|we) should (?:try|use|instead)"
    r"|(?:one more|another|a different|a better) (?:approach|way|option|idea|method|possibility|strategy)\b"
    r"|(?:let me|let's|let us|i'?ll|i could|we could|i can|we can|i should) (?:instead|(?:try|use|take|consider)"
    r" (?:something|another|a different|an alternative|some other))"
    r"|(?:that|this|which|it)(?:'s| is| was| can't be| cannot be) (?:not right|not correct|wrong|incorrect|a dead end)"
    r"|(?:that|this|it) (?:doesn't|does not|didn't|did not|won't|can't|cannot) (?:work|help|fit)"
    r"|(?:that|this) (?:fails|failed)\b|(?:going|let me go|let's go) back\b|let me (?:reconsider|rethink|backtrack)"
    r"|(?:let me|let's) (?:start over|start again|redo)|i made (?:a|an) (?:mistake|error)|instead, (?:i|we|let)"
    r")",
    re.IGNORECASE,
)
"""Beginnings of a sentence that switch to another thought (the transitions of arXiv:2501.18585)."""


def sentences(text: str) -> list[Span]:
    """The sentences of `text`, a partition of it; [] for white space alone.

    A code block is one sentence. A displayed formula belongs to the sentence around it. A list item and a separate line
    begin a sentence. Decimals, abbreviations, and stops within code or LaTeX do not end one.
    """
    return [Span(s, e) for s, e in _pieces(text, _boundaries(text, _masked(text)))]


def steps(text: str) -> list[Span]:
    """The steps of `text`, a partition of it.

    Within a thinking block and after it, steps are paragraphs, list items and parts with a heading. Where there is only
    one paragraph, its lines are steps; where there is only one line, its sentences are. A sentence that ends with a
    colon before a code block or formula belongs to it. A sentence that begins a new thought begins a step.
    """
    masked = _masked(text)
    parts = _boundaries(text, masked)
    cuts: set[int] = set()
    regions = _regions(text)
    for start, end in regions:
        inner = [b for b in parts if start < b < end]
        cuts.add(start)
        for level in (_paragraph, _line, _sentence):
            found = [b for b in inner if level(text, masked, b)]
            cuts.update(found)
            if found:
                break
    cuts.update(s.start for s, new in zip(sentences(text), switches(text), strict=True) if new)
    return [Span(s, e) for s, e in _pieces(text, sorted(cuts - {0}))]


def thoughts(text: str) -> list[Span]:
    """The thoughts of `text`, a partition of it: runs of sentences that follow one approach (arXiv:2501.18585)."""
    cuts = [s.start for s, new in zip(sentences(text), switches(text), strict=True) if new]
    return [Span(s, e) for s, e in _pieces(text, [c for c in cuts if c > 0])]


def switches(text: str) -> list[bool]:
    """For each sentence, whether it begins a new thought. Of several such sentences in a row only the first counts."""
    marked = [bool(SWITCH.match(bare(s.of(text)))) for s in sentences(text)]
    return [new and not (i and marked[i - 1]) for i, new in enumerate(marked)]


def bare(sentence: str) -> str:
    """A sentence without leading thinking tags, list markers and quotation marks."""
    sentence = THINK_CLOSE.sub("", THINK_OPEN.sub("", sentence)).strip()
    item = _ITEM.match(sentence)
    return (sentence[item.end() :] if item else sentence).lstrip("\"'“‘*_> ")


def holding(spans: Sequence[Span], at: int) -> int:
    """The index of the span that holds character `at`; the last span for a character after all of them."""
    for i, span in enumerate(spans):
        if at < span.end:
            return i
    return len(spans) - 1


# --- boundaries -------------------------------------------------------------------------------------------------------


def _masked(text: str) -> str:
    """`text` with code and LaTeX masked, one letter a character, except for the stop that ends a displayed formula.

    The letters are C for code blocks, D for displayed formulas and M for inline code and formulas.
    """

    def blot(letter: str, match: re.Match[str]) -> str:
        inner = re.sub(r"(?:\\\]|\$\$|\\end\{[^}]*\})$", "", match.group()).rstrip()
        last = inner[-1] if letter == "D" and inner.endswith((".", "!", "?")) else letter
        return letter * (len(match.group()) - 1) + last

    for pattern, letter in ((_FENCE, "C"), (_DISPLAY, "D"), (_INLINE, "M")):
        text = pattern.sub(lambda m, c=letter: blot(c, m), text)  # type: ignore[misc]
    return text


def _regions(text: str) -> list[tuple[int, int]]:
    """The thinking blocks of `text` and the stretches between them."""
    return _pieces(text, [m.end() + _blank(text, m.end()) for m in THINK_CLOSE.finditer(text)])


def _blank(text: str, at: int) -> int:
    """The number of white-space characters from character `at` on."""
    space = re.compile(r"\s*").match(text, at)
    return space.end() - at if space else 0


def _before(text: str, at: int) -> tuple[str, str]:
    """The last line that is not empty before character `at`, and the white space between it and there."""
    end = at
    while end > 0 and text[end - 1].isspace():
        end -= 1
    return text[text.rfind("\n", 0, end) + 1 : end], text[end:at]


def _pieces(text: str, cuts: Iterable[int]) -> list[tuple[int, int]]:
    """The partition of `text` at these places; empty for white space alone."""
    if not text.strip():
        return []
    inner = sorted({c for c in cuts if 0 < c < len(text)})
    first, last = _blank(text, 0), len(text.rstrip())
    places = [0, *(c for c in inner if first < c < last), len(text)]
    return list(pairwise(places))


def _boundaries(text: str, masked: str) -> list[int]:
    """The characters at which sentences begin, without the first one."""
    starts: list[int] = []
    line_start = 0
    for match in re.finditer(r"\n\s*|$", masked):
        line = masked[line_start : match.start()]
        begins = line_start + len(line) - len(line.lstrip())
        starts += _within(masked, begins, match.start())
        after = match.end()
        if after < len(masked) and _breaks(text, masked, line_start, match.start(), after):
            starts.append(after)
        # A line begins with its leading blanks, which tell how deep a list item is nested.
        line_start = masked.rfind("\n", 0, after) + 1 if "\n" in match.group() else after
    return sorted(set(starts))


def _within(masked: str, begin: int, end: int) -> list[int]:
    """The characters at which sentences begin within one line, without its first."""
    item = _ITEM.match(masked, begin, end)
    found = []
    for match in _TERMINAL.finditer(masked, item.end() if item else begin, end):
        rest = masked[match.end() : end].lstrip()
        if not rest or not re.search(r"[^\W_]|[✓✔✗]", rest):
            continue
        stop = match.group()
        head = masked[max(begin, match.start() - 24) : match.start() + 1]
        if stop.startswith(".") and len(stop.rstrip("\"'”’)]*_")) == 1:
            abbreviation = _ABBREVIATION.search(head)
            word = abbreviation.group().strip(" ([\"'.\t\n").lower() if abbreviation else ""
            variable = len(word) == 1 and head.rstrip("\"'”’)]*_.")[-1:].islower()
            if abbreviation and not ((word in _ALSO_LAST or variable) and rest[0].isupper()):
                continue
        if rest[0].islower() and (stop[0] in ".…" or len(stop) > 1):
            continue
        found.append(end - len(masked[match.end() : end].lstrip()))
    return found


def _breaks(text: str, masked: str, begin: int, end: int, after: int) -> bool:
    """Whether the line break between `end` and `after` ends a sentence."""
    line, gap = masked[begin:end], masked[end:after]
    following = masked[after : after + 1]
    if THINK_OPEN.fullmatch(text[begin:end].strip()) or THINK_CLOSE.match(text, after):
        return False
    if THINK_CLOSE.search(text, begin, end) or _ENDED.search(line):
        return True
    if _starts_part(masked, after) or _HEADING.match(line) or following.startswith("C") or line.endswith("C"):
        return True
    if following.startswith("D"):
        return False
    lower = text[after].islower() or text[after] in ",;"
    if line.rstrip().endswith("D"):
        return not lower
    wrapped = len(line) >= _WRAPPED_AT and not line.rstrip().endswith((":", ";"))
    return gap.count("\n") > 1 or not (wrapped and (lower or line.rstrip().endswith(",")))


def _starts_part(masked: str, at: int) -> bool:
    begin = masked.rfind("\n", 0, at) + 1
    return bool(_ITEM.match(masked, begin) or _HEADING.match(masked, at, _line_end(masked, at)))


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _paragraph(text: str, masked: str, at: int) -> bool:
    """Whether a paragraph, an item of a list or a headed part begins at a boundary."""
    last, gap = _before(masked, at)
    if "\n" not in gap:
        return False
    if masked[at] in "CD" and re.match(r"[CD]{4}", masked[at : at + 4]) and last.endswith(":"):
        return False
    item = _ITEM.match(masked, masked.rfind("\n", 0, at) + 1)
    if item:
        return len(item.group("indent").expandtabs()) < 2
    if _HEADING.match(last) and not _ITEM.match(last) and gap.count("\n") == 1:
        return False
    return gap.count("\n") > 1 or bool(_HEADING.match(masked, at, _line_end(masked, at)))


def _line(text: str, masked: str, at: int) -> bool:
    return "\n" in _before(masked, at)[1]


def _sentence(text: str, masked: str, at: int) -> bool:
    return True
