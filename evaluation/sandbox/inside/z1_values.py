"""Values that cross between two interpreters: plain builtin ones, and objects of classes that the receiver knows too.

A value becomes a table of containers without nesting, so that depth, cycles and sharing do no harm. A scalar stands for
itself; [i] is entry i of the table. The receiver makes builtin values only, or empty objects of its own classes filled
with such values: no code of the sender's, no __eq__ of his, comes along.
"""

SCALARS = (bool, int, float, str, type(None))


class Unplain(ValueError):
    """A value that cannot cross."""


class Packer:
    def __init__(self):
        self.table = []
        self.indices = {}
        self.alive = []
        self.todo = []

    def pack(self, value):
        root = self.reference(value)
        while self.todo:
            index, item = self.todo.pop()
            self.table[index] = self.entry(item)
        return {"root": root, "table": self.table}

    def reference(self, value):
        for kind in SCALARS:
            if type(value) is kind:
                return value if kind is not int or -(1 << 63) < value < 1 << 63 else {"int": hex(value)}
        for kind in (int, float, str):
            if isinstance(value, kind):  # an IntEnum, a numpy.float64: its plain value
                return self.reference({int: int.__index__, float: float.__float__, str: str.__str__}[kind](value))
        if id(value) not in self.indices:
            self.indices[id(value)] = len(self.table)
            self.alive.append(value)
            self.todo.append((len(self.table), value))
            self.table.append(None)
        return [self.indices[id(value)]]

    def entry(self, value):
        for kind in (list, tuple, set, frozenset):
            if isinstance(value, kind):
                return [kind.__name__, [self.reference(item) for item in kind.__iter__(value)]]
        if isinstance(value, dict):
            return ["dict", [[self.reference(k), self.reference(v)] for k, v in dict.items(value)]]
        if isinstance(value, (bytes, bytearray)):
            return [type(value).__name__, list(value)]
        if type(value) is complex:
            return ["complex", [value.real, value.imag]]
        fields = getattr(value, "__dict__", None)
        if type(fields) is not dict or isinstance(value, type) or callable(value):
            raise Unplain("a value of type %s is no plain value" % type(value).__name__)
        return ["object", type(value).__name__, [[str(k), self.reference(v)] for k, v in fields.items()]]


class Unpacker:
    def __init__(self, packed, classes):
        self.table = packed["table"]
        self.classes = classes
        self.made = {}
        self.root = packed["root"]

    def unpack(self):
        """Shells first, contents after: that is what makes cycles possible."""
        for index, entry in enumerate(self.table):
            if entry[0] in ("list", "set", "dict"):
                self.made[index] = {"list": list, "set": set, "dict": dict}[entry[0]]()
            elif entry[0] == "object":
                kind = self.classes.get(entry[1])
                if not isinstance(kind, type):
                    raise Unplain("a value of type %s is no plain value" % entry[1])
                self.made[index] = object.__new__(kind)
        for index, entry in enumerate(self.table):
            self.fill(index, entry)
        return self.value(self.root)

    def fill(self, index, entry):
        target = self.made.get(index)
        if entry[0] == "list":
            target.extend(map(self.value, entry[1]))
        elif entry[0] == "set":
            target.update(map(self.value, entry[1]))
        elif entry[0] == "dict":
            target.update((self.value(k), self.value(v)) for k, v in entry[1])
        elif entry[0] == "object":
            target.__dict__.update((k, self.value(v)) for k, v in entry[2])

    def value(self, item):
        if isinstance(item, dict):
            return int(item["int"], 16)
        if not isinstance(item, list):
            return item
        index = item[0]
        if index not in self.made:
            kind, items = self.table[index]
            make = {"tuple": tuple, "frozenset": frozenset, "bytes": bytes, "bytearray": bytearray}.get(kind)
            self.made[index] = make(map(self.value, items)) if make else complex(*items)
        return self.made[index]


def pack(value):
    return Packer().pack(value)


def unpack(packed, classes):
    return Unpacker(packed, classes).unpack()
