"""How the driver of unittest classes watches the code it shares an interpreter with: see units.py for what and why.

Functions within functions and no classes: object.__subclasses__() leads to every class, and from there to its methods and
their globals. What is needed once the code has been loaded is held in names of this module, which nothing leads to.
"""

import builtins

__builtins__ = dict(vars(builtins))  # a copy, as in units.py

import ast
import os
import sys
import sysconfig
import types
import unittest
import unittest.mock
import warnings
from _thread import get_ident
from collections import deque
from itertools import islice

INSIDE = os.path.dirname(os.path.abspath(__file__)) + "/"
PR_SET_DUMPABLE = 4
FRAME_ATTRIBUTES = ("tb_frame", "gi_frame", "cr_frame", "ag_frame")
FUNCTION_ATTRIBUTES = ("__code__", "__defaults__", "__kwdefaults__")
REACHING = {
    "sys._getframe",
    "sys._getframemodulename",
    "sys._current_frames",
    "sys._current_exceptions",
    "sys.settrace",
    "sys.setprofile",
    "sys.addaudithook",
    "object.__getattr__",
    "object.__setattr__",
    "gc.get_objects",
    "gc.get_referrers",
    "gc.get_referents",
    "code.__new__",
    "marshal.loads",
    "compile",
    "open",
}
NEVER = ("sys._current_frames", "sys._current_exceptions", "sys.settrace", "sys.addaudithook")
HANDS_OUT_FRAMES = {
    **{name: name for name in ("currentframe", "stack", "trace", "walk_stack", "walk_tb", "getinnerframes")},
    **{name: name for name in ("getouterframes", "get_stack", "_task_get_stack", "_walk_tb_with_full_positions")},
    "<lambda>": "currentframe",
}
COMPARISONS = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__", "__iter__")
MODULES = sys.modules
Function, Code = types.FunctionType, types.CodeType
SLOTS = (types.WrapperDescriptorType, types.MethodDescriptorType)
MOCK = unittest.mock.NonCallableMock
STRANGERS = (object(), 12345.678, "a stranger", ["a stranger"], ("a stranger",), {"a": "stranger"})
COMPARING = ("Equal", "In", "Less", "Greater", "Count")  # of the assertions
ASSERTIONS = {name: value for name, value in vars(unittest.TestCase).items() if name.startswith("assert")}
PLAIN = {type(None), bool, int, float, complex, str, bytes, bytearray}
CONTAINERS = (list, tuple, set, frozenset, dict, deque)
MOST_LOOKED_AT = 2000
HEAP_TYPE = 1 << 9
ANY = type(unittest.mock.ANY).__eq__.__code__
dict_of, mro_of, flags_of = (vars(type)[name].__get__ for name in ("__dict__", "__mro__", "__flags__"))
CHANGES_IN_AN_HONEST_RUN = {
    "_",
    "__abstractmethods__",
    "_abc_impl",
    "_class_cleanups",
    "__warningregistry__",
    "_classSetupFailed",
    "file_spec",
    "open_spec",
}


def hide_memory():
    """No other process of this user may read this one's memory. Without ctypes (some builds) there is only the rest."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        pass


def seal_of(*parts):
    """Remembers modules and classes, down to the code of their functions; returns what tells a change, or None."""
    modules = [(part.__name__, part) for part in parts if type(part) is types.ModuleType]

    def look(part):
        seen = {}
        for name, value in dict(vars(part)).items():
            inner = getattr(value, "__func__", value)
            code = (inner.__code__, inner.__defaults__, inner.__kwdefaults__) if type(inner) is Function else ()
            seen[name] = (value, *code)
        return seen

    before = [(part.__name__, part, look(part)) for part in parts]

    def broken():
        for name, module in modules:
            if MODULES.get(name) is not module:
                return "sys.modules[%r]" % name
        for title, part, seen in before:
            now = look(part)
            for name in {*seen, *now} - CHANGES_IN_AN_HONEST_RUN:
                old, new = seen.get(name, ()), now.get(name, ())
                if not old and adds_only(part, name):
                    continue
                if len(old) != len(new) or any(a is not b for a, b in zip(old, new)):
                    return "%s.%s" % (title, name)
        return None

    return broken


def adds_only(part, name):
    """Whether a new attribute is of no consequence for what was there: in a class, and no base has one of that name."""
    new = isinstance(part, type) and not any(name in vars(owner) for owner in mro_of(part)[1:])
    return new and not name.startswith("__")


def seal_of_unittest():
    modules = [unittest, unittest.case, unittest.result, unittest.util, unittest.mock]
    classes = {value for module in modules[1:] for value in vars(module).values() if isinstance(value, type)}
    return seal_of(*modules, *(each for each in classes if each.__module__.startswith("unittest.")))


def library_prefixes():
    """How the file names of code begin that may look at frames: the standard library and what is installed."""
    folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders |= {os.path.realpath(folder) for folder in folders} | {os.path.dirname(os.path.realpath(os.__file__))}
    return tuple(folder + "/" for folder in folders)


LIBRARIES = library_prefixes()


def is_library(code):
    name = code.co_filename
    return name.startswith("<frozen ") or (name.endswith(".py") and name.startswith(LIBRARIES))


def honest(frame, name):
    """Whether this is a library's function that names what it uses. One that calls whatever it is given does not."""
    return frame is not None and is_library(frame.f_code) and name in frame.f_code.co_names


