"""Words: cutting text into tokens, finding what a question is about, and talking about it."""

import re
from functools import cached_property
from itertools import islice
from random import Random

from msgspec import Struct

MAX_TOKENS = 4096
"""The longest answer of a demo model, all choices together."""

CONTEXT_TOKENS = 131_072
"""The longest conversation it reads."""

_TOKEN = re.compile(r"\s*\S{1,12}|\s+")
_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_NUMBER = re.compile(r"(?<![\w.])-?\d{1,15}(?:\.\d{1,6})?(?!\w)")
_LINKS = frozenset(
    ("a", "about", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with")
)
_SMALL_WORDS = """
all am an any are as be been but call can could did do does explain find get give had has have
how i i'm if into is it it's its just let like make many may me might more most much my no not
one our please say should show so some such tell than that their them then there these they this
those today up us use want was we were what what's when where which who whose why will would
write you your
"""
_SKIPPED = frozenset(_SMALL_WORDS.split())
_READ_CHARACTERS = 2000


class Media(Struct, frozen=True):
    """An image, a sound, a video or a file: what kind, and its address or data URL or name."""

    kind: str
    source: str

    def described(self) -> str:
        """Return a few words in brackets that stand for it."""
        if not self.source.startswith("data:"):
            return f"[{self.kind}: {self.source[:200]}]"
        about, _, data = self.source[5:].partition(",")
        size_kb = max(1, len(data) * 3 // 4 // 1024)
        return f"[{self.kind}: {about.partition(';')[0][:100]}, {size_kb} KB]"


class Words:
    """What can be gathered from a question without understanding it."""

    def __init__(self, question: str) -> None:
        self._text = question[:_READ_CHARACTERS]
        self._lower = self._text.lower()
        self._found = [
            match
            for match in _WORD.finditer(self._text)
            if match.group().lower() not in _SKIPPED | _LINKS
        ]

    @cached_property
    def topic(self) -> str:
        """The question from its first to its last word of substance, at most eight words."""
        if not self._found:
            return "this"
        text = self._text[self._found[0].start() : self._found[-1].end()]
        kept = [word for word in text.split() if word.lower() not in _SKIPPED]
        return " ".join(kept[:8])

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The words of substance, those that look like proper names first."""
        ranked = sorted(self._found, key=lambda m: (m.start() == 0, not m.group()[0].isupper()))
        return tuple(dict.fromkeys(match.group() for match in ranked)) or ("demo",)

    @cached_property
    def numbers(self) -> tuple[float, ...]:
        """The numbers that occur in the question."""
        return tuple(float(match.group()) for match in _NUMBER.finditer(self._text))

    def mentions(self, text: str) -> bool:
        """Say whether `text` occurs in the question, whatever its case."""
        return bool(text) and text.lower() in self._lower

    def overlap(self, text: str) -> int:
        """Return how many words of substance the question shares with `text`."""
        others = {word.lower() for word in re.findall(r"[^\W_]+", text[:_READ_CHARACTERS])}
        return len({match.group().lower() for match in self._found} & others)


def count_tokens(text: str | bytes) -> int:
    """Return about how many tokens a text takes to read: a quarter of its bytes, rounded up."""
    size = len(text.encode()) if isinstance(text, str) else len(text)
    return -(-size // 4)


def tokens(text: str, most: int = MAX_TOKENS) -> tuple[str, ...]:
    """Cut a text into at most `most` words, each with the space before it."""
    return tuple(match.group() for match in islice(_TOKEN.finditer(text), most))


def prose(words: Words, rng: Random) -> str:
    """Write a few paragraphs about a question whose answer one does not know."""
    paragraphs = [rng.choice(_OPENINGS), *rng.sample(_MIDDLES, 2), rng.choice(_CLOSINGS)]
    return "\n\n".join(paragraphs).replace("{topic}", words.topic)


def thoughts(words: Words, effort: str, rng: Random) -> str:
    """Think aloud before answering, longer when more effort is asked for."""
    count = {"minimal": 1, "low": 2, "medium": 3}.get(effort, len(_THOUGHTS))
    chosen = sorted(rng.sample(range(len(_THOUGHTS)), count))
    return " ".join(_THOUGHTS[i] for i in chosen).replace("{topic}", words.topic)


def retelling(words: Words, results: tuple[str, ...]) -> str:
    """Answer a question from what tools returned."""
    found = "\n".join(f"> {result[:_READ_CHARACTERS]}" for result in results)
    return f"About {words.topic}, here is what I was told:\n\n{found}\n\nI could not say it better."


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


_OPENINGS = _paragraphs("""
You ask about {topic}. It is a fine question, and I shall treat it with the respect that a small
program owes to a large subject.

Ah, {topic}. Travellers have brought me that question at every hour of the day, and each of them
left with a slightly different answer.

Let us speak of {topic}. Sit down, the tea is still warm, and nobody is waiting behind you.

Few subjects are as rewarding as {topic}, above all for someone who, like me, has read no books
about it.
""")
_MIDDLES = _paragraphs("""
There are three schools. The first holds that {topic} explains itself to the patient. The second
holds that patience was never the difficulty. The third has not yet replied, and its letters are
worth waiting for.

An old interpreter once said that every question arrives in one language and leaves in another.
With {topic} the road between the two is short, but it is steep, and it has a view.

Consider the matter from the far side of the river. What seemed to be about {topic} turns out to
be about who is asking, and what they hope to do with the answer before supper.

The archives say little of {topic}, and what they say is in a neat hand: measure first, change
one thing, measure again. The rest of the page is a drawing of a heron.

Experts disagree about {topic} in good faith and at great length. They agree on one point, which
is that it was simpler in the drawing.
""")
_CLOSINGS = _paragraphs("""
In truth I am a demo model: I know nothing of {topic}, but every word of this came to you
through the same gateway that a real answer would take. Add a provider, and ask again.

So much from a scholar who lives in memory and has never left it. For what is known about
{topic}, connect a provider; the question need not change.

That is all I can say of {topic} without an account anywhere. Yet you have seen the words arrive
one by one, been billed for each of them, and lost nothing on the way.
""")
_THOUGHTS = _paragraphs("""
The question is about {topic}.

I should first see what is asked, and only then what I would like to answer.

I know nothing about {topic}, so honesty will have to do the work of knowledge.

A short answer would be unkind and a long one would be tiring; a few paragraphs, then.

Let me check that once more: {topic}. Yes.

Now to write it down.
""")
