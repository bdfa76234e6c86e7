"""Which letter a text settles on, and options in an order that is nobody's habit."""

import time
from collections import Counter

import pytest

from evaluation.benchmarks.gpqa import shuffled
from evaluation.judges.choice import letter_of

SETTLED = r"""
A == The answer is A. ;; The answer is A because nothing else fits. ;; Answer: A⏎⏎A cat is no B. ;; \boxed{A}, an option
B == \[\boxed{\text{B. } 10^{-4}}\] ;; \boxed{Option B} ;; \fbox{B} ;; **Answer: (B)** ;; **Answer:** B
B == The answer is $B$.
B == A. foo⏎B. bar⏎C. baz⏎D. qux⏎⏎The answer is B ;; A. foo⏎B. bar⏎C. baz⏎⏎B ;; B. bar⏎⏎I hope this helps.
B == * Cells (A) divide.⏎* Tips (B) grow.⏎⏎The best answer is (B), unlike veins (C).
B == 1. (A): small⏎2. (B): fits⏎⏎Answer: (B)
B == A is correct? No, the answer is probably B ;; (A) is x, (B) is y. I choose (B). ;; Final answer - B
C == \boxed{C} ;; So $\boxed{\text{C}}$. ;; \boxed{(C)} ;; \boxed{\textbf{(C)} 5 eV} ;; \boxed{C: 5}
C == \boxed{\mathrm{C}} ;; \boxed{c}
C == \boxed{\text{(c)}} ;; \boxed{10^{-4}\text{ eV (C)}} ;; \boxed{B} is wrong, so \boxed{C}
C == In \boxed{} goes: \boxed{C}
C == The correct answer is C: $\boxed{10^{-4}\text{ eV}}$ ;; \boxed{x^2}⏎⏎The correct choice is C.
C == Answer: C⏎⏎$\boxed{5}$
C == Answer: C ;; the answer is (C) ;; Option C is correct. ;; A is not correct, C is correct ;; **C** ;; C.
C == (C) some text
C == Answer: C - 10 eV ;; Final answer — C ;; ### Final Answer⏎⏎**C** ;; Answer C ;; Ans. C ;; Therefore, C.
C == Thus it is (C).
C == The answer is C, not B. ;; The answer is C rather than D. ;; The answer is not B but C. ;; It is not B. It's C.
C == It cannot be A, B or D, which leaves C. ;; Neither A nor B; it must be C. ;; Only C remains. ;; I'd go with C.
C == If the answer is B, then E = 0. Hence the answer is C. ;; The answer is B? No. The answer is C.
C == Is it A? It is C.
C == Correct answer: C⏎Incorrect answers: A, B, D ;; (A) and (B) are too small. The answer is (c). ;; Answer: c
C == The answer is B.⏎On second thought: the answer is (C). ;; Answer might be B, let me check.⏎⏎Answer: C
C == Choose C. ;; I choose (C) ;; Go with C ;; So pick option C. ;; I'm going with C. ;; I vote C. ;; Let's select (C).
C == # C ;; > C ;; #### C ;; <answer>C</answer> ;; | Answer | **C** | ;; \boxed{\rm C} ;; ✅ C ;; The answer is C 🎉
C == Probably C. ;; It's most likely C. ;; Option C is the most consistent. ;; Option C: 5 eV ;; The answer, then, is C.
C == My pick: C ;; Selected: C
C == 答案：C ;; 答案是 C ;; | C |
C == \boxed{B}. Wait, that is wrong. The answer is C. ;; \boxed{C}, as B is wrong. ;; \boxed{C}. Wait: the answer is C.
C == Correct: C ;; Final: C ;; C is the most likely. ;; C seems right. ;; C would be correct. ;; C fits best.
C == C it is.
C == Only C satisfies both. ;; Only (C) is consistent. ;; Not A. C. ;; Not B, but C. ;; By elimination, C.
C == This matches C.
C == A is wrong. B is wrong. So C. ;; That is option C. ;; Thus the third option, C, is correct. ;; C - it is 5 eV.
C == The answer is 5 eV, option C. ;; It is 5 eV (option C). ;; It is 5 eV → C ;; ∴ C ;; The answer is 5 eV, i.e., C.
D == Answer:⏎⏎D ;; The final answer is **D) 12** ;; The correct option is **D**. ;; \boxed{E = mc^2}⏎⏎**Answer: D**
D == It is certainly not B; the right option is D ;; Answer: since C would break it, what remains is D
D == \boxed{x}⏎⏎Hence (D).
D == \boxed{\langle V\rangle \ll \Delta B}⏎⏎so the fourth option fits.⏎⏎**Answer: D**
D == The answer is D, as A = 5 m^2 shows.
C == Answer => C ;; I believe the answer to be C ;; Answer：C ;; Answer: c) 5 eV ;; (c) ;; The answer is "C". ;; It's C!
C == This corresponds to option C. ;; It does not match option B but matches option C. ;; The correct statement is C.
C == Options A, B and D are wrong, leaving C. ;; The best choice here is C because it is low. ;; The answer is B? No: C.
C == Option B is not correct, so C. ;; We conclude (C). ;; The best option overall is C.
C == I don't think B is correct; C is correct. ;; The answer is C (5 eV)
C == Answer: C⏎⏎Option A is correct in classical theory. ;; It can only be C. ;; So we pick C over A. ;; (c) is correct
C == Option C stands out as the best fit. A and B fail. ;; C best describes it. ;; C is correct while A is not.
C == Hence, C is our answer. ;; C is the one. ;; It leaves us with C. ;; All signs point to C. ;; Clearly, C. ;; It's C then.
C == Since A is incorrect, option C is right. ;; Given that A is false, the answer is C.
C == The answer is C, not the option D. ;; By process of elimination the answer is C.
C == As the first is false, I pick C. ;; Because A and B are false, the correct answer is C. ;; I overthought it: C
C == I settled on C. ;; We go with C here. ;; I'll go for C. ;; The answer's C. ;; Solution: C ;; C, because A is too small
C == In conclusion, C. ;; We find that C is the correct statement. ;; It would be C
B == The answer key says B.
C == That means C. ;; C, I believe. ;; I think C. ;; My guess: C ;; c ;; c) ;; C for sure. ;; C over B. ;; Likely C.
C == C is the only one that satisfies both. ;; C is the only option left. ;; C looks right. ;; C appears to be correct.
C == C is probably right. ;; Among these, C is the closest. ;; The closest is C. ;; That is C. ;; Mark C.
C == The value 5 eV is listed as C. ;; The solution is C. ;; The letter is C. ;; C is what we get. ;; C is better than B.
C == The answer to this question is C. ;; The answer to the question is option C: 5 eV. ;; The option that matches is C.
C == The best option among the given ones is C. ;; The only option that satisfies this is C. ;; A? No. B? No. C? Yes.
C == The answer is A. Wait, no, C. ;; The answer is A. Correction: C. ;; Ruling out A, B, and D, we get C.
C == So it's between A and C, and C is better. ;; Between B and C, C is more likely.
C == A) incorrect - the mass is wrong⏎B) incorrect⏎C) correct⏎D) incorrect
C == The product is C ;; The catalyst is C. ;; Not A; C. ;; So c is the answer. ;; The answer isn't B but C. ;; 选C ;; its c
C == (c) 5 eV ;; option c ;; The answer turns out to be C. ;; C is therefore correct. ;; That makes C the correct choice.
C == The third option, C. ;; C, the third option ;; Okay, C. ;; Option C matches this. ;; It is most certainly C. ;; C</s>
C == C. It doubles.⏎⏎A. is wrong since it stays.⏎B. is wrong since it halves. ;; A is false. B is false. C is true.
C == Answer: C⏎⏎Question: What is it?⏎A) x⏎Answer: A ;; The answer is C.⏎⏎Human: And now?⏎⏎Assistant: The answer is D.
C == C matches our result. ;; Option C satisfies the condition. ;; C satisfies all of the conditions.
C == All options except C are wrong. ;; Every option but C is incorrect. ;; Answer:⏎C⏎Hope this helps!
C == It is either B or C. Since x > 0, C. ;; It is either A or C. As n is odd, it must be C.
C == C is just right ;; C is the only compound that reacts ;; Only C has the right units. ;; 3.2 matches option C exactly.
C == So C holds. ;; Of the four, only C is aromatic. ;; Option C gives the best account. ;; C is exactly what we derived.
C == Option C is chosen. ;; I'll stick with C. ;; All evidence supports C. ;; If I had to choose, I'd say C.
C == The answer is C. A common mistake is to choose A. ;; The answer is C. Many students pick B because it is simple.
C == Since A, B, and D are incorrect, the answer must be C. ;; Eliminating A, B and D leaves C. ;; The answer is C (not A).
C == - A ❌⏎- B ❌⏎- C ✅⏎- D ❌ ;; 答案是（C） ;; 所以正确答案是C。 ;; The answer is „C“. ;; | Final answer | C |
C == The false statement is C. ;; C is correct, as A and B are small.
C == A: no. B: no. C: yes. D: no. ;; (A) - wrong⏎(B) - incorrect⏎(C) - correct⏎(D) - wrong
"""
"""The letter == texts that settle on it; ⏎ is a new line."""