def reaches(event, args, frame):
    """Whether an audit event is code of no library looking for what only a forger needs, itself or by a helper."""
    if event == "open":
        return str(args[0]).startswith("/proc") and str(args[0]).endswith("/mem")
    if event == "compile":  # under the name of a library or of a driver it would pass for one
        path = str(args[1])
        named = path.startswith("<frozen ") or (path.endswith(".py") and path.startswith((*LIBRARIES, INSIDE)))
        return named and not same_bytes(path, 0, args[0])
    if event == "marshal.loads":
        path = frame.f_locals.get("bytecode_path") if frame.f_code.co_name == "_compile_bytecode" else None
        return not (path and path.startswith(LIBRARIES) and same_bytes(path, 16, args[0]))
    if event.startswith("ctypes."):
        while frame is not None and "/ctypes/" in frame.f_code.co_filename:
            frame = frame.f_back
        return frame is None or not is_library(frame.f_code) or not any("ctypes" in name for name in frame.f_globals)
    if event.startswith("object."):
        watched = FRAME_ATTRIBUTES if event == "object.__getattr__" else FUNCTION_ATTRIBUTES
        return args[1] in watched and reaches_frames(event, args[1], frame)
    return event in NEVER or reaches_frames(event, event.rpartition(".")[2], frame)


def reaches_frames(event, name, frame):
    if event == "sys.setprofile":
        return not frame.f_code.co_filename.endswith("/cProfile.py")
    if event == "code.__new__":  # Python 3.8 also tells what marshal loads, which was looked at
        if frame.f_code.co_name == "_compile_bytecode" and frame.f_code.co_filename.startswith("<frozen "):
            return False
        name = "replace" if "replace" in frame.f_code.co_names else "CodeType"
    while honest(frame, name) and frame.f_code.co_name in HANDS_OUT_FRAMES:
        name, file, frame = HANDS_OUT_FRAMES[frame.f_code.co_name], frame.f_code.co_filename, frame.f_back
        if frame is not None and frame.f_code.co_filename == file:
            return False
    return not honest(frame, name)


def same_bytes(path, start, content):
    try:
        with open(path, "rb") as file:
            return file.read()[start:] == (content.encode() if isinstance(content, str) else bytes(content))
    except (OSError, TypeError, UnicodeError):
        return False


def lies(value):
    """Whether a class of the code's own has a say in how this compares: the builtin and the libraries' are honest."""
    kind = type(value)
    if kind in PLAIN:
        return False
    is_mock = issubclass(kind, MOCK)
    for owner in mro_of(kind):
        own = dict_of(owner) if flags_of(owner) & HEAP_TYPE else {}
        for name in COMPARISONS:
            entry = own.get(name)
            if type(entry) is Function:
                honest = is_library(entry.__code__) and entry.__code__ is not ANY
            elif type(entry) in SLOTS:
                honest = entry.__objclass__ is owner and entry.__name__ == name  # __eq__ = int.__ne__ is not
            else:
                honest = entry is None or is_mock or type(entry).__name__ == "cython_function_or_method"
            if not honest:
                return True
    return is_mock and sum(equal(value, stranger) for stranger in STRANGERS) > 1


def spread(values):
    """The values and what the builtin containers among them hold, some thousands at most."""
    todo = list(values)
    for value in todo:
        kind = next((kind for kind in CONTAINERS if isinstance(value, kind)), None)
        if kind is not None and len(todo) < MOST_LOOKED_AT:
            todo += islice(kind.__iter__(value), MOST_LOOKED_AT)
        if kind is dict and len(todo) < MOST_LOOKED_AT:
            todo += islice(dict.values(value), MOST_LOOKED_AT)
    return todo


