r"""Multiple choice: the letter that a text settles on.

A letter counts where it stands as one: the A of "A cat" is an article, that of "A = 5 m^2" or \boxed{A + B} a quantity,
the I of "I think" a pronoun; a small letter only in brackets, alone, or in "so c is the answer". The last box with a
letter comes first, unless the text behind it takes it back; then the last sentence that decides ("the answer is (C)",
"D is correct", "which leaves D"), for the answer and not against one or asking; then a last sentence that is a letter
alone or ends in "option C" or "is C"; then a letter that leads lines, if it is the only one that does. Words that call
a statement true ("C is true") settle nothing: which one is false may be the question.
"""

from __future__ import annotations

import re

from z1_core.final_answer import affirmed, boxes, is_doubted, own_turn, retraction, statements, undressed

ENDS_LETTER = (
    r"(?=\s*$|\s*\n|[)\].,;!]|:(?![A-Z])|\s+[-–—]\s+(?![A-Z]\W*$)|\s*[/&]\s*[A-J]\b|\s+\("
    r"|\s+(?:because|since|as|and|or|due|with|but|not|over|rather|instead|unlike|for|given|if|by|here|then|while|whereas)\b)"
)
"""What may follow a letter that is an answer; any other word or sign makes it part of a phrase or a formula."""

PREFIX = re.compile(
    r"(?:[\s:.,–—∴⇒-]|(?:therefore|thus|hence|so|no|it is|it'?s|is|option|choice|letter|answer"
    r"|ok(?:ay)?|well|yes|by elimination|(?:most )?(?!un|hard)\w+ly|the \w+ option|in (?:conclusion|summary))\b)*",
    re.IGNORECASE,
)
SUFFIX = re.compile(r",? (?:I (?:think|believe|guess|say)|for sure|it is|over [A-J])\W*$|,? \(?(?:the )?\w+ option\W*$")
REJECTS = re.compile(
    r"\b(?:not|never|cannot|except|but|unlikely|wrong|incorrect|false|eliminat\w*"
    r"|exclud\w*|discard|compare|about|whether|rule\w*|(?:re)?consider|look|check|evaluate|next"
    r"|for|unit|symbol|element|denoted|called|if|or|could|might|may)\b|\?",
    re.IGNORECASE,
)
JOINED = re.compile(r"[)\]. ]*(?:[,/&]|and\b|or\b)+\s*")
DECIDES = re.compile(
    r"(?<!not )(?<!ever )(?<!cannot )\b(?:"
    r"(?i:(?:leaves?|leaving)(?: us)?|remains is|remains|left is|left with|must be|has to be|can only be|listed as"
    r"|it (?:is|would be|should be)|it's|answer|ans\.|key says|mark|guess(?: is|:))"
    r"|(?i:(?:correct|right|best|true|closest) (?:\w+ )?is|(?:solution|result|conclusion|letter) is)"
    r"|(?i:(?:final|correct|selected|my pick|solution|result|conclusion|letter):)"
    r"|(?i:(?:this|that|which) (?:is|means)|that's)(?= (?:(?:option|choice|answer|letter)\b|[A-J]\.?\s*(?:\n|$)))"
    r"|(?i:match\w*|correspond\w* to|closest to|points? to|agrees with|we get)"
    r"(?= (?:(?:option|choice)\b|\(|[A-J](?:[.,;!\n]|$)))"
    r"|(?i:so|hence|thus|therefore|conclude|actually,|correction:|wait,(?: no,)?)(?= \(?[A-J][).]*\s*(?:\n|$))"
    r"|(?i:cho(?:ose|osing|se)|pick(?:ed|ing)?|select(?:ed|ing)?|go(?:ing)? (?:with|for)|settled? on|vote(?: for)?)"
    r"|(?:I|[Ww]e)(?:'d| would)? (?:say|think|believe|guess)|选择?(?=[A-J]))(?:\s+|(?<=[选择]))"
    r"(?:only |with )?(?=([^\n]{1,40}))"
)
TOLD = r"(?i:(yes|correct|right|true)|no|wrong|incorrect|false|not (?:correct|true))\b"
"""What a list of the options says of each."""


def letter_of(text: str, letters: str = "ABCD") -> str | None:
    """The letter that the text settles on; None where it names none, or several at once."""
    text = own_turn(text)
    boxed = ("".join(_letters_in(_plain(box), letters) for box in group) for group in boxes(text))
    plain = _plain(text)
    found = (
        _decided(_plain(retraction(text)), letters)
        or next(filter(None, boxed), "")
        or _decided(plain, letters)
        or _leading_lines(plain, letters)
    )
    return found[0] if len(set(found)) == 1 else None


def _letters_in(answer: str, letters: str) -> str:
    """The letters that an answer names: "C" of "(C) 5 eV" and "5 eV (C)", "AC" of "A and C", "" of "A cat"."""
    answer = affirmed(answer)
    one, small = f"[{letters}]", f"[{letters.lower()}]"
    letter = re.compile(rf"\(({one}|{small})\)|\[({one})\]|({one}){ENDS_LETTER}|({small})(?:\)|\W*$)")
    if len(set(re.findall(rf"(?<!\w)({one})\s*:", answer))) > 1:  # "A: 5, B: 6" lists values
        return ""
    found, first = "", letter.match(answer, PREFIX.match(answer).end())
    while first:
        found += first[first.lastindex].upper()
        joined = JOINED.match(answer, first.end())
        first = letter.match(answer, joined.end()) if joined else None
    last = re.search(rf"(?:\s\(|(?i:option|choice|letter|i\.e\.),?\s+\(?)({one})\)?\W*$", answer)
    return found or (last[1] if last and not REJECTS.search(answer) else "")