UNSETTLED = r"""
 ;; The answer is A: 5, B: 6 ;; \boxed{A: 5, B: 6, C: 7}
 ;; ⏎ ;; I don't know ;; A cat ;; A cat sat on B street ;; Dear reader ;; ABCD ;; A is incorrect ;; A. foo⏎B. bar⏎C. baz
The answer is A cat ;; The answer is B cells ;; The answer is vitamin C. ;; The answer is D-glucose
D-glucose is formed.
A = 5 m^2 ;; The answer is A = 5 m^2 ;; A > B ;; The answer is A - B ;; B = \mu_0 I / 2r ;; C-C bond
The answer is C6H12O6
\boxed{A cat} ;; \boxed{E} ;; \boxed{42} ;; \boxed{} ;; \boxed{A, C} ;; \boxed{A} and \boxed{C} ;; \boxed{A = 5}
\boxed{A + B}
\boxed{A \to B} ;; \boxed{C/2} ;; \boxed{B^2} ;; \boxed{C_1} ;; \boxed{A:B = 1:2} ;; \boxed{f(A)}
\boxed{D\text{-glucose}}
I don't think C is correct. ;; C is correct in classical theory. ;; C:\Users ;; The unit is C. ;; At point A, B = 0.
So C atoms remain. ;; It is wrong that the answer is B ;; Thus A and B are wrong.
The answer is A or B ;; The answer is not B. ;; It is not A. ;; If A is correct, then x = 5. ;; A is correct?
The answer is A?
Never choose C. ;; Do not pick C. ;; I can't choose C. ;; Should I choose C? ;; Choose C or D. ;; Go with C++
Select C atoms.
|C|
Eliminate option C. ;; It is unlikely to be option C. ;; All but option C. ;; Everything except C is right.
Statement C is true. ;; A remains the same. ;; A fits the curve. ;; A is one of them. ;; A: no. B: no. C: no. D: no.
Consider option C. ;; Now look at option C. ;; Next: option C. ;; Let me evaluate option C ;; Actually, A and B cancel.
The option that is wrong is C. ;; The option that can be ruled out is C. ;; That means C = 5. ;; We get C and D.
I think A is a constant. ;; I don't think C. ;; Which means C is wrong. ;; The answer to A is unknown. ;; C looks wrong.
The product is C or D. ;; The product could be C. ;; Is the product C? ;; The product isn't C. ;; (A) and (C)
The SI unit is C.
So we exclude option A. ;; Let me think about option C. ;; Compare option B with option C. ;; Thus c is the speed of light.
So b is the right side of it. ;; A is false. B is false. C is false. ;; A: true. B: true. C: false.
C satisfies Laplace's equation. ;; We solve for A =
Hence the capacitance is C ;; Suppose the answer is B. Then x = 1. ;; None of (A, B, C, D) matches my value.
Therefore [A] = 0.2 M ;; D is the right angle. ;; The reaction is A + B → C ;; A -> B -> C -> A ;; Either A or B is correct.
C is partially correct. ;; This contradicts option B. ;; Moving on to option C. ;; Let's test option A. ;; Check A? Next, C
Only B cells grow. ;; A seems plausible, but not to me.
Both A and C are correct. ;; The wrong answer is A. ;; The options are A, B, C and D.
"""