def equal(value, stranger):
    try:
        return (value == stranger) is True
    except Exception:
        return False


def arm(write, fd):
    """From now on the process ends, without a verdict, when the code reaches for frames, the collector, ctypes or memory.

    Returns changed(), which says what the tests lean on and is not as it was, or was not at an earlier look, or None; and
    the list of seals that it looks at, to which more may be added. The tests have it look by sys.audit: a builtin, behind
    which nothing can be looked at or patched.
    """
    getframe, leave, inside = sys._getframe, os._exit, set()
    seals, seal_of_builtins, tampering = [seal_of_unittest()], seal_of(builtins), []

    def changed(*, between_tests=True):
        looks = [*seals, seal_of_builtins] if between_tests else seals  # a test may patch builtins.open for itself
        tampering.extend(filter(None, [broken() for broken in looks]))
        return "the code tampered with its tests: " + tampering[0] if tampering else None

    def look(event, values):
        """z1.compared: do these decide themselves what they are equal to? z1.asserted, z1.called: is all as it was?"""
        found = changed(between_tests=False) if event != "z1.compared" else None
        if not found and (event == "z1.compared" or (values and any(word in values[0] for word in COMPARING))):
            liar = next(filter(lies, spread(values)), None)
            found = liar is not None and "a value with comparisons of its own (%s)" % type(liar).__name__
        if found:
            raise AssertionError(found)

    def hook(event, args):
        if event.startswith("z1."):
            look(event, args)
        if get_ident() in inside or not (event in REACHING or event.startswith("ctypes.")):
            return
        inside.add(get_ident())
        try:
            frame = getframe(1)
            if not frame.f_code.co_filename.startswith(INSIDE) and reaches(event, args, frame):
                what = (
                    args[1]
                    if event.startswith("object.")
                    else "compile of %s" % (args[1:],)
                    if event == "compile"
                    else event
                )
                write(fd, b'{"tampering": "%s"}\n' % str(what).encode().replace(b'"', b"'"))
                leave(1)
        finally:
            inside.discard(get_ident())

    sys.addaudithook(hook)
    return changed, seals


def plant(code, objects):
    """The code with objects in place of the constants that name them: nothing it could be misled by is looked up."""
    constants = [
        plant(each, objects) if type(each) is Code else objects.get(each, each) if type(each) is str else each
        for each in code.co_consts
    ]
    return code.replace(co_consts=tuple(constants))


def function_of(source, objects):
    """The function that the source defines, with objects in place of the texts that name them, and without globals."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a text is not callable
        module = compile(source, "<z1>", "exec")
    return Function(plant(next(each for each in module.co_consts if type(each) is Code), objects), {})


def watched(function):
    """The function as the tests see it: when it has returned, unittest must be what it was."""
    if isinstance(function, type):
        return function
    watching = Function(plant(WATCHED.__code__, {"z1 call": function}), {})
    watching.__name__, watching.__doc__ = getattr(function, "__name__", ""), function.__doc__
    watching.__wrapped__ = function
    return watching


def compiled(source, name):
    """The tests, their assertions unittest's own functions, whatever the class has under these names by then, and what
    they compare looked at first."""
    tree = ast.parse(source, name)
    for node in list(ast.walk(tree)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ASSERTIONS:
            node.args = [node.func.value, *node.args]
            node.func = ast.copy_location(ast.Constant("z1 " + node.func.attr), node.func)
        elif isinstance(node, ast.Compare):
            shown = [ast.Call(ast.Constant("z1 shown"), [each], []) for each in (node.left, *node.comparators)]
            node.left, *node.comparators = [ast.copy_location(call, call.args[0]) for call in shown]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return plant(compile(ast.fix_missing_locations(tree), name, "exec"), PLANTED)


AUDIT = {"z1 audit": sys.audit}
WATCHED = function_of(
    "def f(*a, **k):\n    try:\n        return 'z1 call'(*a, **k)\n    finally:\n        'z1 audit'('z1.called')", AUDIT
)
ASSERTED = "def f(case, *a, **k):\n    'z1 audit'('z1.asserted', 'z1 name', a, k)\n    return 'z1 call'(case, *a, **k)"
PLANTED = {"z1 shown": function_of("def f(value):\n    'z1 audit'('z1.compared', value)\n    return value", AUDIT)}
for _name, _function in ASSERTIONS.items():
    PLANTED["z1 " + _name] = function_of(ASSERTED, {**AUDIT, "z1 name": _name, "z1 call": _function})
