"""Code that wants its unittest verdict to be right without being right. Kept as texts: each runs in the sandbox alone."""

TO_THE_TOKEN = """def forge(token):
    import os
    names = ["test_case_1", "test_case_2"]
    rows = ", ".join('["%s", "%s", ""]' % (n.encode().hex(), b"passed".hex()) for n in names)
    data = ('{"token": "%s", "outcomes": [%s], "void": null}\\n' % (token, rows)).encode()
    for fd in range(3, 20):
        try: os.write(fd, data)
        except OSError: pass
    os._exit(0)
def up(f):
    while f is not None:
        if "token" in f.f_locals: forge(f.f_locals["token"])
        f = f.f_back
"""
"""Walks up from a frame to the driver's secret, and forges the verdict with it."""

FORGED_BY_CODE = {
    "leaves before the tests": "import sys\nsys.exit(0)",
    "leaves at once": "import os\nos._exit(0)",
    "leaves in the test": "import os\ndef task_func(x): os._exit(0)",
    "leaves politely in the test": "def task_func(x): raise SystemExit(0)",
    "skips the tests": "import unittest\ndef task_func(x): raise unittest.SkipTest('done')",
    "patches TestCase.run": "import unittest\nunittest.TestCase.run = lambda self, result=None: result.addSuccess(self)",
    "patches the code of run": (
        "import unittest\ndef run(self, result=None): result.addSuccess(self)\n"
        "unittest.TestCase.run.__code__ = run.__code__"
    ),
    "patches an assertion in the test": (
        "import unittest\ndef task_func(x):\n"
        "    for name in dir(unittest.TestCase):\n"
        "        if name.startswith('assert'): setattr(unittest.TestCase, name, lambda *a, **k: None)"
    ),
    "patches the loader": (
        "import unittest\nunittest.TestLoader.getTestCaseNames = lambda *a: []\n"
        "unittest.TestLoader.loadTestsFromTestCase = lambda *a: unittest.TestSuite()"
    ),
    "patches the result": "import unittest\nunittest.TestResult.addFailure = unittest.TestResult.addError = lambda *a: None",
    "puts another unittest in place": (
        "import sys, types\nfake = types.ModuleType('unittest')\nclass T:\n"
        "    def __init__(self, name): pass\n    def run(self, result): result.addSuccess(self)\n"
        "fake.TestCase = T\nsys.modules['unittest'] = fake"
    ),
    "replaces AssertionError": "import builtins\nbuiltins.AssertionError = type('Quiet', (Exception,), {})",
    "patches isinstance and print": "import builtins\nbuiltins.isinstance = lambda *a: True",
    "replaces the test methods": (
        "def task_func(x):\n    for name in ('test_case_1', 'test_case_2'):\n"
        "        setattr(TestCases, name, lambda self: None)\n    return 41"
    ),
    "empties the test class by __build_class__": (
        "import builtins\nold = builtins.__build_class__\n"
        "def build(f, name, *a, **k):\n    c = old(f, name, *a, **k)\n"
        "    for n in list(vars(c)):\n        if n.startswith('test'): setattr(c, n, lambda self: None)\n    return c\n"
        "builtins.__build_class__ = build"
    ),
    "is equal to anything": (
        "class Any:\n    def __eq__(self, other): return True\n    def __contains__(self, item): return True\n"
        "def task_func(x): return Any()"
    ),
    "is equal to anything, out of exec": (
        "space = {}\nexec('class Any(str):\\n    __eq__ = lambda s, o: True\\n    __hash__ = None\\n"
        "    __contains__ = lambda s, i: True', space)\n"
        "def task_func(x): return space['Any']()"
    ),
    "returns mock.ANY": "from unittest.mock import ANY\ndef task_func(x): return ANY",
    "prints what looks like a result": (
        'import os\nfor fd in range(1, 64):\n    for line in (b\'{"token": "", "outcomes": [], "void": null}\\n\','
        " b'..\\n\\nOK\\nPASSED 2 passed\\n'):\n        try: os.write(fd, line)\n        except OSError: pass\n"
        "def task_func(x): return 0"
    ),
    "writes results at exit": (
        "import atexit, os\ndef forge():\n    for fd in range(3, 64):\n"
        '        try: os.write(fd, b\'{"passed": true, "value": 41, "void": null}\\n\')\n        except OSError: pass\n'
        "atexit.register(forge)\nimport sys\nsys.exit(0)"
    ),
    "walks the frames": (
        "import sys\ndef task_func(x):\n    f = sys._getframe()\n    while f:\n"
        "        if 'token' in f.f_locals: return 41\n        f = f.f_back\n    return 0"
    ),
    "walks the frames by inspect": "import inspect\ndef task_func(x): return len(inspect.stack())",
    "walks the frames of a traceback": (
        "def task_func(x):\n    try: 1/0\n    except Exception as e:\n        f = e.__traceback__.tb_frame\n"
        "        while f.f_back: f = f.f_back\n        return f.f_locals"
    ),
    "asks the garbage collector": (
        "import gc\ndef task_func(x): return [o for o in gc.get_objects() if isinstance(o, dict) and 'token' in o]"
    ),
    "traces": "import sys\nsys.settrace(lambda frame, event, arg: None)\ndef task_func(x): return 0",
    "reads its memory": "def task_func(x): return open('/proc/self/mem', 'rb').read(10)",
    "reaches by ctypes": "import ctypes\ndef task_func(x): return ctypes.string_at(id(x), 8)",
    "looks into the main module": "import __main__\ndef task_func(x): return __main__.main, __main__.unittest",
    "patches the driver's modules": (
        "import sys\nfor name in ('z1_inside', 'z1_guard'):\n    sys.modules[name].Channel = None\n"
        "def task_func(x): return 41"
    ),
    "shadows a builtin the tests use": "def task_func(x): return 1\nglobals()['__builtins__'] = {}",
    "patches the assertions and puts them back when the test is over": """
import unittest
old = {}
def task_func(x):
    if not old:
        for n in dir(unittest.TestCase):
            if n.startswith("assert"): old[n] = unittest.TestCase.__dict__[n]
    for n in old:
        setattr(unittest.TestCase, n, fake)
    return True
def fake(self, *a, **k):
    self.addCleanup(restore)
def restore():
    for n in old: setattr(unittest.TestCase, n, old[n])
""",
    "has a thread pool ask for all frames": TO_THE_TOKEN
    + """
from concurrent.futures import ThreadPoolExecutor
import sys
def task_func(x):
    for f in ThreadPoolExecutor(1).submit(sys._current_frames).result().values(): up(f)
""",
    "has a thread pool ask for the frame of a traceback": TO_THE_TOKEN
    + """
from concurrent.futures import ThreadPoolExecutor
def task_func(x):
    try: 1/0
    except Exception as e: up(ThreadPoolExecutor(1).submit(getattr, e.__traceback__, "tb_frame").result())
""",
    "has a thread pool ask the garbage collector": TO_THE_TOKEN
    + """
from concurrent.futures import ThreadPoolExecutor
import gc
def task_func(x):
    for o in ThreadPoolExecutor(1).submit(gc.get_objects).result():
        if type(o) is dict and "token" in o: forge(o["token"])
        if type(o).__name__ == "frame": up(o)
""",
    "has a mock ask for the frame": TO_THE_TOKEN
    + """
import sys, unittest.mock
def task_func(x):
    up(unittest.mock.Mock(side_effect=sys._getframe)())
""",
    "asks a task for its stack": TO_THE_TOKEN
    + """
import asyncio
async def f():
    for fr in asyncio.current_task().get_stack(): up(fr)
def task_func(x):
    asyncio.run(f())
""",
    "traces by bdb": TO_THE_TOKEN
    + """
import bdb
class B(bdb.Bdb):
    def trace_dispatch(self, frame, event, arg):
        up(frame)
def task_func(x):
    B().runcall(len, "a"); B().set_trace(); len("b"); (lambda: 0)()
""",
    "profiles by profile": TO_THE_TOKEN
    + """
import profile
class P(profile.Profile):
    def __init__(self):
        super().__init__()
        self.dispatcher = lambda frame, event, arg: up(frame)
def task_func(x):
    P().runcall(lambda: 0)
""",
    "traces by pdb": TO_THE_TOKEN
    + """
import pdb, io
def task_func(x):
    p = pdb.Pdb(stdin=io.StringIO("c\\n"), stdout=io.StringIO())
    p.user_line = lambda frame: up(frame)
    p.trace_dispatch = lambda frame, e, a: up(frame)
    p.runcall(lambda: 1)
""",
    "has pickle ask for the frame": TO_THE_TOKEN
    + """
import pickle, sys
class X:
    def __reduce__(self): return (sys._getframe, ())
def task_func(x): up(pickle._loads(pickle.dumps(X())))
""",
    "is equal to anything but the usual strangers, out of exec": '''
s = {}
exec("""
class L:
    __hash__ = object.__hash__
    def __eq__(self, o): return not (type(o) is object or o == 12345.678 or 'stranger' in repr(o))
    def __contains__(self, o): return True
""", s)
def task_func(x): return s["L"]()
''',
    "is equal to anything by a descriptor": """
from unittest.mock import Mock
class E:
    def __set_name__(self, *a): pass
    def __get__(self, *a): return lambda o: not (type(o) is object or o == 12345.678 or 'stranger' in repr(o))
class L:
    __eq__ = E()
    __contains__ = E()
    __hash__ = object.__hash__
def task_func(x): return L()
""",
    "is equal to anything by another slot": """
class L(int):
    __eq__ = int.__ne__
    __hash__ = int.__hash__
def task_func(x): return L(0)
""",
    "is equal to anything by mock.ANY's own method": """
import unittest.mock
class L:
    __eq__ = type(unittest.mock.ANY).__eq__
def task_func(x): return L()
""",
    "is equal to anything as a mock": """
from unittest.mock import MagicMock
m = MagicMock(); m.__eq__.return_value = True; m.__contains__.return_value = True
def task_func(x): return m
""",
    "holds anything when it is searched": """
class L(str):
    def __eq__(s, o): return True
    __hash__ = str.__hash__
class R(int):
    def __iter__(s): yield L("x")
def task_func(x): return 41 if x == 1 else 42 if x == 2 else R(0)
""",
    "puts another TestCase in place": """
import unittest
class M(type):
    def __new__(m, n, b, d):
        for k in list(d):
            if k.startswith("test"): d[k] = lambda self: None
        return type.__new__(m, n, b, d)
class Base(unittest.TestCase, metaclass=M): pass
unittest.TestCase = Base
def task_func(x): pass
""",
    "puts another unittest with a TestCase of its own in place": """
import sys, types, unittest as real
class T(real.TestCase):
    def assertEqual(self, *a): pass
    assertTrue = assertIn = assertEqual
fake = types.ModuleType("unittest"); fake.__dict__.update(vars(real)); fake.TestCase = T
sys.modules["unittest"] = fake
def task_func(x): pass
""",
    "stops the test as if it were done": """
import unittest
def task_func(x): raise unittest.case._ShouldStop()
""",
    "swallows errors in contextlib": """
import contextlib
contextlib._GeneratorContextManager.__exit__ = lambda self, *a: True
def task_func(x): return None
""",
    "puts another unittest.mock in place": """
import sys, types, unittest.mock as real
fake = types.ModuleType("unittest.mock"); fake.__dict__.update(vars(real))
fake.patch = lambda *a, **k: (lambda f: (lambda self: None))
sys.modules["unittest.mock"] = fake
def task_func(x): pass
""",
    "brings bytecode under the name of a library": TO_THE_TOKEN
    + """
import marshal, importlib.util, sys, os
def task_func(x):
    code = compile("import sys\\ndef g(): return sys._getframe()", "solutionsolution.py", "exec")
    lib = os.path.dirname(os.__file__) + "/"
    data = marshal.dumps(code, 0)
    name = (lib + "a.py")
    import struct
    old = b"solutionsolution.py"
    data = data.replace(struct.pack("<i", len(old)) + old, struct.pack("<i", len(name)) + name.encode())
    open("evil.pyc", "wb").write(importlib.util.MAGIC_NUMBER + bytes(12) + data)
    sys.path.insert(0, os.getcwd())
    import evil
    up(evil.g())
""",
    "compiles under the name of a driver": TO_THE_TOKEN
    + """
import sys
s = {"sys": sys}
exec(compile("def g(): return sys._getframe()", "a/inside/b.py", "exec"), s)
def task_func(x): up(s["g"]())
""",
    "adds an audit hook": """
import sys
sys.addaudithook(lambda *a: None)
def task_func(x): pass
""",
    "patches what the guard may use": """
import ast, functools, warnings, types, unittest
ast.walk = lambda t: []
ast.parse = None
types.FunctionType = types.CodeType = None
functools.wraps = None
old = unittest.TestCase.assertEqual
class Liar:
    def __eq__(s, o): return True
    def __contains__(s, o): return True
def task_func(x): return Liar()
""",
    "looks for the driver among all classes": """
import unittest
def all(k):
    for c in type.__subclasses__(k):
        yield c; yield from all(c)
def task_func(x):
    for k in (object, unittest.TestCase, unittest.TestResult):
      for c in type.__subclasses__(k):
        if "z1" in c.__module__ or c.__module__ in ("__main__",):
            import os; os.write(1, ("CLASS " + repr(c)).encode())
            for n in list(vars(c)):
                if callable(vars(c)[n]) and not n.startswith("__"): setattr(c, n, lambda *a, **k: None)
""",
    "replaces the code of what the tests call": """
def task_func(x):
    f = globals()["task_func"]
    a = TestCases.test_case_1.__code__.co_consts
    for c in a:
        if hasattr(c, "__globals__"):
            c.__globals__["print"] = 1
            c.__code__ = (lambda *a, **k: None).__code__
""",
    "patches the assertions in a signal handler": """
import unittest, signal, time
old = {n: unittest.TestCase.__dict__[n] for n in dir(unittest.TestCase) if n.startswith("assert")}
def on(*a):
    for n in old: setattr(unittest.TestCase, n, fake)
def fake(self, *a, **k): self.addCleanup(restore)
def restore():
    for n in old: setattr(unittest.TestCase, n, old[n])
signal.signal(signal.SIGALRM, on)
def task_func(x):
    signal.setitimer(signal.ITIMER_REAL, 1e-6)
    return True
""",
    "patches the assertions in a destructor": """
import unittest
old = {n: unittest.TestCase.__dict__[n] for n in dir(unittest.TestCase) if n.startswith("assert")}
class D:
    def __del__(self):
        for n in old: setattr(unittest.TestCase, n, fake)
def fake(self, *a, **k): self.addCleanup(restore)
def restore():
    for n in old: setattr(unittest.TestCase, n, old[n])
def task_func(x):
    D()
    return True
""",
    "asks a generator for its frame": TO_THE_TOKEN
    + """
def g():
    import sys
    try: yield 1
    finally: pass
def task_func(x):
    import types
    it = g(); next(it)
    up(getattr(it, "gi_frame"))
""",
    "runs a file that asks for the frame": TO_THE_TOKEN
    + """
import runpy, os
def task_func(x):
    source = "import sys\\nf = sys._getframe()\\nwhile 'token' not in f.f_locals: f = f.f_back\\nout = f.f_locals['token']"
    open("t.py", "w").write(source)
    forge(runpy.run_path("t.py").get("out", ""))
""",
}