AMONG_TEN = [
    ("The answer is (H)", "H"),
    ("The answer is I.", "I"),
    (r"\boxed{I}", "I"),
    ("The answer is C, as I found by summing.", "C"),
    ("Answer: I think it is C.", "C"),
    ("I am sure: C is correct.", "C"),
    ("The answer is what I said.", None),
    ("I, for one, give up.", None),
]


def test_a_text_that_settles_on_a_letter():
    for line in SETTLED.strip().splitlines():
        letter, _, texts = line.partition(" == ")
        assert [(text, letter) for text in texts.split(" ;; ") if letter_of(text.replace("⏎", "\n")) != letter] == []


def test_a_text_that_settles_on_none():
    texts = UNSETTLED.strip("\n").replace("\n", " ;; ").replace("⏎", "\n").split(" ;; ")
    assert {text: letter for text in texts if (letter := letter_of(text))} == {}


def test_more_letters_where_the_problem_has_more_options():
    assert [(text, letter_of(text, "ABCDEFGHIJ")) for text, _ in AMONG_TEN] == AMONG_TEN


@pytest.mark.parametrize("text", ["A, B, C, D " * 50_000, "(A" * 50_000, "answer is " * 30_000, r"\boxed{" * 50_000])
def test_a_hostile_text_takes_no_time(text):
    started = time.process_time()
    assert letter_of(text) is None
    assert time.process_time() - started < 5


def test_options_keep_their_order_for_ever():
    """Written down: another order would make old records unreadable, and scores of two versions another benchmark."""
    assert shuffled("recABC", 4) == [0, 3, 1, 2]


def test_the_right_letter_is_evenly_spread():
    places = Counter(shuffled(f"rec{i}", 4).index(0) for i in range(4000))
    assert len(places) == 4
    assert all(abs(seen - 1000) < 5 * 1000**0.5 for seen in places.values())
