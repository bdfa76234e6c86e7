r"""Multiple choice: the letter that a text settles on.

A letter counts where it stands as one: the A of "A cat" is an article, that of "A = 5 m^2" or \boxed{A + B} a quantity,
the I of "I think" a pronoun; a small letter only in brackets, alone, or in "so c is the answer". The last box with a
letter comes first, unless the text behind it takes it back; then the last clause that decides ("the answer is (C)",
"D is correct", "which leaves D"), and neither rejects nor asks; then a last clause that is a letter alone or ends in
"option C" or "is C"; then a letter that leads lines, if it is the only one that does. Words that call a statement true
("C is true") settle nothing: which one is false may be the question.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from z1_core.final_answer import affirmed, boxes, own_turn, retraction, statements, undressed

ONE = r"[(\[]?([A-J])[)\]]?"
SMALL = re.compile(
    r"(?<!\w)\([a-j]\)|(?:^\W*|\b(?:option|choice|answer(?: is|:)|so|thus|hence|therefore|its?)\s+)[a-j]"
    r"(?=\)|\W*$| is (?:the )?(?:correct|right|answer)\b)",
    re.IGNORECASE | re.MULTILINE,
)
LETTER = re.compile(
    r"[(\[]([A-J])[)\]]|([A-J])(?=\s*$|[)\].,;!]|:(?![A-Z])|\s+[-–—]\s+(?![A-Z]\W*$)|\s*[/&]\s*[A-J]\b"
    r"|\s+(?:\(|(?:here|then)\b|(?:and|or)\b(?!\s+[A-J]\s+\w)))"
)
"""Any other word or sign behind it makes it part of a phrase or a formula."""
PREFIX = re.compile(
    r"(?:[\s:.,–—∴⇒-]|(?:therefore|thus|hence|so|no|it is|it'?s|is|option|choice|letter|answer|only|with|but"
    r"|ok(?:ay)?|well|yes|by elimination|(?:most )?(?!un|hard)\w+ly|the \w+ option|in (?:conclusion|summary))\b)*",
    re.IGNORECASE,
)
SUFFIX = re.compile(r",? (?:I (?:think|believe|guess|say)|for sure|it is)\W*$|,? \(?(?:the )?\w+ option\W*$")
LONGEST = 2000
"""Characters that are looked at of a clause; no sentence has more."""
ASIDE = (
    r"(?:because|since|as(?! \(?[A-J]\b)|due|given that|while|although|though|whereas|rather|instead"
    r"|unlike|over|than|not(?= (?:the )?(?:option |choice )?[A-J(]))\b"
)
"""In front of a clause that does not decide."""
GIVEN = re.compile(rf"^\W*{ASIDE}.*?,\s+(?=(?:the|my|I|option|choice)\b)", re.IGNORECASE)
"""The reason that stands in front: "Since A is false, the answer is B." """
CLAUSES = re.compile(
    rf"\n+|(?<=[.!?;])\s+|(?<!\ball),?\s+(?={ASIDE}|(?:which|but)\b)"
    r"|(?<!\bno),\s+(?=(?:and|so|leaving|no|we|what|it|[A-J] is)\b|(?<![A-J)],\s)\(?[A-J]\)?[.!]?(?:\n|$))",
    re.IGNORECASE,
)
REJECTS = re.compile(
    r"\b(?:not|never|cannot|neither|nor|except|all but|unlikely|wrong|incorrect|false|eliminat(?!ion)\w*|exclud\w*|discard"
    r"|compare|about|whether|ruled?|rules|(?:re)?consider|look|check|evaluate|next|if|could|might|may)\b|\?",
    re.IGNORECASE,
)
NAMES = re.compile(r"\b(?:for|unit|symbol|element|denoted|called)\b")
"""What a letter may stand for that is no option."""
JOINED = re.compile(r"[)\]. ]*(?:[,/&]|and\b|or\b)+\s*")
DECIDES = re.compile(
    r"\b(?:leav(?:es?|ing)(?: us)?|remains|left|(?:must|has to|can only|would|should) be|listed as|its?(?:'s| is)?"
    r"|(?:answer|ans\.)(?= \W?[A-J])|says|mark"
    r"|(?:correct|right|best|true|closest|final|selected|pick|guess|solution|result|conclusion|letter)(?: \w+)?(?: is|:)"
    r"|(?:this|that|which)(?: is| means|'s)|match\w*|correspond\w* to|closest to|points? to|agrees with|we get"
    r"|so|hence|thus|therefore|conclude|actually,|correction:|wait,|no[,:]|cho(?:ose|osing|se)|pick(?:ed|ing)?"
    r"|select(?:ed|ing)?|go(?:ing)? (?:with|for)|settled? on|vote(?: for)?"
    r"|(?:I|we)(?:'d| would)? (?:say|think|believe|guess))(?=\W(.{0,80}))|选择?(?=([A-J]))",
    re.IGNORECASE,
)
IS_RIGHT = re.compile(
    rf"(?<![A-Za-z]){ONE},?\s+(?:(?:remains|stands out|is left|it is|is what (?:we|I) \w+"
    r"|(?:matches|satisfies|meets|fits)(?: (?:best|(?:our|my|this|that|all|both)\b.{0,80}))?"
    r"|(?:is|(?:must|has to|would|seems to|appears to) be|seems|looks|sounds),?\s+"
    r"(?:(?:the|our|my|indeed|thus|therefore|only|\w+ly|most|more),?\s+)*"
    r"(?:correct|right|best|better|likely|plausible|consistent|accurate|appropriate|answer|closest|option left"
    r"|(?<=the\s)one|(?<=only\s)(?:one|option))(?: (?:option|choice|answer|statement|one|bet))?)\b"
    r"(?=[\s*)]*$|\s*[.,;!]|\s+that\b)|best\s+(?:describes|explains|fits|matches|answers)\b)"
    rf"|\b(?i:mak(?:es|ing)(?: option| choice)?)\s+{ONE}\s+(?:the\s+)?(?:correct|right|best|answer)\b"
    rf"|\b(?i:option|choice|only)\s+{ONE}\s+(?:satisfies|matches|fits|works|holds|agrees)\b"
)
ALL_OTHERS = re.compile(
    rf"\b(?:all|every|each|any)\b[^.\n]{{0,80}} (?:except|but|other than) (?:for )?(?:option |choice )?{ONE} (?:is|are) "
    r"(?:wrong|incorrect|false|ruled out|eliminated)\b",
    re.IGNORECASE,
)
ENDS = re.compile(rf"(?:^|(?i:option|choice)|→|⇒|=>|->|\b(?:is|are):?)\s*{ONE}[)\].!,;:\s]*$")
LEADS = re.compile(r"[\s•#>-]*(?:(?i:option|choice)\s+)?[(\[]?([A-J])(?:[)\].:](?=\s|$)|\s*$|\s[-–—]\s(?![A-Z]\W*$))")
TOLD = re.compile(
    r"(?<![A-Za-z])\(?([A-J])(?:\)|\)?(?:\s*[:.?–—-]|\s+is))\s*"
    r"(?i:(yes|correct|right|true)|no|wrong|incorrect|false|not (?:correct|true))\b"
)
"""What a list of the options says of each."""


def letter_of(text: str, letters: str = "ABCD") -> str | None:
    """The letter that the text settles on; None where it names none, or several at once."""
    text = own_turn(text)
    plain = _plain(text)
    boxed = ("".join(_letters_in(_plain(box)) for box in group) for group in boxes(text))
    places = [*_decided(_plain(retraction(text))), *boxed, *_decided(plain), _at_the_end(plain), _leading_lines(plain)]
    found = next((named for named in places if named and set(named) <= set(letters)), "")
    return found[0] if len(set(found)) == 1 else None


def _letters_in(answer: str) -> str:
    """The letters that an answer names: "C" of "(C) 5 eV" and "5 eV (C)", "AC" of "A and C", "" of "A cat"."""
    answer = affirmed(answer)
    if len(set(re.findall(r"(?<!\w)([A-J])\s*:", answer))) > 1:  # "A: 5, B: 6" lists values
        return ""
    found, first = "", LETTER.match(answer, PREFIX.match(answer).end())
    while first:
        found += first[first.lastindex]
        joined = JOINED.match(answer, first.end())
        first = LETTER.match(answer, joined.end()) if joined else None
    last = re.search(rf"(?:\s(?=\()|(?i:option|choice|letter|i\.e\.),?\s+){ONE}\W*$", answer)
    return found or (last[1] if last and not REJECTS.search(answer) else "")


def _decided(plain: str) -> Iterator[str]:
    """Of each clause that decides, the last one first: "the answer is (C)", "option C is correct", "which leaves C"."""
    plain = re.sub(r"(?<=[:：])\s*\n+\s*", " ", ALL_OTHERS.sub(r"Only \1 is right", plain))
    for clause in (GIVEN.sub("", clause[-LONGEST:]) for clause in reversed(CLAUSES.split(plain))):
        if not REJECTS.search(clause) and not re.match(ASIDE, clause):
            yield from reversed([right[right.lastindex] for right in IS_RIGHT.finditer(clause)])
            yield from map(_letters_in, reversed([choice[choice.lastindex] for choice in DECIDES.finditer(clause)]))
            yield from (_letters_in(statement.content) for statement in reversed(statements(clause)))


def _at_the_end(plain: str) -> str:
    """Of a last clause that is a letter alone, or ends in one as an option."""
    clauses = [clause for clause in CLAUSES.split(plain.strip()) if clause.strip() and not re.match(ASIDE, clause)]
    last = PREFIX.sub("", SUFFIX.sub("", affirmed(clauses[-1].strip(" \t-•#>"))), count=1) if clauses else ""
    ends = ENDS.search(last)
    return ends[1] if ends and not REJECTS.search(last) and not NAMES.search(last) else ""


def _leading_lines(plain: str) -> str:
    """All letters that lead lines: a repeated list of the options names several, and so settles on none."""
    told = TOLD.findall(plain)
    if len({letter for letter, _ in told}) > 2:  # "A: no. B: yes. C: no."
        return "".join(letter for letter, yes in told if yes)
    kept = [line for line in plain.splitlines() if not re.search(r"\b(?:wrong|incorrect)\b", line)]
    return "".join(_letters_in(line) or lead[1] for line in kept if (lead := LEADS.match(line)))


def _plain(text: str) -> str:
    r"""Without the dress of Markdown and LaTeX, and in capitals: \text{(c)}, **C**, $C$ and `C` are C."""
    text = re.sub(r"\\(?:(?:text(?:bf|it|rm|tt)?|mathrm|mathbf|mbox|mathsf)\s*(?=\{)|(?:rm|bf)\b)", "", undressed(text))
    text = re.sub(r"\\[()\[\], ;]|(?<!\S)\|(?!\S)", " ", text)
    text = re.sub(r"[*`${}\"“”]+|(?<!\w)['_]+|['_]+(?!\w)", "", text)
    return SMALL.sub(lambda small: small[0][:-2] + small[0][-2:].upper(), text)
