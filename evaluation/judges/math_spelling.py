r"""One spelling of LaTeX for an answer, in which math-verify reads it as it is meant. Pure functions.

Numbers: 1\,234, 1{,}234, 1e3, 12{,}5 (a comma in braces in front of other than three digits is a decimal point), 2 3/4,
0.\overline{3}, "three", "two thirds", "58.5 thousand", "3 to 4", "1 in 4". Sets of reals: ]2,\infty[, {x | x > 2}, U,
"or". A label in a box ("The answer is 30") and signs of money do not count.
"""

from __future__ import annotations

import re
from decimal import Decimal

FUNCTIONS = ["sqrt", "pi", "sin", "cos", "tan", "cot", "sec", "csc", "log", "ln", "exp", "infty", "theta"]
REPEATING = re.compile(r"(\d*)\.(\d*?)(?:\\(?:overline|bar|dot)\s*\{?(\d+)\}?|(\d+?)\4{2,}\s*\\ldots)")
MIXED = re.compile(r"(?<![\d.,^_/\w])(\d+)(?: +(\d+)/(\d+)(?![\d./])| *\\frac\s*\{(\d+)\}\s*\{(\d+)\})")
UNICODE = str.maketrans(
    {"°": r"^\circ ", "π": r"\pi ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "×": r"\times ", "·": r"\cdot "}
    | {"∪": r"\cup ", "±": r"\pm ", "−": "-", "–": "-", "\u00a0": " ", "\u202f": " ", "θ": r"\theta ", "≠": r"\ne "}
    | {"¼": " 1/4", "½": " 1/2", "¾": " 3/4", "⅓": " 1/3", "⅔": " 2/3", "÷": r"\div ", "…": r"\ldots "}
    | {sign: f"^{{{plain}}}" for sign, plain in zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-", strict=True)}
    | {sign: f"_{{{plain}}}" for plain, sign in enumerate("₀₁₂₃₄₅₆₇₈₉")}
)
NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
NUMBERS += ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
NUMBERS += [f"{ten}-{one}".removesuffix("-zero") for ten in TENS for one in NUMBERS[:10]]
WORDS = "|".join(NUMBERS).replace("-", "[- ]")
ORDINALS = {"half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4}
ORDINALS |= {"fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}
POWERS = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9}
NUMBER_WORD = (
    rf"(^(?:\\text\s*\{{)?\s*(?:minus |negative )?|_\{{?\\text\s*\{{|\bbase )(?i:({WORDS}))"
    rf"(?= \d/\d| [a-z]{{3,}}s\.?$|(?:[- ](?:{'|'.join([*ORDINALS, *POWERS, 'per ?cent'])})s?)?[\s}})]*$)"
)
"""As the whole answer, or as its base."""
SUM = re.compile(r"(?<=\$)(\d+(?:\.\d+)?)[kK]\b|\b(\d+)(?: dollars?)? and (\d\d?) cents?\b")
SIXTIES = re.compile(
    r"\b(\d+)(?:\s|\\text\s*\{)+(?:hours?|minutes?)(?:[\s,}]|and\b)+(\d+)\s*(\\text\s*\{)?\s*(?:minutes?|seconds?)\b(?(3)\s*\})"
)
CENTS = re.compile(r"\b(\d+)\s*(?:\\text\s*\{\s*cents?\s*\}|cents?\b|¢)")
DOLLARS = re.compile(r"\s*(?:\\text\s*\{)?\\?\$[\s\d},.]+(?!.*\$)")
LABEL = r"^(?:\\text(?:bf|rm|it)?\s*\{\s*\(?[A-E][).:]*\s*\}|\(?[A-E]\))(?:\s|\\ )*"
"""Of an option: \\textbf{(A) } 5."""

SPELLINGS = [
    (r"^([A-Za-z ]*=?\s*)\{([^{}]*,[^{}]*)\}$", r"\1\\{\2\\}"),  # a set in plain text
    (r"(?<=[\^_]\{[-\d])\}[\^_]\{(?=\d)", ""),  # 10⁻¹² has one exponent
    (r"\\(?:left|right|displaystyle|[bB]igg?[lr]?|rm|bf|[lL]arge)(?![A-Za-z])|\\!\s*|\\(?:begin|end)\{aligned\}", ""),
    (r"(?<=\S)\s+\([\d.]+\s*\\?%\)$", ""),  # 5/8 (62.5%)
    (r"(?:\bUS)?\\?[$€£¢]|^\s*(?:=>|[≈→⇒]|\\(?:approx|therefore|implies|Rightarrow))(?![A-Za-z])", ""),
    (rf"{LABEL}(?=-?\d|\\[dt]?frac|\\sqrt|\$)", ""),
    (r"^[A-Z]\s*(?=\([^()]*,[^()]*\)$)", ""),  # the point B(3, 4)
    (r"(?<=\d)\s*\(?\s*(?:in )?base[- ](\d+)\)?$", r"_{\1}"),
    (rf"^(?i:{WORDS})\s*\((\d+)\)$", r"\1"),  # five (5)
    (
        rf"\s*(?:\\text\s*\{{)?\s*\band (a|{WORDS})[- ]({'|'.join(ORDINALS)})s?\b(?:\s*\}})?",
        lambda part: f" {number(part[1]) if part[1] != 'a' else 1}/{ORDINALS[part[2]]}",
    ),
    (NUMBER_WORD, lambda word: f"{word[1]}{number(word[2])}"),
    (r"\\text\s*\{([^{}]*\d[^{}]*)\}", r"\1"),
    (r"^(?:\\text\s*\{)?[A-Za-z ]*(?:\b(?:is|are|equals):?|:)(?:\s*\}\s*|\s+)(?=\S)", ""),  # \text{The answer is } 30
    (r"(?<!\\)\\(?:[,;: ]|q?quad(?![A-Za-z]))|~", " "),
    (r"(?<![\d.])(\d+)\{,\}(?!\d{3}(?!\d))(?=\d)|(?<![\d.,])0\{,\}(?=\d)", lambda whole: f"{whole[1] or 0}."),
    (r"(?:\\text\s*)?\{,\}", ","),
    (rf"^\\text\s*\{{([\w -]*?(?:{'|'.join(ORDINALS)})s?)\s*\}}$", r"\1"),
    (r"^\s*(?i:(?:a|one)[- ])?(?i:half)\s*$", "1 half"),
    (rf"(\d+)[- ]({'|'.join(ORDINALS)})s?\b", lambda part: rf"\frac{{{part[1]}}}{{{ORDINALS[part[2]]}}}"),
    (
        rf"(?<=\d)\s*(?:\\text\s*\{{\s*({'|'.join(POWERS)})\b[A-Za-z ]*\}}|({'|'.join(POWERS)})\b)",
        lambda word: rf" \times 10^{{{POWERS[word[1] or word[2]]}}}",
    ),
    (r"(?:\bnegative|\bminus)\s+(?=[\d\\])", "-"),
    (r"(\d+)\s*(?:\\text\s*\{)?\s*\bto\b\s*\}?\s*(?=\d)", r"\1:"),
    (r"(\d+)\s*(?:\\text\s*\{)?\s*\b(?:in|out of)\b\s*\}?\s*(?=\d)", r"\1/"),
    (r"\\log_\{?e(?![A-Za-z])\}?", r"\\ln "),
    (
        r"∅|\\varnothing(?![A-Za-z])|\\\{\s*\\\}"
        r"|^(?:\\text\s*\{)?(?i:(?:[\w ]*\b(?:has|have|is|are) )?(?:no (?:real )?solutions?|empty set))\s*\}?$",
        r"\\emptyset ",
    ),
    (r"^(?i:(?:\\text\s*\{)?\s*all (?:the )?real(?: number)?s\s*\}?)$", r"\\mathbb{R}"),
    (r"^(?i:all real numbers (?:except|other than|but)(?: for)?) (?=\S+$)", r"x \\ne "),
    (r"^(?i:all [a-z ]*?)\b([a-z]) (?:with|such that|satisfying|where) (?=.*\1)", ""),
    (r"^\[(\[[^\[\]]*\](?:,\s*\[[^\[\]]*\])+)\]$", lambda rows: matrix(rows[1])),
    (r"\\(?:(l)|r)angle(?![A-Za-z])", lambda bracket: "(" if bracket[1] else ")"),
    (r"(?<![\w)\]}])\](?=[^()\[\]]+[,;])", "("),  # ]2, \infty[
    (r"([(\[][^()\[\]]+[,;][^()\[\]]+)\[", r"\1)"),
    (r"(?<=[)\]])\s*U\s*(?=[(\[])|(?<=[)\]])\s*(?:\\text\s*\{)?\s*\bor\b\s*\}?\s*(?=[(\[].*\\infty)", r"\\cup "),
    (r"^\\\{\s*[a-z]\s*(?:\\in\s*\\mathbb\s*\{?R\}?)?\s*(?:\\(?:mid|vert|colon)|\||:)\s*(.*?)\s*\\\}$", r"\1"),
    (r"\\color\s*\{\w+\}|\\(?:mathbf|mathit|boldsymbol|underline)(?![A-Za-z])", ""),
    (r"\\(?:mathrm|text|rm)\s*\{\s*([ei])\s*\}", r"\1"),  # \mathrm{e} is a number, not a unit
    (r"\\[dtc]?frac\s*(\\[A-Za-z]+|\w)\s*(\\[A-Za-z]+|\w|\{[^{}]*\})", r"\\frac{\1}{\2}"),
    (r"\\\\\[[^\]]*\]|\\\\(?=\s*\\end)", lambda row: r"\\" if "[" in row[0] else ""),
    (r"\\degree(?![A-Za-z])|(?<=\d) degrees?$", r"^\\circ "),
    (r"(?:√|(?<![\\A-Za-z])sqrt\b)\s*(\d+|[a-z]|\([^()]*\))", r"\\sqrt{\1}"),
    (r"(?<=\d)[eE](?=[-+]?\d)([-+]?\d+)(?![\w}])", r"\\times 10^{\1}"),
    (r"\*\*", "^"),
    (r"\s*(?:\\text\{\s*)?(?:\bper ?cent(?:age)?\b|\\?%)(?:\s*\})?", r"\\%"),  # a bare % begins a comment
    (rf"(?<![\\A-Za-z])({'|'.join(FUNCTIONS)})(?![A-Za-z])", r"\\\1"),  # sqrt(3)
    (r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
    (r"(?<![A-Za-z\\])inf(?:init[ey])?(?![A-Za-z])", r"\\infty "),
    (r"\^(-?\d+)", r"^{\1}"),
    (r"\\[lc]?dots(?![A-Za-z])|\.\.\.", r"\\ldots "),
]


def spelled(answer: str) -> str:
    """The answer in one spelling of LaTeX; what math-verify reads otherwise than it is meant is respelled."""
    latex = answer.translate(UNICODE)
    for pattern, spelling in SPELLINGS:
        latex = re.sub(pattern, spelling, latex)
    latex = REPEATING.sub(_repeating, latex)
    return MIXED.sub(lambda mixed: improper(mixed, r"\frac{%d}{%d}"), latex).strip().rstrip(".,;").lstrip("= ").strip()


def in_units_of(gold: str, text: str) -> str:
    """70000 for "$70k", 18.90 for "18 dollars and 90 cents"; where the reference is in dollars, 0.36 for "36 cents".
    "2 hours and 30 minutes" are 150, or 2.5 where the reference is no whole number."""
    in_hours = re.search(r"[./]|frac", gold)
    text = SIXTIES.sub(lambda time: str((60 * Decimal(time[1]) + int(time[2])) / (60 if in_hours else 1)), text)
    text = SUM.sub(lambda sum_: f"{Decimal(sum_[1]) * 1000:f}" if sum_[1] else f"{sum_[2]}.{sum_[3]:0>2}", text)
    return CENTS.sub(lambda cents: f"{Decimal(cents[1]) / 100:f}", text) if DOLLARS.match(gold) else text


def matrix(rows: str) -> str:
    """Of Python's [[1, 2], [3, 4]], without the outer brackets."""
    inner = re.sub(r"\]\s*,\s*\[", r" \\\\ ", rows).strip("[]").replace(",", " & ")
    return rf"\begin{{pmatrix}} {inner} \end{{pmatrix}}"


def number(words: str) -> int:
    return NUMBERS.index(words.lower().replace(" ", "-"))


def improper(mixed: re.Match[str], form: str) -> str:
    whole, top, bottom = (int(digits) for digits in mixed.groups() if digits)
    return form % (whole * bottom + top, bottom) if top < bottom else mixed[0]


def _repeating(decimal: re.Match[str]) -> str:
    whole, start, period = decimal[1], decimal[2], decimal[3] or decimal[4]
    top = int(whole + start + period) - int(whole + start or 0)
    return rf"\frac{{{top}}}{{{'9' * len(period)}{'0' * len(start)}}}"