def _decided(plain: str, letters: str) -> str:
    """Of the last sentence that decides: "the answer is (C)", "option C is correct", "which leaves C"."""
    one, small = rf"\(?([{letters}])\)?", f"[{letters.lower()}]"
    is_right = re.compile(
        rf"(?<![A-Za-z])(?<!not )(?<!except )(?:{one}|\(({small})\)),?\s+(?:remains|matches|fits(?:\s+best)?|stands out"
        r"|is left|it is|is what (?:we|I) (?:want|get|need|would choose)"
        r"|(?:is|(?:must|has to|would|seems to|appears to) be|seems|looks|sounds),?\s+"
        r"(?:(?:the|our|my|indeed|thus|therefore|\w+ly),?\s+)*(?:most\s+|more\s+)?"
        r"(?:correct|right|best|better|likely|plausible|consistent|accurate|appropriate|answer|closest|option left"
        r"|(?<=the\s)one|(?<=only\s)(?:one|option) (?:that|which)))\b(?=[\s*)]*$|\s*[.,;!\n]|(?<=that)|(?<=which)"
        r"|\s+(?:because|since|as|and|while|although|though|than|option|choice|answer|statement|one|bet)\b)"
        rf"|(?:^|\n|\b(?i:so|thus|hence|therefore|option|choice),?\s)({small}) is (?:the )?(?:correct|right|answer)"
        r"(?= answer| option| choice|\W*(?:\n|$))"
        rf"|(?<![A-Za-z]){one}\s+best\s+(?:describes|explains|fits|matches|answers)\b"
        rf"|\b(?i:makes|making)\s+(?:option\s+|choice\s+)?{one}\s+(?:the\s+)?(?:correct|right|best|answer)\b"
        rf"|\b(?i:option|choice)\s+{one}\s+(?:matches|fits|works|agrees)\b"
        rf"|\b(?i:only)\s+(?i:option\s+|choice\s+)?{one}\s+(?:satisfies|fits|matches|works|holds|agrees|is|can)\b"
    )
    found = [(statement.start, _letters_in(statement.content, letters)) for statement in statements(plain)]
    found += [
        (right.start(), right[right.lastindex].upper())
        for right in is_right.finditer(plain)
        if not is_doubted(plain, right.start())
    ]
    found += [
        (choice.start(), _letters_in(choice[1], letters))
        for choice in DECIDES.finditer(plain)
        if not is_doubted(plain, choice.start())
    ]
    named = [letters for _, letters in sorted(found) if letters]
    return named[-1] if named else ""


def _leading_lines(plain: str, letters: str) -> str:
    """A last sentence that is a letter alone, or ends in one as an option; otherwise all letters that lead lines: a
    repeated list of the options names several, and so settles on none."""
    told = re.findall(rf"(?<![A-Za-z])\(?([{letters}])(?:\)|\)?(?:\s*[:.?–—-]|\s+is))\s*{TOLD}", plain)
    if len({letter for letter, _ in told}) > 2:  # "A: no. B: yes. C: no."
        return "".join(letter for letter, yes in told if yes)
    lines = [re.sub(r"^\|\s|\s\|$", "", line.strip()).strip(" \t-•#>") for line in plain.splitlines() if line.strip()]
    last = affirmed(re.split(r"(?<=[.!?])\s+(?=\S)", lines[-1])[-1]) if lines else ""
    last = PREFIX.sub("", SUFFIX.sub("", last), count=1)
    if reasoned := re.match(rf"\(?([{letters}])\)?,? (?:because|since)\b", last):
        return reasoned[1]
    alone = re.fullmatch(rf"[(\[]?[{letters}][)\]]?\W*|\([{letters.lower()}]\)\W*", last)
    if alone and len(last) < 30:
        return _letters_in(last, letters)
    if small := re.fullmatch(rf"\(?([{letters.lower()}])(?:[).]?|\)\s[^\n]+)", PREFIX.sub("", plain.strip(), count=1)):
        return small[1].upper()
    ends = rf"(?:option|choice|→|⇒|=>|->)\s*\(?([{letters}])\)?[).\s]*$"
    marked = re.search(ends, last, re.IGNORECASE) or re.search(rf"\b(?:is|are):? \(?([{letters}])\)?[).\s]*$", last)
    if marked and not REJECTS.search(last):
        return marked[1].upper()
    leads = re.compile(rf"(?:(?i:option|choice)\s+)?[(\[]?([{letters}])(?:[)\].:](?=\s|$)|\s*$|\s[-–—]\s(?![A-Z]\W*$))")
    kept = [line for line in lines if not re.search(r"\b(?:wrong|incorrect)\b", line)]
    return "".join(_letters_in(line, letters) or lead[1] for line in kept if (lead := leads.match(line)))


def _plain(text: str) -> str:
    r"""Without the dress of Markdown and LaTeX: \text{(C)}, **C**, $C$ and `C` are C."""
    text = re.sub(r"\\(?:(?:text(?:bf|it|rm|tt)?|mathrm|mathbf|mbox|mathsf)\s*(?=\{)|(?:rm|bf)\b)", "", undressed(text))
    text = re.sub(r"\\[()\[\], ;]", " ", text)
    return re.sub(r"[*`${}\"“”]+|(?<!\w)['_]+|['_]+(?!\w)", "", text)
