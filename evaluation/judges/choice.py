r"""Multiple choice: the letter that a text settles on.

A letter counts where it stands as one: the A of "A cat" is an article, that of "A = 5 m^2" or \boxed{A + B} a quantity,
the I of "I think" a pronoun; a small letter only in brackets, alone, or in "so c is the answer". The last box with a
letter comes first, unless the text behind it takes it back; then the last clause that decides ("the answer is (C)",
"D is correct", "which leaves D"), and neither rejects nor asks; then a last clause that is a letter alone or ends in
"option C" or "the product is C"; then a letter that leads lines, if it is the only one that does. Words that call a
statement true ("C is true") settle nothing: which one is false may be the question; "the false statement is C" tells.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from z1_core.final_answer import affirmed, boxes, own_turn, retraction, statements, undressed

ONE = r"[(\[]?((?-i:[A-J]))[)\]]?"
SO = r"(?:so|thus|hence|therefore)"
SMALL = re.compile(
    rf"(?im)(?<!\w)\([a-j]\)|(?:^\W*|\b(?:option|choice|answer(?: is|:)|{SO}|its?)\s+)[a-j]"
    r"(?=\)|\W*$| is (?:the )?(?:correct|right|answer)\b)"
)
LETTER = re.compile(
    r"[(\[]([A-J])[)\]](?!\s*[=≈<>^+])|([A-J])(?=\s*$|[)\].,;!。]|:(?![A-Z]|\s[A-Z]\W*$)|\s+[-–—]\s+(?![A-Z]\W*$)"
    r"|\s*[/&]\s*[A-J]\b|\s+(?:\(|(?:here|then|exactly|perfectly|on this)\b|(?:and|or)\b(?!\s+[A-J]\s+\w)))"
)
"""Any other word or sign behind it makes it part of a phrase or a formula."""
PREFIX = re.compile(r"(?i)(?:[\s:.,–—∴⇒-]|(?:it is|is|option|answer|with|but|no|then|(?:most )?(?!un|hard)\w+ly)\b)*")
SUFFIX = re.compile(r",? (?:I \w+|for sure|it is|of course|\w+ly)\W*$|,? \(?(?:the )?\w+ option\W*$")
LONGEST = 2000  # characters that are looked at of a clause; no sentence has more
ASIDE = (
    r"(?:because|since|as(?! (?:in )?(?:option )?\(?[A-J]\)?(?:[.,;!]|$))|due|given that|while|(?:al)?though|whereas|instead"
    r"|rather|unlike|over|than|not(?= (?:the )?(?:option |choice )?(?-i:[A-J(])))\b"
)
"""In front of a clause that does not decide."""
GIVEN = re.compile(rf"(?i)^\W*(?:{ASIDE}|if (?:I|we) ha(?:d|ve)\b).*?,\s+(?=(?:the|my|I|option|choice)\b)")
"""The reason that stands in front: "Since A is false, the answer is B." """
CLAUSES = re.compile(
    rf"(?i)\n+|(?<=[.!?;])\s+|(?<!\ball),?\s+\(?(?={ASIDE}|(?:which|but|leaves)\b)|(?<!\bno)(?<!next),\s+(?="
    r"(?:and(?! \(?[A-J]\)? are)|so|leaving|no|we|what|it|[A-J] is)\b|(?<![A-J)],\s)\(?[A-J]\)?[.!]?(?:\n|$))"
)
REJECTS = re.compile(
    r"(?i)\b(?:not|never|cannot|neither|nor|none|either(?! way)|except|all but|unlikely|wrong|incorrect|false|exclud\w*"
    r"|eliminat(?!ion)\w*|discard|distractor|students|tempt\w*|common (?:mistake|error)|suppose|assume|compare|whether|if"
    r"|could|might|may|maybe|rule[sd]?|(?:re)?consider|look|check|next|almost|nearly|part(?:ial)?ly|inconsistent|true for"
    r"|doubt|about)\b|\?"
)
JOINED = re.compile(r"[)\]. ]*(?:[,/&]|and\b|or\b)+\s*")
RIGHT = r"(?:correct|right|best|better|likely|most plausible|consistent|accurate|appropriate|close(?:r|st)|answer)"
IS = r",? (?:is|(?:must|has to|would|(?:seem|appear)s to) be|seems|appears|looks|sounds),? (?:(?:\w+ly|in fact),? )?"
ENDED = r"\b(?=[\s*)]*$|\s*[.,:;!]|\s+(?:that|here)\b)"
CALLED_RIGHT = (
    rf"(?<![A-Za-z]){ONE}(?:(?:{IS}(?:(?:the|our|my|an?|final|\w+ly|indeed|therefore|thus|only|just|most|more),?\s+)*"
    rf"(?:(?:{RIGHT}|(?<=the )one|(?<=my )choice)(?: (?:option|choice|answer|statement|one|fit))?|winner|chosen|selected)"
    rf"|{IS}(?:what (?:we|I)\S* \w+|the (?:correct|right) (?!side|angle)\w+(?: of .{{0,80}})?)|,? (?:remains|stands out"
    r"|has to be it|it is|it must be|gives the (?:correct|right) \w+"
    r"|(?:matches|satisfies|fits|(?:agrees|is in (?:\w+ )?agreement) with)(?: (?:best|better|\w+ly"
    rf"|(?:our|my|this|that|all|both|the \w+ed\b).{{0,80}}))?)){ENDED}| (?:best|correctly|accurately|alone) \w+s\b"
    rf"|{IS}the (?:only (?!unknown|constant)|(?:option|choice|statement|one) (?:that|with)\b(?! fail)))"
    rf"|\bmak(?:es?|ing)(?: option)? {ONE} (?:the )?(?:only )?{RIGHT}\b|(?<!see )\bwhat(?: option)? {ONE} \w+s{ENDED}"
    rf"|\b(?:option|choice|only) {ONE} (?:satisfies|matches|fits|agrees|\w+s (?:the|an?) (?:most )?{RIGHT})\b"
    rf"|\bonly (?:(?:option|choice) )?{ONE} (?:is|\w+s (?:an?|the|both|all|this|standing|\d\S*))\b"
    rf"|\b(?:{SO}|only|option|choice),? (?:option )?{ONE} (?:works|holds|wins|survives)(?: best)?{ENDED}"
)
CALLS_RIGHT = (
    rf"(?:\b(?:{SO}|leav(?:es?|ing)(?: us)?|remains|left|(?:must|has to|can only|would|should) be|listed as|its?(?:'s| is)?"
    rf"|(?:{RIGHT}|nearest|winner|final|pick|guess|solution|result|conclusion|letter)(?: \w+)?(?: is|:)|answer(?= +\W?[A-J])"
    r"|(?:this|that|which)(?: is| means|'s)|match\w*|correspond\w* to|close(?:st)? to|points? to(?:ward)?|we get|says|mark"
    r"|(?:agrees|aligns)(?: best)? with|looks like|prefer|supports?|favou?rs?|conclude|actually,|wait,|correction:|no[,:]"
    r"|cho(?:ose|osing|se)|pick(?:ed|ing)?|select(?:ed|ing)?|(?:go|stick)(?:ing)? (?:with|for)|settled? on|vote(?: for)?"
    r"|lean\w* towards?|(?:I|we)(?:'d|'ll| would| will| still)* (?:say|think|believe|guess|answer))(?=\W)|选(?:择|项)?)"
)
SETTLES = re.compile(rf"(?i){CALLED_RIGHT}|{CALLS_RIGHT}(?=\W?(.{{0,80}}))")
ONLY_RIGHT = re.compile(
    r"(?im)\b(?:(?:all|every|each|any)\b[^.\n]{0,80} (?:except|but|other than) (?:for )?(?:option )?"
    rf"{ONE} (?:is|are|can be) (?:wrong|incorrect|false|ruled out|eliminated)\b|(?:[A-J] is false\. ){{2,}}{ONE} is true"
    rf"|the (?:(?:incorrect|false) statement|(?:one|statement) that (?:is|does) not \w+) is {ONE}(?=\W*$|[.,;]))"
)
ENDS = re.compile(
    r"(?:^|(?<!\b[A-J] )(?:[→⇒⟹]|[=-]>|\\Rightarrow)|\b(?:is|are):?(?= ?\()|(?:^|[,:;(=≈]|\b(?i:is|be|as(?: in)?|us to"
    r"|leads to|(?:equivalent|identical|equal) to|(?:agrees|consistent|line) with|(?:given|described) (?:in|by)|suggests"
    r"|confirms|indicates|implies|at))\s*(?i:the )?(?i:option|choice)|\b(?i:product|catalyst|compound|molecule|species|one"
    rf"|answer|exception)(?: \w+){{0,2}} is:?)\s*{ONE}[)\].!,;:\s]*$"
)
"""Of what is no option ("the capacitance is C", "the blood group is B") the letter may be a name."""
LEADS = re.compile(r"[\s•#>-]*(?:(?i:option)\s+)?[(\[]?([A-J])(?:[)\].:?](?=\s|$)|\s*$|\s[-–—]\s)(?!\s?[A-Z]\W*$)")


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
    plain = re.sub(
        r"(?<=[:：])\s*\n+\s*", " ", ONLY_RIGHT.sub(lambda one: f"Only {one[one.lastindex]} is right", plain)
    )
    for clause in (GIVEN.sub("", clause[-LONGEST:]) for clause in reversed(CLAUSES.split(plain))):
        if not REJECTS.search(clause) and not re.match(ASIDE, clause):
            yield from map(_letters_in, reversed([found[found.lastindex] for found in SETTLES.finditer(clause)]))
            yield from (_letters_in(statement.content) for statement in reversed(statements(clause)))


def _at_the_end(plain: str) -> str:
    """Of a last clause that is a letter alone, or ends in one as an option."""
    clauses = [clause for clause in CLAUSES.split(plain.strip()) if clause.strip() and not re.match(ASIDE, clause)]
    last = PREFIX.sub("", SUFFIX.sub("", affirmed(clauses[-1].strip(" \t-•#>"))), count=1) if clauses else ""
    ends = ENDS.search(last)
    return ends[1] if ends and not REJECTS.search(last) else ""


def _leading_lines(plain: str) -> str:
    """All letters that lead lines: a repeated list of the options names several, and so settles on none."""
    lines = re.split(r"\n|(?<=[.!])\s+(?=\(?[A-J][):?] \w+[.!])", plain)  # "A: no. B: yes. C: no." are three
    kept = [line for line in lines if not re.search(r"(?i)\b(?:wrong|incorrect|false|no(?=[.,]|\s*$))\b", line)]
    return "".join(_letters_in(line) or lead[1] for line in kept if (lead := LEADS.match(line)))


def _plain(text: str) -> str:
    r"""Without the dress of Markdown and LaTeX, and in capitals: \text{(c)}, **C**, $C$ and `C` are C."""
    text = re.sub(r"[ \t]+", " ", re.sub("[✗✘❌]", " wrong", unicodedata.normalize("NFKC", text)))
    text = re.sub(r"\\(?:(?:text(?:bf|it|rm|tt)?|mathrm|mathbf|mbox|mathsf)\s*(?=\{)|(?:rm|bf)\b)", "", undressed(text))
    text = re.sub(r"\\[()\[\], ;]|(?<!\S)\|(?!\S)", " ", text)
    text = re.sub(r"[*`${}\"“”„«»]+|(?<!\w)['_‘]+|['_’]+(?!\w)", "", text)
    return SMALL.sub(lambda small: small[0][:-2] + small[0][-2:].upper(), text)
