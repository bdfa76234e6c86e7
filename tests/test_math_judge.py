"""Mathematical answers: right where they are, never right where they are not, and no text that stops the judge."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from evaluation import judge as command
from evaluation.judges import mathematics as math_judge
from evaluation.judges.mathematics import MathJudge
from evaluation.rows import read_rows
from tests.shares import count_of, sample_or_all
from z1_core.final_answer import boxes, final_answers

BOXED = r"""
\text{east} == \text{East} ;; east ;; \textbf{east} != \text{west} ;; \text{not east} ;; \text{east or west} ;; 5
\text{ellipse} == \text{an ellipse} != \text{a circle}
\text{odd} == odd != even
\text{(A)} == A ;; (A) ;; \text{(A) } 5 != B ;; \text{(B)}
10! == 3628800 ;; 10! != 10
7.5\% == 7\frac12\% ;; \frac{15}{2}\% != 75
(-\infty,\infty) == \text{all real numbers} ;; \mathbb{R} != (0,\infty)
101_2 == 101 \text{ in base } 2 != 101 \text{ in base } 3
1,000,000 == \text{one million} ;; 1 \text{ million} != \text{one}
\text{(C)} == C ;; \text{(C)} ;; \textbf{(C)}\ 12 ;; (c) != \text{(B)} ;; C, D ;; 5
p - q == p-q ;; -q + p ;; -(q - p) != p + q ;; q - p ;; pq ;; p q ;; p
ab == ba ;; a \cdot b ;; a*b != a+b ;; a/b
mgh == m g h ;; m*g*h != mg
10000 == 10{,}000 ;; 10,000 ;; 10\,000 ;; 10 000 ;; 10^4 ;; 1e4 != 10 ;; 10, 000 ;; 10001
11,\! 111,\! 111,\! 100 == 11{,}111{,}111{,}100 != 11111111101 ;; 11111111100.5
200000000000 == 2 \times 10^{11} ;; 200,000,000,000 != 199999999999 ;; 200000000000.5
2^{100} == 4^{50} ;; 1267650600228229401496703205376 != 2^{100}+1 ;; 1267650600228229401496703205377
\frac{2^{101}+1}{3 \cdot 2^{102}} == \frac16 + \frac{1}{3 \cdot 2^{102}} != \frac16 ;; \frac{2^{101}-1}{3 \cdot 2^{102}}
.0000672 == 6.72 \times 10^{-5} ;; 6.72e-5 != 0.0000668 ;; 0
\frac{1}{2^{99}} == 2^{-99} != \frac{1}{2^{98}} ;; 0
\$32,\!348 == 32348 ;; \text{\$}32{,}348 ;; \$32,348 ;; 32348 \text{ dollars} != \$32,349 ;; 32
864 \mbox{ inches}^2 == 864 \text{ square inches} ;; 864 ;; 864\text{ in}^2 ;; 864{\text{ in}}^2 != 865
12 == 12\,\mathrm{cm}^3 ;; 12 m/s ;; 12 m ;; \text{12 dollars} ;; 12\operatorname{cm} ;; 12 \frac{\text{m}}{\text{s}}
12 == 12\text{th}
12 == 12 \pmod{17} ;; 12. ;; {12} ;; \mathbf{12} ;; \color{blue}{12} ;; +12 ;; \frac{24}{2} ;; x = 12 \text{ cm}
12 == 12!/11!
12 != 12x ;; 12 \text{ apples and } 5 \text{ oranges} ;; 12 \text{ or } 5 ;; -12 ;; 1.2 ;; x \ne 12 ;; x > 12
12 != 12 \pm 1 ;; 12!
\pi r^2 h == pi*r^2*h ;; \pi \cdot r^2 \cdot h ;; πr²h ;; hr^{2}\pi ;; V = pi*r**2*h ;; \pi r^2 h \text{ cm}^3
\pi r^2 h != pi*r*h ;; 2\pi r^2 h
90^\circ == 90 ;; 90° ;; 90\degree ;; 90 \text{ degrees} != 45^\circ ;; 9^\circ
\frac{270}7\text{ degrees} == \frac{270}{7}^\circ ;; 38 4/7^\circ
50\% == 50 ;; 0.5 ;; \frac12 ;; 50 \text{ percent} ;; 50% != 5 ;; 5000\% ;; 0.05 ;; 0.5\%
12.5\% == 12.5 ;; 0.125 != 12
\frac{243}{625} == 38.88\% ;; 0.3888 != 38.9\%
0.08 == 8\% ;; .08 ;; \frac{2}{25} != 80\% ;; 8
\frac{11}{4} == 2 3/4 ;; 2\frac{3}{4} ;; 2\ 3/4 ;; 2¾ ;; x = 2 3/4 ;; 2 3/4 \text{ cups} ;; 2.75
\frac{11}{4} != 2-3/4 ;; -2 3/4 ;; 2 ;; \frac34
5 != 5 1/2 ;; 5\frac12 ;; 5_2 ;; 5\sqrt(2) ;; 4.9999 ;; \text{not } 5 ;; __import__('os').getpid()
-\frac{5}{2} == -2 1/2 ;; −2.5
\frac{1}{3} == 0.\overline{3} ;; 0.333\ldots ;; 33\frac13\% ;; 1 \div 3 ;; 0.333333 != 0.33 ;; 0.3 ;; 0.\overline{6}
0.1\overline{6} == 1/6 != 0.16
\frac43 == 4/3 ;; \tfrac43 ;; \dfrac{4}{3} ;; \frac 4 3 ;; (4)/(3) != 43 ;; 1.3 ;; 3/4
\frac{\sqrt{3}}{2} == sqrt(3)/2 ;; √3/2 ;; \sqrt{3/4} ;; 3^{0.5}/2 ;; (1/2)*sqrt(3) != 0.87 ;; \sqrt{3}
1 - \frac{1}{e} == 1 - \frac{1}{\mathrm{e}} != 1 + \frac{1}{e}
\frac{1}{\sqrt{n}} == \sqrt{\frac{1}{n}} ;; n^{-1/2} ;; \frac{\sqrt n}{n} != \sqrt{n} ;; \frac1n
\sec^2 x == 1+\tan^2 x ;; 1/\cos^2 x != \tan^2 x
\sin 2x == 2\sin x\cos x ;; 2*sin(x)*cos(x) != 2\sin x
\frac{n(n-1)}{2} == n*(n-1)/2 ;; \binom{n}{2} ;; 0.5n(n-1) != n*(n+1)/2
(a+5)(b+2) == (b+2)*(a+5) != (a+2)(b+5)
6 - 5i == 6 - 5*i ;; -5i + 6 ;; z = 6 - 5 i != 6 + 5i
\frac{20000}{\pi} == 20,000/\pi ;; \frac{20{,}000}{\pi} != 20/\pi
[1,2) == [1, 2) ;; 1 \le x < 2 ;; x \in [1,2) != (1,2] ;; [1,2] ;; 1,2 ;; 1 < x < 2
D = (0, 4) == (0,4) ;; D = (0, 4) != D = (0, 5) ;; [0,4]
(2,\infty) == x > 2 ;; (2, +\infty) ;; (2, inf) != [2,\infty) ;; x \ge 2 ;; \infty
(-\infty, 2) \cup (3, \infty) == x<2 \text{ or } x>3 ;; (3,\infty)\cup(-\infty,2) != (-\infty,2) ;; x<2 \text{ or } x>4
(-\infty,-\frac 14)\cup(-\frac 14,\infty) == (-\infty,-0.25)\cup(-0.25,\infty) ;; x \ne -1/4
(-\sqrt{3}, \sqrt{3}) == -\sqrt3 < x < \sqrt3 != \pm\sqrt{3} ;; [-\sqrt3,\sqrt3]
1,-2 == -2, 1 ;; x = 1 \text{ or } x = -2 ;; \{-2, 1\} ;; x_1 = 1, x_2 = -2 ;; 1; -2 ;; \text{1 and -2}
1,-2 != 1 ;; 1,2 ;; 1,-2,0 ;; (-2,1)
343 \text{ and } 512 == 512\text{ and }343 ;; 343,512 ;; \{343, 512\} != 343 ;; 343512 ;; 855
3, 5, 7 == 7,5,3 ;; 3\text{, }5\text{, and }7 ;; (3,5,7) != 3, 5 ;; 357
\pm 6 == 6, -6 ;; x = ±6 ;; \{-6, 6\} != 6 ;; -6 ;; 6, 6
1 \pm \sqrt{19} == 1+\sqrt{19}, 1-\sqrt{19} ;; \frac{2 \pm \sqrt{76}}{2} ;; 1 ± √19 != 1+\sqrt{19} ;; -1 \pm \sqrt{19}
\{1\pm\sqrt{5},-2\} == -2, 1 \pm \sqrt5 != 1 \pm \sqrt5
2, 4, \ldots, 2n == 2,4,\dots,2n != 1, 3, \ldots, 2n-1
(8,-2) == \{(8,-2)\} ;; (x,y) = (8,-2) ;; \left(8, -2\right) ;; 8,-2 ;; \big(8,-2\big) != (-2,8) ;; \{8,-2\} ;; [8,-2]
(1,2), (3,4) == (3,4) \text{ and } (1,2) != (1,2) ;; (2,1), (4,3)
\begin{pmatrix} 1 & -2 \\ 3 & 0 \\ \end{pmatrix} == \begin{bmatrix}1&-2\\3&0\end{bmatrix}
\begin{pmatrix} 1 & -2 \\ 3 & 0 \\ \end{pmatrix} == M = \begin{pmatrix}1&-2\\[2pt]3&0\end{pmatrix}
\begin{pmatrix} 1 & -2 \\ 3 & 0 \end{pmatrix} != \begin{pmatrix}1&2\\3&0\end{pmatrix}
\begin{pmatrix} 1 & -2 \\ 3 & 0 \end{pmatrix} != \begin{pmatrix}1&3\\-2&0\end{pmatrix} ;; 5
x=5 == 5 ;; 5 = x != y=5 ;; x=-5
y = 2x + 3 == 3 + 2x ;; y - 2x = 3 != y = 2x - 3
5x - 7y + 11z + 4 = 0 == -5x + 7y - 11z - 4 = 0 ;; 5x-7y+11z=-4 != 5x - 7y + 11z + 5 = 0
f(x) = cx == f(x) = cx \text{ for any real constant } c ;; cx, c \in \mathbb{R} != f(x) = c + x
(-3,5) == 5 > x > -3 ;; -3 < x \text{ and } x < 5 ;; ]-3,5[ ;; \left]-3,5\right[ ;; \{x : -3 < x < 5\}
(-3,5) == x > -3 and x < 5
(-3,5) != 5 < x < -3 ;; 5 > x \ge -3 ;; ]-3,5] ;; x > -3 \text{ or } x < 5
-3 < x < 5 == 5 > x > -3 ;; (-3, 5) ;; x > -3 \text{ and } x < 5 != 5 < x ;; [-3,5)
x \in [-2,7] == -2 \le x \le 7 ;; 7 \ge x \ge -2 ;; [-2;7] != -2 < x < 7
(2,\infty) == ]2,\infty[ ;; ]2;+\infty[ ;; \{x \mid x > 2\} != [2,\infty[ ;; ]3,\infty[
(-\infty,-3]\cup[4,\infty) == ]-\infty,-3]\cup[4,\infty[ ;; (-\infty, -3] \text{ or } [4, \infty)
(-\infty,-3]\cup[4,\infty) == (-\infty,-3] U [4,\infty)
(-\infty,-3]\cup[4,\infty) != x \le -3 \text{ and } x \ge 4
2\ln 3 == 2 \log_e 3 ;; \log_{e} 9 != 2 \log_3 e
\text{6:30 p.m.} == 6:30 \text{ p.m.} ;; \text{6:30 PM} ;; 6:30 pm != 6:30 a.m. ;; 5:30 p.m. ;; 6 ;; 6.5
12 != 12:1 ;; 12:5 ;; 12 \text{ million}
\frac34 == 3:4 ;; 3 \text{ to } 4 ;; 3 \text{ out of } 4 ;; \text{three fourths} ;; \dfrac34 ;; 0{,}75
\frac34 == 3/4 cup != 4:3 ;; 34
3 == \text{three} ;; Three ;; \underline{3} ;; \approx 3 ;; \large 3 ;; 3 \text{ (three)}
3 == \begin{aligned} 3 \end{aligned}
3 == \text{The answer is } 3 ;; \text{Answer: 3} ;; US\$3 ;; \therefore 3 != \text{thirteen} ;; \text{not three}
58,500 == 58.5\text{ thousand} ;; 58{,}500 != 58{,}5
\emptyset == \varnothing ;; \{\} ;; \text{No solution} ;; \text{There are no real solutions} != 0
1 \pm \sqrt{7} == 1 \mp \sqrt{7}
\frac{\pi}{3} == 60^\circ != 60 ;; 30^\circ
120^\circ == \frac{2\pi}{3} \text{ radians} != \frac{\pi}{3} ;; 120\%
\begin{pmatrix} 1 \\ 2 \end{pmatrix} == (1, 2) ;; \langle 1, 2 \rangle != (2, 1) ;; \begin{pmatrix} 1 & 2 \end{pmatrix}
(6,31,-1) == \langle 6,31,-1 \rangle
5 == \textbf{(A) } 5 ;; \textbf{(A)}\ 5 ;; \text{A) } 5 ;; five (5) != \textbf{(A) } 6
(3,4) == B(3,4) != B(4,3)
52_8 == 52_{8} ;; (52)_8 ;; 52_{\text{eight}} ;; 52 \text{ (base 8)} ;; 52₈ ;; 52 != 42 ;; 52_9 ;; 52 \text{ base } 7
"""
"""Reference == right answers != wrong ones, each in a box."""

TEXTS = r"""
12 == #### Step 1: Compute⏎3*4 = 12⏎⏎The result is 12. ;; #### 2.⏎We get 12. ;; #### 12 ;; #### $12⏎⏎Thanks.
12 == ## 3. Answer⏎12
12 == #### Answer: 12 ;; The answer is 12 apples. ;; The answer is 12, because 7 + 5 = 12. ;; The answer is 12, not 41.
12 == The answer is therefore 12 (twelve). ;; If the answer is 5, x = 1. The answer is 12.
12 == The answer is not 11 but 12.
12 == We get 12.⏎⏎Hope this helps! ;; We get **12**.⏎⏎Done. ;; We get 12.⏎⏎Let me know. ;; So it is 12.⏎⏎$\blacksquare$
12 == n = 3 * 4⏎= 12 ;; In all 3 * 4 = 12 of the 15. ;; The answer is⏎$$12$$ ;; Answer: 11. No, the answer is 12.
12 == x = 12 cm ;; So she earns 9 * 2 = 12 dollars ;; Thus a + b = 12.
3 != Hence f(x) = 3x + 2 holds. ;; (x-1) \cdot f(x) = 3x^4 + x^3 - 17⏎⏎We can rearrange the terms to ;; y = 3(x + 1)
12 != The answer is 12 apples and 5 oranges. ;; The answer is 12 or 5. ;; The answer is not 12. ;; #### 12. Sum⏎It is 9.
12 != The answer is between 12 and 13. ;; 12 is wrong, so it is 8. ;; The answer is 11, not 12.
12 == <answer>12</answer> ;; The answer is <b>12</b>. ;; \\boxed{12} ;; | Answer | **12** | ;; ✅ The answer is 12 🎉
12 == The answer is twelve. ;; Not \boxed{11} but \boxed{12}. ;; It's not 11, it's 12. ;; n = 12, not 11.
12 != The answer isn't 12. ;; The answer can't be 12. ;; It is never 12. ;; The answer is at least 12.
12 != The answer is 12:1. ;; I think it's less than 12. ;; The answer is a multiple of 12.
12 == => 12 ;; → 12 ;; x = 12 □
(3,-2) == The vertex is at (3, -2). != The vertex is at (-2, 3).
12 != So x >= 12. ;; Step 12: compute ;; 12) Add them. ;; Example 12 ;; n \neq 12 ;; $12$ is wrong. ;; Is the answer 12?
12 == > **12** != It is 6, half of 12. ;; It is 1 2. ;; It is 12 million. ;; It is 12. But two of them were
8 != f(3) = a(-81) + b(9) - 3 + 5 ;; \[ f(3) = -81a + 9b - 3 + 5 \] ;; The value of \(\sqrt{64}\) is
1 != For example, \(2^1 =
2 != Hence \(\sin A = 2\cos A\) holds.
11 == \[⏎x = \frac{22}{2}⏎\]⏎⏎So⏎⏎\[⏎x =
4 != (256, 4**x) ;; ```python⏎for i in range(5):⏎    if 0 <= i <= 4⏎``` ;; ```python⏎# The answer is 4
4 == ```python⏎print(2 + 3)⏎```⏎```output⏎4⏎``` ;; ```python⏎x = 5⏎```⏎So x = 4.
\frac12 == So it's ½.
\sqrt{2} == $AB = \sqrt{2}$ ;; So $AB = \sqrt 2$.
17 == \boxed{\text{seventeen}} != At least 17
4 == \boxed{3}. Wait, that is wrong: the answer is 4. ;; \boxed{4}. It would be wrong to say 5.
4 == \boxed{4}. The answer is 5.
4 != \boxed{4}. I made a mistake. The answer is 5.
4 == ```python⏎print(2 + 2)```⏎⏎The answer is 4. ;; If a<b and c>0, the answer is 4.
(-\infty,-1)\cup(1,\infty) == \boxed{p<-1 or p>1}
-3 == The answer is negative 3. ;; The answer is minus three.
2x+1 == So $f(x)$ is $2x+1$. Hope this helps! ;; The answer is \(2x + 1\) for all x. != So $f(x)$ is $2x$, not $2x+1$.
pq == The answer is pq. ;; So the product is pq. ;; **pq** != The answer is p. ;; The answer is p + q.
(-3,5) == So the solution is 5 > x > -3. ;; The answer is -3 < x < 5.
1,-2 == So $x=1$ or $x=-2$. ;; The roots are \(1\) and \(-2\). != So $x=1$ or $x=2$.
\text{west} == She faces west. ;; Then she faces west. != She does not face west. ;; East or west. ;; Is it west?
\frac{1}{2} == half ;; The answer is one half. ;; \boxed{\text{a half}} ;; \boxed{\text{one half}}
\frac{2}{3} == \boxed{\text{two thirds}}
10\% == The answer is ten percent. ;; \boxed{\text{ten percent}} != The answer is twenty percent.
12 == 12⏎⏎Explanation: multiply 3 by 4.
12 == **12 apples**⏎⏎Step 1: She has 3 baskets.⏎Step 2: each holds 4 of them. != 13⏎⏎It is 3 times 4, which is 12
42 == The answer is forty-two. ;; \boxed{\text{forty two}} ;; Therefore, 42 of the 50 passed.
42 == <final_answer>42</final_answer> != forty-three
\frac{2}{3} == 0.666666... ;; It is 0.6666… != 0.667...
\frac{\pi}{4} == The angle is 45 degrees. != The angle is 40 degrees.
\frac{7}{3} == \[⏎f(1) + f(2) = 2 + \frac{1}{3} = \frac{7}{3}⏎\]
\frac{7}{3} == \[⏎f(1) = 2 + \frac{1}{3} = \frac{7}{3}⏎\ != f(x) = 2 + \frac{2}{3} = \frac{8}{3}
17 == 12⏎⏎+ 5⏎⏎17 ;; 10 apples⏎⏎Then 7 more.⏎⏎Total: 17 ;; 12⏎⏎Wait, that is wrong. The answer is 17.
17 == Thus, \(\text{the answer is }17\) ;; $\textbf{Answer: 17}$ != $\text{the answer is }18$
\text{Yes} == Yes, it is continuous. != No, it is not.
\text{cannot be determined} == It cannot be determined.
\text{no solution} == The equation has no solution. != The equation has one solution, 3.
2.5 == The answer is two and a half. ;; \boxed{2\text{ and a half}} ;; two and a half hours != two and a third
\frac{11}{4} == two and three quarters ;; The answer is 2 and three quarters. != two and one quarter
7 == I cannot tell which is faster. Their sum is 7. ;; It cannot be solved so.⏎So it is 7. != I tried 5 and 7 but I give up.
7 != I don't know. I only got as far as 7. ;; I could not determine the answer, the last value I had was 7
\text{even} == f is an even function. ;; \boxed{\text{Even function}} != It is an odd function.
\text{6:30 p.m.} == They meet at 6:30 PM. != The answer is 6:30 a.m.
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} == The answer is⏎\[⏎\begin{pmatrix}⏎1 & 2 \\⏎3 & 4⏎\end{pmatrix}⏎\]
40 == Therefore, 120 - 80 = 40 girls are not in it. != 40 is incorrect.
14 == Subtract who couldn't come to find who did: 24 people - 10 people = 14 people
5 == \fbox{5} ;; \boxed 5 ;; \[ \boxed{\boxed{5}} \] ;; $\boxed{5}$, and $\boxed{5}$ indeed fits.
5 == \boxed{5}. So 5, not 6.
5 != \boxed{5}, but wait: \boxed{4} ;; \boxed{5}, no, \boxed{nonsense @@ \foo} ;; The word boxed makes no answer of 12.
5 == The answer is 5. != The answer is 5 1/2. ;; So we need 5 1/2 cups.
1,-2 == $\boxed{1}$ and $\boxed{-2}$ ;; The roots are x = -2 and x = 1. != $\boxed{1}$ and $\boxed{2}$
\frac{639}{40} == \boxed{15\frac{39}{40}}, or \boxed{\frac{639}{40}} != \boxed{\frac{639}{40}}, or \boxed{15}
\frac{11}{4} == She needs 2 3/4 cups. ;; The answer is 2 3/4. != She needs 3/4 cups.
288 \pi == The answer is 288π cubic inches. != The answer is 288 cubic inches.
-3 == x = −3 ;; The minimum is $-3$, attained at $x = 2$. != 3
p - q == p - q ;; The answer is -q + p. != The answer is p + q.
\text{odd} == The function is odd. ;; **Odd** ;; The answer is odd, as f(-x) = -f(x). != The answer is even. ;; Even
\text{Evelyn} == Evelyn has the greatest speed. != Evelyn does not have it. ;; Evelyn is slower than Carla.
\text{odd} != Odd functions have f(-x) = -f(x).
2 == There are two solutions. ;; So she needs exactly two more apples. ;; x has two.⏎⏎All done != There are three.
42 == x = 42⏎⏎There is only one such value. ;; The value is 42.⏎⏎Note: we used 2 rules.
0 == There are no such integers.
1 == There is exactly one solution. != It is one of the even numbers.
\infty == The limit is infinite.
[-2,7] == x \in [-2, 7] ;; So $x \in [-2, 7]$.
52_8 == It is 52 (base 8) ;; 52 (base 8) ;; 52 base 8
5 == The answer to part 2 is 5. ;; 5 apples. She had 2 and got 3. != 5. First, add 2 and 4 to get 6.
\text{Evelyn} == Answer: Evelyn⏎⏎Hope this helps! ;; The answer is Evelyn. != The answer is Carla.
42 == She spent $42 on 3 items. ;; She pays $42 for the 16 glasses. ;; The total is $42, which includes 3 of tax.
42 == She needs 42 spoons to make 16 muffins. ;; So x = 42 when y = 2. ;; 42⏎⏎</s> ;; 42<|im_end|> ;; 42m
42 == The answer is 42.⏎⏎Human: What is 5 + 5?⏎⏎Assistant: The answer is 10. ;; 42⏎⏎Question: What is 2 + 2?⏎Answer: 4
3 != She spent $42 on 3 items. ;; So x = 42 when y = 3. ;; The answer is 42.⏎⏎Question: What is 2 + 1?⏎Answer: 3
20 == The 5 books sold for $20. ;; Let me restate it.⏎⏎Question: What is 15 + 5?⏎Answer: 20 ;; It rose from 5 to 20.
175 == In total it is 25 for the bill + 150 for the tip = 175. != He paid $80 for the 175 glasses.
7 == Seven days. ;; seven apples != One of the seven days.
\frac{14}{3} == The value is 14/3, which is about 4.67.
(3,\frac{\pi}{2}) == r = 3 and θ = π/2, so (3, π/2). != r = 3 and θ = π/2, so (π/2, 3).
[-2,7] == all x with -2 ≤ x ≤ 7 != all x with -2 < x < 7
(-\infty,3) \cup (3,\infty) == All real numbers except 3. ;; x ≠ 3 != All real numbers except 4.
\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} == [[1, 2], [3, 4]] != [[1, 3], [2, 4]]
\text{Evelyn} == Evelyn had the greatest speed, at 4.5 mph. != Evelyn and Briana.
\text{7:30} == The train arrives at 7:30. ;; \boxed{7:30} != The train arrives at 7:45. ;; 7
\text{east} == At 4:30 she faces east.
p - q == Hence $$\sum_{k} a_k = p - q.$$ ;; It simplifies to **p - q**. != Hence $$\sum_{k} a_k = q - p.$$
\frac{11}{36} == P = 11/36 (30.6%) != P = 25/36 (69.4%)
64 == Then we get $a = 3,$ so $n = 64.$ ;; This is \[a = 3.\]Then $n = 64.$ ;; So $f(x) = 64$ for all $x \ge 5$.
28 == So $b=7$.  Thus $abc=2\cdot 2\cdot 7=28$. ;; There are $4 \cdot 7 = 28$ quarts of
\pm 4 == So x = 4 or x = -4. != So x = 4 or x = 4.
-7 == $x = -7$ is the only root, since $x = 7$ does not fit. != $x = 7$ is the only root, since $x = -7$ does not fit.
1 \pm \sqrt{19} == So x = 1 ± √19. != So x = 1 + √19.
1,-2 == So $x=\boxed{-2}$ and $x=\boxed{1}$. != So $x=\boxed{-2}$ and $x=\boxed{2}$.
\frac{11}{36} == It is 11/36 (about 30.6%). ;; The value is 11/36. We can check: 11 + 25 = 36. != It is 25/36 (not 11/36).
\text{east} == As 1 is not even, he faces **east**. ;; It is east, because he turns. != It is north, one step before east.
(-\infty,0] == It takes all values in **(−∞, 0]**. != It takes all values in **(−∞, 0)**.
150 == It lasts 2 hours and 30 minutes. != It lasts 2 hours and 20 minutes. ;; 2 hours and 150 minutes
16 == It is 16 (when the sides are 6). ;; It is 16 at $x = 4$. != At most 16, sadly. ;; It was 18, since 16 is odd.
16 != It could be 16 or 18.
x^2 + y^2 = 25 == It has equation $x^2+y^2=25$. != It has equation $x^2+y^2=5$.
2,-1 == $$x = \frac{1 \pm 3}{2} \implies x = 2 \text{ or } x = -1$$ ;; It is {2, -1}. != It is {2, 1}.
1001_2 == $9_{10} = 1001_2$ != $9_{10} = 1001_3$
\text{Maria} == Counting on, we end at Maria. ;; So the winner is Maria! != So the winner is Ann!
2.5 == \boxed{2 \text{ hours and } 30 \text{ minutes}}
7 != The answer is 3 + 4 = ;; We get $3 + 4 = 7$. Then we multiply by the number of
\text{6:30 p.m.} == \boxed{6\!:\!30 \text{ p.m.}}
1200 == #### 1,200 ;; 5 + 7 = 12⏎#### $1,200 ;; $1,200 ;; **$1,200** ;; \boxed{\$1,200} ;; \boxed{1200\text{ dollars}}
1,200 == The answer is $1,200. ;; The answer is 1200 dollars, since 2 * 600 = 1200 and 3 * 7 = 21
1,200 == So they pay 1,200 dollars
\$36 == 36 dollars != The answer is 36 cents. ;; \boxed{36 \text{ cents}} ;; She pays 36 cents.
36 == The answer is 36 cents.
\$0.36 == It costs 36 cents. ;; \boxed{36¢} ;; The answer is $0.36.
70,000 == The profit is $70k. ;; So \boxed{\$70k}. != The profit is $70.
\$18.90 == The answer is 18 dollars and 90 cents. ;; The total is $18 and 90 cents. != She pays 18 dollars and 9 cents.
1,200 == She makes $2 * 600 = $1200 every day. ;; **Answer:** 1200 ;; 1200.00 != #### 1,201 ;; So they pay $1,201.
"""

NO_ANSWER = ["", "  \n", r"\boxed{}", r"\boxed{\frac{1}{2", "I do not know, to be honest."]


def rows_of(table: str, form: str) -> list[tuple[str, str, str]]:
    """(reference, "right" or "wrong", text) of each answer of a table."""
    rows = []
    for line in table.strip().splitlines():
        gold, sign, answers = re.match(r"(.*?) (==|!=) (.*)", line).groups()
        right, _, wrong = answers.partition(" != ") if sign == "==" else ("", "", answers)
        for status, texts in (("right", right), ("wrong", wrong)):
            rows += [(gold, status, form % text.replace("⏎", "\n")) for text in texts.split(" ;; ") if text]
    return rows


@pytest.fixture(scope="module")
def judge() -> Iterator[MathJudge]:
    with MathJudge(workers=2, timeout_s=20.0) as judge:
        yield judge


def statuses(judge: MathJudge, pairs: list[tuple[str, str]]) -> list[str]:
    with ThreadPoolExecutor(8) as threads:
        return [verdict.status for verdict in threads.map(lambda pair: judge.verify(*pair), pairs)]


@pytest.mark.parametrize(("table", "form"), [(BOXED, r"So \boxed{%s}."), (TEXTS, "%s")], ids=["boxed", "texts"])
def test_an_answer_is_right_or_wrong_as_a_strict_grader_would_have_it(judge, table, form):
    rows = rows_of(table, form)
    judged = statuses(judge, [(gold, text) for gold, _, text in rows])
    assert set(judged) <= {"right", "wrong", "no_answer"}
    assert [row for row, status in zip(rows, judged, strict=True) if (row[1] == "right") != (status == "right")] == []


def test_a_wrong_answer_says_what_was_read(judge):
    verdict = judge.verify("x=5", r"So \boxed{y=5}.")
    assert (verdict.status, verdict.extracted, verdict.detail) == ("wrong", "y=5", "reference is x=5")


@pytest.mark.parametrize("gold", [r"\text{east}", "5", "0", "[1,2)", "x + y = 3", r"\text{(C)}"])
def test_a_text_without_an_answer_is_never_right(judge, gold):
    assert set(statuses(judge, [(gold, text) for text in NO_ANSWER])) == {"no_answer"}


def test_a_reference_that_cannot_be_read_is_no_fault_of_the_answer(judge):
    for gold in (r"@@ foo \bar {", "", r"\boxed{}"):
        verdict = judge.verify(gold, r"\boxed{5}")
        assert verdict.status == "harness_error"
        assert "reference" in verdict.detail


def test_what_sympy_raises_on_an_answer_is_a_wrong_answer(monkeypatch):
    def fail(*_: object) -> bool:
        raise TypeError("Invalid NaN comparison")

    monkeypatch.setattr(math_judge, "equal", fail)
    verdict = math_judge.judge("5", r"\boxed{5}")
    assert (verdict.status, verdict.extracted) == ("wrong", r"\boxed{5}")
    assert "TypeError" in verdict.detail


@sample_or_all(step=10)
def test_every_math500_answer_and_solution_is_right(judge, shared_data, step):
    rows = [row for _, row in read_rows(shared_data / "math500" / "test.jsonl")][::step]
    for form in ("%s", "The answer is %s.", r"\boxed{%s}"):
        assert statuses(judge, [(row["answer"], form % row["answer"]) for row in rows]).count("right") == len(rows)
    assert statuses(judge, [(row["answer"], row["solution"]) for row in rows]).count("right") == count_of(500, step)
    others = [(row["answer"], other["solution"]) for row, other in zip(rows, rows[1:] + rows[:1], strict=True)]
    same = sum(row["answer"] == other["answer"] for row, other in zip(rows, rows[1:] + rows[:1], strict=True))
    assert statuses(judge, others).count("right") <= same + 1  # "x=5" follows a problem whose answer is 5


@sample_or_all(step=20)
def test_every_gsm8k_solution_is_right(judge, shared_data, step):
    rows = [row for _, row in read_rows(shared_data / "gsm8k" / "test.jsonl")][::step]
    pairs = [(row["answer"].split("####")[1].strip(), row["answer"]) for row in rows]
    assert set(statuses(judge, pairs)) == {"right"}
    prose = [(gold, re.sub(r"<<.*?>>", "", text.split("####")[0])) for gold, text in pairs]
    assert statuses(judge, prose).count("right") >= 0.98 * len(rows)


def test_hostile_texts_are_not_right_and_the_judge_goes_on():
    hostile = [
        r"\boxed{9^{9^{9^{9}}}}",
        r"\boxed{10^{9}!}",
        r"\boxed{" + r"\frac{1}{" * 2000 + "2" + "}" * 2000 + "}",
        r"\boxed{" + "(" * 5000 + "5" + ")" * 5000 + "}",
        "9**9**9**9",
        "(" * 100_000,
        r"\boxed{" * 50_000,
        "1" * 200_000,
        "the answer is " + "a" * 100_000,
        "it is not 5 " * 30_000,
        "\\[" * 50_000,
        "```python\n" * 20_000,
        r"\boxed{1}" + r"\text{ }$" * 30_000 + r"\boxed{2}",
    ]
    with MathJudge(workers=2, timeout_s=1.0) as judge:
        judged = statuses(judge, [("5", text) for text in hostile])
        assert judged[:2] == ["timeout", "timeout"]
        assert set(judged) <= {"timeout", "wrong", "no_answer"}
        assert judge.verify("5", r"\boxed{5}").status == "right"


def test_a_child_that_dies_is_a_harness_error_and_is_replaced():
    with MathJudge(workers=1, timeout_s=20.0) as judge, ThreadPoolExecutor(1) as thread:
        assert judge.verify("5", "5").status == "right"
        hanging = thread.submit(judge.verify, "5", r"\boxed{9^{9^{9^{9}}}}")
        time.sleep(1)
        [child] = judge._pool._pool_manager.worker_manager.workers.values()
        os.kill(child.pid, signal.SIGKILL)
        verdict = hanging.result()
        assert verdict.status == "harness_error"
        assert "ended by itself" in verdict.detail
        assert judge.verify("5", "5").status == "right"


PARENT = r"""
import multiprocessing, threading, time
from evaluation.judges.mathematics import MathJudge
if __name__ == "__main__":
    judge = MathJudge(workers=2, timeout_s=1.0)
    judge.verify("5", "5")
    judge._timeout_s = 3.0
    threading.Thread(target=judge.verify, args=("5", r"\boxed{9^{9^{9^{9}}}}")).start()
    time.sleep(1)
    print(*[child.pid for child in multiprocessing.active_children()], flush=True)
    time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_children_end_with_a_parent_that_is_killed_even_while_they_judge(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        children = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(children) == 2
        parent.kill()
    deadline = time.monotonic() + 3.0 + math_judge.ORPHAN_GRACE_S + 5.0
    while time.monotonic() < deadline and any(map(is_alive, children)):
        time.sleep(0.2)
    left = [pid for pid in children if is_alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left


def test_a_missing_package_is_named_with_the_remedy(monkeypatch, capsys):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(math_judge, "version", missing)
    assert command.main(["--benchmark", "math500", "--responses", "x"]) == 2
    assert "math-verify is not installed; pip install -r evaluation/requirements.txt" in capsys.readouterr().err


def test_the_last_box_counts_and_a_cut_one_does_not():
    assert boxes(r"\boxed{3} and then some words \boxed{\frac{1}{2}}") == [[r"\frac{1}{2}"], ["3"]]
    assert boxes(r"\boxed{3} and \boxed{4}") == [["3", "4"]]
    assert boxes(r"\boxed{\{1, 2\}}") == [[r"\{1, 2\}"]]
    assert boxes(r"\boxed{3}, so \boxed{12") == [["3"]]
    assert boxes(r"in \boxed{} please, boxed{7}") == []
    assert final_answers(r"\boxed{12") == []
