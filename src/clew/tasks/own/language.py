"""The tasks `letters`, `words` and `json`: counting letters, sentences of a given length, JSON out of a sentence."""

from __future__ import annotations

import json as jsonlib
import re

from clew.registry import task
from clew.tasks.answers import visible
from clew.tasks.base import Draws, Generated, Item
from clew.tasks.lexicon import CITIES, JOBS, NAMES, PETS, TOPICS, WORDS

_SENTENCES = {
    3: "Birds sing loudly.",
    4: "Music makes me happy.",
    5: "The dog runs very fast.",
    6: "We walk along the quiet river.",
    7: "The old train is late again today.",
    8: "My friend reads a good book every night.",
    9: "The small cat sleeps on the warm kitchen floor.",
    10: "In the winter we drink hot tea near the fire.",
    11: "The children play in the garden until their mother calls them.",
    12: "Every morning the farmer feeds his animals and then drinks some coffee.",
}


def _make_letters(draws: Draws, level: int) -> Item:
    pool = [w for w in WORDS if {1: len(w) <= 7, 2: 7 < len(w) <= 10, 3: len(w) > 10}[level]]
    # Drawn by count first: most letters of most words occur once, and always answering 1 would look like skill.
    count = int(draws.words.integers(1, 4))
    pairs = [(word, letter) for word in pool for letter in sorted(set(word)) if word.count(letter) == count]
    word, letter = pairs[int(draws.words.integers(len(pairs)))]
    return Item(
        f"How many {letter} are in {word}?",
        f"The letter {letter} occurs {count} times in {word}.\n#### {count}",
        str(count),
    )


@task("letters", family="language", dial="length of the word, 1 to 3", grader="number", verifier="")
def letters() -> Generated:
    """How often a letter occurs in a word."""
    return Generated("letters", _make_letters, (1, 2, 3), 1, "length of the word", shots=6, max_tokens=64)


def words_in(sentence: str) -> list[str]:
    """The words of a sentence: runs of letters, digits, apostrophes and inner hyphens."""
    return re.findall(r"\w+(?:['’-]\w+)*", sentence)


def _sentence(text: str) -> str | None:
    """The first line of a solution, without quotes."""
    shown = visible(text)
    lines = [line.strip().strip('"“”*').strip() for line in (shown or "").splitlines() if line.strip()]
    return lines[0] if lines and len(lines[0]) <= 400 else None


def _make_words(draws: Draws, level: int) -> Item:
    count = {1: (3, 5), 2: (6, 8), 3: (9, 12)}[level]
    wanted = int(draws.words.integers(count[0], count[1] + 1))
    topic = draws.word(TOPICS)
    sample = _SENTENCES[wanted]

    def verify(answer: str) -> float:
        words = words_in(answer)
        repeated = len({w.lower() for w in words}) * 2 < len(words)
        return float(len(words) == wanted and not repeated and len(re.findall(r"[.!?](?:\s|$)", answer)) <= 1)

    return Item(
        f"Write a sentence about {topic} with exactly {wanted} words.", sample, sample, verify, verify, _sentence,
        {"words": wanted, "topic": topic},
    )  # fmt: skip


@task("words", family="language", dial="length: 3-5, 6-8, 9-12 words", grader="the verifier", verifier="word count")
def words() -> Generated:
    """A sentence of exactly k words."""
    return Generated("words", _make_words, (1, 2, 3), 1, "length of the sentence", steps=(" ",), max_tokens=48)


def _canonical_json(value: object) -> str:
    def plain(x: object) -> object:
        return x.strip() if isinstance(x, str) else x

    if isinstance(value, dict):
        value = {str(k).strip(): plain(v) for k, v in value.items()}
    return jsonlib.dumps(value, sort_keys=True, ensure_ascii=False)


def object_in(text: str) -> str | None:
    """The last JSON object in a solution, its keys sorted; None without one."""
    shown = visible(text)
    if shown is None:
        return None
    shown = shown[-4000:]
    decoder = jsonlib.JSONDecoder()
    found, position = None, 0
    while (position := shown.find("{", position)) >= 0:
        try:
            value, position = decoder.raw_decode(shown, position)
        except (ValueError, RecursionError):
            position += 1
        else:
            found = value
    return None if found is None else _canonical_json(found)


def _make_json(draws: Draws, level: int) -> Item:
    person, age = draws.word(NAMES), draws.number(18, 80)
    city, job, pet = draws.word(CITIES), draws.word(JOBS), draws.word(PETS)
    facts: dict[str, object] = {"name": person, "age": age}
    sentence = f"{person} is {age} years old"
    if level > 1:
        facts["city"], sentence = city, sentence + f" and lives in {city}"
    if level > 2:
        facts["job"], sentence = job, f"{sentence}, works as a {job}"
    if level > 3:
        facts["pet"], sentence = pet, f"{sentence} and has a {pet}"
    reference = _canonical_json(facts)
    keys = ", ".join(facts)

    def grade(answer: str) -> float:
        return float(answer == reference)

    return Item(f"{sentence}. Give {keys} as JSON.", jsonlib.dumps(facts), reference, None, grade, object_in)


@task("json", family="language", dial="fields, 2 to 5", grader="equal objects", verifier="")
def json() -> Generated:
    """A small JSON object out of a sentence."""
    return Generated("json", _make_json, (1, 2, 3, 4), 3, "number of fields less one", shots=2, max_tokens=80)
