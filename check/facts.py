"""Reads the settings of a Django project and prints what they say, as JSON. The project's code is parsed, never run.

An expression evaluates to a V: its value in the environment that was given, if that can be known, and beside it which variables
it depends on, where it stands in the code, and which other values it has in other environments. What cannot be known is UNKNOWN.
"""

import ast
import fnmatch
import json
import os
import re
import stat
import sys

MAX_FILE = 1 << 20  # a larger file is no settings module
MAX_STEPS = 300000
MAX_SIZE = 20000  # of a text or a list that is put together
MAX_FILES = 300
MAX_DEPTH = 60

sys.setrecursionlimit(3000)


class Unknown:
    pass


UNKNOWN = Unknown()


class Missing(Exception):
    """A required variable is not set, inside of a try."""


class Budget(Exception):
    """The code is too large, or it loops."""


class V:
    __slots__ = ("c", "reads", "flags", "at", "alts", "p")

    def __init__(self, c=UNKNOWN, reads=(), flags=(), at=None, alts=(), p=None):
        self.p = p  # of a path: where it leads on this machine
        self.c, self.reads, self.flags = c, frozenset(reads), frozenset(flags)
        self.at, self.alts = at, tuple(alts)[:8]

    @property
    def known(self):
        return self.c is not UNKNOWN

    def like(self, **changes):
        v = V(self.c, self.reads, self.flags, self.at, self.alts, self.p)
        for name, value in changes.items():
            setattr(v, name, value)
        return v


class External:
    """A name from a package that is not part of the project."""

    def __init__(self, name):
        self.name = name


class Module:
    def __init__(self, scope):
        self.scope = scope


class Function:
    def __init__(self, node, module):
        self.node, self.module = node, module


class Class:
    def __init__(self, node, module, bases):
        self.node, self.module, self.bases = node, module, bases


class Instance:
    def __init__(self, cls):
        self.cls, self.attrs = cls, {}


class Method:
    def __init__(self, instance, function):
        self.instance, self.function = instance, function


class Env:
    """An object of django-environ or environs."""

    def __init__(self, schema, prefix=""):
        self.schema, self.prefix, self.open = schema, prefix, False


class EnvReader:
    """A method of an Env."""

    def __init__(self, env, name):
        self.env, self.name = env, name


class Cast:
    def __init__(self, name):
        self.name = name


class Scope(dict):
    """The names of a module."""

    def __init__(self, file, package, names=()):
        super().__init__(names)
        self.file, self.package, self.top, self.dynamic = file, package, self, False

    def inside(self, names):
        s = Scope(self.file, self.package, names)
        s.top = self.top
        return s

    def fork(self):
        s = Scope(self.file, self.package, self)
        s.top = s if self.top is self else self.top
        return s


TRUE = ("true", "on", "ok", "y", "yes", "1", "t")
ENGINES = {
    "postgres": "django.db.backends.postgresql", "postgresql": "django.db.backends.postgresql", "psql": "django.db.backends.postgresql",
    "pgsql": "django.db.backends.postgresql", "postgis": "django.contrib.gis.db.backends.postgis", "timescale": "timescale.db.backends.postgresql",
    "timescalegis": "timescale.db.backends.postgis", "cockroach": "django_cockroachdb",
    "mysql": "django.db.backends.mysql", "mysql2": "django.db.backends.mysql", "mysqlgis": "django.contrib.gis.db.backends.mysql",
    "mysql-connector": "mysql.connector.django", "mssql": "mssql", "mssqlms": "mssql", "redshift": "django_redshift_backend",
    "oracle": "django.db.backends.oracle", "oraclegis": "django.contrib.gis.db.backends.oracle",
    "sqlite": "django.db.backends.sqlite3", "spatialite": "django.contrib.gis.db.backends.spatialite",
}
RANDOM = re.compile(r"^(secrets\.|random\.|uuid\.uuid[14]$|os\.urandom$|numpy\.random)|get_random_secret_key$|get_random_string$|generate_secret_key$")
PURE = {
    str: ("split", "rsplit", "strip", "lstrip", "rstrip", "lower", "upper", "title", "startswith", "endswith", "removeprefix", "removesuffix",
          "isdigit", "isdecimal", "isnumeric", "splitlines", "partition", "rpartition", "casefold", "count", "find", "isalpha"),
}
MARK = "/.slipway/1/2/3/4/5"  # stands for the project's folder in paths, with folders around it
PATHS = ("resolve", "absolute", "joinpath", "path", "as_posix")
READER = re.compile(r"env|conf|secret|setting|param|getter|^get$", re.I)
NAME = re.compile(r"^[A-Z][A-Z0-9_]{1,80}$")


class Reader:
    def __init__(self, ask):
        self.root = os.path.realpath(ask["root"])
        self.roots = [os.path.normpath(os.path.join(self.root, r)) for r in ask.get("roots") or ["."]]
        self.env = dict(ask.get("env") or {})
        self.aliases = ask.get("aliases") or {}  # modules that the Dockerfile puts in place
        self.explore = ask.get("explore", True)  # the environment is not complete
        self.modules, self.parsed = {}, {}
        self.reads, self.unreadable, self.followed, self.assumed = [], [], [], []
        self.steps = self.depth = self.trying = self.branching = self.shown = 0
        self.calls = []

    # Files.

    def rel(self, path):
        return os.path.relpath(path, self.root).replace(os.sep, "/")

    def inside(self, path):
        real = os.path.realpath(path)
        return real == self.root or real.startswith(self.root + os.sep)

    def is_file(self, path):
        try:
            return stat.S_ISREG(os.stat(path).st_mode) and self.inside(path)
        except (OSError, ValueError):
            return False

    def skip(self, path, line, why, **more):
        if len(self.unreadable) < 100:
            self.unreadable.append(dict(more, file=self.rel(path), line=line, why=why))

    def parse(self, path):
        if path in self.parsed:
            return self.parsed[path]
        self.parsed[path] = None
        if len(self.parsed) > MAX_FILES:
            raise Budget()
        try:
            if os.path.getsize(path) > MAX_FILE:
                self.skip(path, 0, "it is larger than 1 MiB")
                return None
            with open(path, "rb") as f:
                self.parsed[path] = ast.parse(f.read(MAX_FILE), path)
        except SyntaxError as e:
            self.skip(path, e.lineno or 0, "Python %d.%d cannot parse it: %s" % (sys.version_info[0], sys.version_info[1], e.msg),
                      syntax=e.msg)
        except (OSError, ValueError, UnicodeError) as e:
            self.skip(path, 0, "it cannot be read: %s" % (getattr(e, "strerror", None) or type(e).__name__))
        except (RecursionError, MemoryError):
            self.skip(path, 0, "it is nested too deeply")
        return self.parsed[path]

    def find(self, dotted):
        """The file of a module of the project, by its dotted name."""
        if dotted in self.aliases:
            return os.path.join(self.root, self.aliases[dotted])
        if not dotted or not re.match(r"^[^\W\d]\w*(\.[^\W\d]\w*)*$", dotted):
            return None
        parts = dotted.split(".")
        for root in self.roots:
            base = os.path.join(root, *parts)
            for file in (os.path.join(base, "__init__.py"), base + ".py"):
                if self.is_file(file):
                    return file
        return None

    def is_package(self, dotted):
        return any(os.path.isdir(os.path.join(root, *dotted.split("."))) for root in self.roots)

    def load(self, dotted):
        file = self.find(dotted)
        if file is None:
            return None
        if file not in self.modules:
            package = dotted if file.endswith("__init__.py") else dotted.rpartition(".")[0]
            self.modules[file] = scope = Scope(file, package)
            here = os.path.join(MARK, self.rel(file))
            scope["__file__"] = V(here, flags=["path"], p=here)
            scope["__name__"] = V(dotted)
            tree = self.parse(file)
            if tree is not None:
                self.followed.append(self.rel(file))
                depth, trying, branching = self.depth, self.trying, self.branching
                self.trying = 0
                try:
                    self.block(tree.body, scope)
                finally:
                    self.depth, self.trying, self.branching = depth, trying, branching
            else:
                scope.dynamic = True
                for u in self.unreadable:
                    if u["file"] == self.rel(file) and not self.branching:
                        u["loaded"] = True  # importing the settings always imports this file
        return self.modules[file]

    # Variables.

    def read(self, name, at, default=None, sure=True, flags=()):
        """One variable. Default is a V, or None if the variable is required."""
        required = default is None and sure
        self.reads.append({
            "name": name, "required": required, "sure": sure, "file": self.rel(at[0]), "line": at[1],
            "conditional": bool(self.branching or self.trying),
        })
        if name in self.env:
            value = self.env[name]
            return V(UNKNOWN if value is None else value, [name], set(flags) | {"set"}, at)
        if default is not None:
            return V(default.c, default.reads | {name}, default.flags | set(flags) | {"default"}, at, default.alts)
        if required and self.trying:
            raise Missing(name)
        return V(UNKNOWN, [name], set(flags) | ({"required"} if required else {"unsure"}), at)

    # Statements. A block returns None, or why it ended: ("return", V), ("raise",) or ("loop",).

    def block(self, body, scope):
        for node in body:
            try:
                end = self.statement(node, scope)
            except (Missing, Budget):
                raise
            except (RecursionError, MemoryError):
                raise
            except Exception:  # a construct that this reader does not know must not hide the rest
                self.forget(node, scope)
                end = None
            if end:
                return end
        return None

    def forget(self, node, scope):
        """Whatever the statement assigns is unknown."""
        for n in ast.walk(node):
            if isinstance(n, ast.Name) and isinstance(n.ctx, (ast.Store, ast.Del)):
                scope[n.id] = V(at=(scope.file, n.lineno))
            elif isinstance(n, (ast.Subscript, ast.Attribute)) and isinstance(n.ctx, ast.Store):
                base = n
                while isinstance(base, (ast.Subscript, ast.Attribute)):
                    base = base.value
                if isinstance(base, ast.Name):
                    scope[base.id] = V(at=(scope.file, n.lineno))

    def statement(self, node, scope):
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Budget()
        at = (scope.file, getattr(node, "lineno", 0))
        if isinstance(node, ast.Assign):
            value = self.eval(node.value, scope)
            for target in node.targets:
                self.assign(target, value.like(at=at), scope)
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                self.assign(node.target, self.eval(node.value, scope).like(at=at), scope)
        elif isinstance(node, ast.AugAssign):
            old = self.eval(self.loaded(node.target), scope)
            self.assign(node.target, self.binary(node.op, old, self.eval(node.value, scope)).like(at=old.at or at), scope)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            scope[node.name] = V(Function(node, scope.top) if not node.decorator_list or isinstance(scope, Scope) else UNKNOWN, at=at)
        elif isinstance(node, ast.ClassDef):
            scope[node.name] = V(Class(node, scope.top, [self.eval(b, scope) for b in node.bases]), at=at)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                self.load(alias.name)
                if alias.asname:
                    scope[alias.asname] = self.module(alias.name)
                else:
                    top = alias.name.split(".")[0]
                    scope[top] = self.module(top)
        elif isinstance(node, ast.ImportFrom):
            return self.import_from(node, scope)
        elif isinstance(node, ast.If):
            return self.branch(node, scope)
        elif isinstance(node, (ast.For, ast.AsyncFor)):
            return self.loop(node, scope)
        elif isinstance(node, ast.Try) or type(node).__name__ == "TryStar":
            return self.attempt(node, scope)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            return self.within(node, scope)
        elif isinstance(node, ast.Return):
            return ("return", self.eval(node.value, scope) if node.value else V(None, at=at))
        elif isinstance(node, ast.Raise):
            return ("raise",)
        elif isinstance(node, (ast.Break, ast.Continue)):
            return ("loop",)
        elif isinstance(node, ast.Expr):
            self.expression(node.value, scope)
        elif isinstance(node, ast.Delete):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    scope.pop(target.id, None)
                elif isinstance(target, ast.Subscript):
                    self.remove(target, scope)
        elif isinstance(node, (ast.Pass, ast.Global, ast.Nonlocal, ast.Assert)):
            pass
        else:
            self.forget(node, scope)
        return None

    def loaded(self, target):
        new = ast.copy_location(type(target)(**{f: getattr(target, f) for f in target._fields}), target)
        new.ctx = ast.Load()
        return new

    def assign(self, target, value, scope):
        if isinstance(target, ast.Name):
            scope[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            items = value.c if isinstance(value.c, (list, tuple)) and len(value.c) == len(target.elts) else None
            for i, t in enumerate(target.elts):
                self.assign(t, items[i] if items else V(UNKNOWN, value.reads, value.flags, value.at), scope)
        elif isinstance(target, ast.Subscript):
            base, key = self.eval(target.value, scope), self.eval(target.slice, scope)
            if isinstance(base.c, External) and base.c.name in ("os.environ", "environ"):
                if isinstance(key.c, str):
                    self.env[key.c] = value.c if isinstance(value.c, str) else None
                return
            if isinstance(base.c, External) and base.c.name == "*names*":
                if isinstance(key.c, str):
                    scope[key.c] = value
                else:
                    scope.top.dynamic = True
                return
            if isinstance(base.c, dict) and isinstance(key.c, str):
                changed = dict(base.c)
                changed[key.c] = value
                self.assign(target.value, base.like(c=changed, reads=base.reads), scope)
            elif isinstance(base.c, list) and isinstance(key.c, int) and -len(base.c) <= key.c < len(base.c):
                changed = list(base.c)
                changed[key.c] = value
                self.assign(target.value, base.like(c=changed), scope)
            elif not isinstance(base.c, dict):
                self.assign(target.value, base.like(c=UNKNOWN), scope)
        elif isinstance(target, ast.Attribute):
            base = self.eval(target.value, scope)
            if isinstance(base.c, Instance):
                base.c.attrs[target.attr] = value

    def remove(self, target, scope):
        base, key = self.eval(target.value, scope), self.eval(target.slice, scope)
        if isinstance(base.c, dict) and key.c in base.c:
            self.assign(target.value, base.like(c={k: v for k, v in base.c.items() if k != key.c}), scope)

    def module(self, dotted):
        scope = self.load(dotted)
        if scope is not None:
            return V(Module(scope))
        if self.is_package(dotted) and dotted.split(".")[0] not in sys.builtin_module_names:
            scope = Scope(os.path.join(self.root, *dotted.split(".")), dotted)
            return V(Module(scope))
        return V(External(dotted))

    def import_from(self, node, scope):
        dotted = node.module or ""
        if node.level:
            up = scope.package.split(".") if scope.package else []
            up = up[: len(up) - node.level + 1] if node.level > 1 else up
            dotted = ".".join(up + ([dotted] if dotted else []))
        source = self.load(dotted)
        for alias in node.names:
            if alias.name == "*":
                if source is None:
                    if node.level and self.trying:
                        raise Missing(dotted)
                    scope.top.dynamic = scope.top.dynamic or bool(node.level)
                    continue
                scope.update({k: v for k, v in source.items() if not k.startswith("_")})
                scope.top.dynamic = scope.top.dynamic or source.dynamic
                continue
            name = alias.asname or alias.name
            full = dotted + "." + alias.name if dotted else alias.name
            if source is not None and alias.name in source:
                scope[name] = source[alias.name]
            elif self.find(full) or (self.is_package(full) and dotted and self.is_package(dotted)):
                scope[name] = self.module(full)
            elif source is not None:
                scope[name] = V(at=(scope.file, node.lineno))
            else:
                if node.level and self.trying:
                    raise Missing(dotted)
                scope[name] = V(External(full))
        return None

    def branch(self, node, scope):
        test = self.eval(node.test, scope)
        chosen = self.truth(test)
        body, other = (node.body, node.orelse) if chosen is not False else (node.orelse, node.body)
        if chosen is not None and (not test.reads or not self.explore):
            end = self.block(body, scope)
            if end == ("raise",) and test.reads and not self.branching and not self.trying:
                self.demand(test, scope, node)  # what follows is read as if the variable had a value
                end = self.block(other, scope)
            return end
        a, b = scope.fork(), scope.fork()
        self.branching += 1
        try:
            if chosen is not None:
                self.branching -= 1
                end_a = self.block(body, a)
                self.branching += 1
            else:
                end_a = self.block(body, a)
            end_b = self.block(other, b)
        finally:
            self.branching -= 1
        if end_a == ("raise",) and end_b != ("raise",):
            if chosen is not None and not self.branching:
                self.demand(test, scope, node)
            a, end_a, b, end_b, chosen = b, end_b, None, None, True
        elif end_b == ("raise",):
            b = None
        if end_a and end_a[0] == "return":
            if end_b and end_b[0] == "return":
                return ("return", self.either(chosen, test, end_a[1], end_b[1]))
            if chosen is not None:
                other = V(UNKNOWN, test.reads, ["either"])
                return ("return", end_a[1].like(reads=end_a[1].reads | test.reads, alts=end_a[1].alts + (other,)))
            scope.clear()
            scope.update(b if b is not None else a)
            self.returned(scope, test, end_a[1], True)
            return None
        if end_b and end_b[0] == "return":
            self.returned(scope, test, end_b[1], chosen is None)
            b = None
        names = a if b is None else self.merge(chosen, test, a, b)
        dynamic = a.dynamic or (b is not None and b.dynamic)
        scope.clear()
        scope.update(names)
        scope.top.dynamic = scope.top.dynamic or dynamic
        return end_a if end_a else None

    def returned(self, scope, test, value, likely):
        """The function returned this on a path that is not the one that is followed."""
        top = scope.top
        if isinstance(top, _Top):
            top.control |= test.reads
            (top.returns if likely else top.others).append(value)

    def demand(self, test, scope, node):
        """The project itself raises unless these are set."""
        for name in test.reads:
            if name not in self.env:
                self.reads.append({"name": name, "required": True, "sure": True, "file": self.rel(scope.file), "line": node.lineno, "conditional": False})

    def merge(self, chosen, test, a, b):
        names = {}
        for name in set(a) | set(b):
            x, y = a.get(name), b.get(name)
            if x is y:
                names[name] = x
            elif x is None or y is None:
                v = x if x is not None else y
                taken = chosen is not None and x is not None
                names[name] = v if taken else v.like(reads=v.reads | test.reads, flags=v.flags | {"maybe"})
            else:
                names[name] = self.either(chosen, test, x, y)
        return names

    def either(self, chosen, test, x, y):
        if chosen is not None:
            return x.like(reads=x.reads | test.reads, alts=(x.alts + (y,) + y.alts)[:8])
        return V(UNKNOWN, x.reads | y.reads | test.reads, (x.flags & y.flags) | {"either"}, x.at or y.at, ((x, y) + x.alts + y.alts)[:8])

    def loop(self, node, scope):
        items = self.eval(node.iter, scope)
        if isinstance(items.c, dict):
            items = V([V(k) for k in items.c])
        if not isinstance(items.c, (list, tuple)) or len(items.c) > 50:
            self.forget(node, scope)
            return None
        for item in items.c:
            self.assign(node.target, item if isinstance(item, V) else V(item), scope)
            end = self.block(node.body, scope)
            if end and end[0] in ("return", "raise"):
                return end
        return None

    def attempt(self, node, scope):
        body = scope.fork()
        self.trying += 1
        try:
            end = self.block(node.body, body)
            failed = end == ("raise",)
        except Missing:
            failed, end = True, None
        finally:
            self.trying -= 1
        if failed and node.handlers:
            handled = scope.fork()
            end = self.block(node.handlers[0].body, handled)
            if end == ("raise",):
                missing = [r for r in self.reads[-3:] if r["required"]]
                for r in missing:
                    r["conditional"] = bool(self.branching)
                self.forget(ast.Module(body=node.body, type_ignores=[]), scope)
                return None
            # In another environment the body works.
            self.trying += 1
            saved, self.env = self.env, _Everything(self.env)
            other = scope.fork()
            try:
                self.block(node.body, other)
            except Missing:
                other = handled
            finally:
                self.trying -= 1
                self.env = saved
            reads = frozenset().union(*[v.reads for k, v in other.items() if v is not scope.get(k)] or [()])
            result = self.merge(True, V(reads=reads), handled, other) if other is not handled else handled
        else:
            result = body
            if not failed and not end:
                end = self.block(node.orelse, body)
        dynamic = getattr(result, "dynamic", False)
        scope.clear()
        scope.update(result)
        scope.top.dynamic = scope.top.dynamic or dynamic
        return self.block(node.finalbody, scope) or end

    def within(self, node, scope):
        prefixed = []
        for item in node.items:
            v = self.eval(item.context_expr, scope)
            if isinstance(v.c, tuple) and v.c and v.c[0] == "*prefix*":
                env = v.c[1]
                prefixed.append((env, env.prefix))
                env.prefix += v.c[2]
            elif item.optional_vars is not None:
                self.assign(item.optional_vars, v if isinstance(v.c, tuple) and v.c[:1] == ("*file*",) else V(flags=v.flags), scope)
        try:
            return self.block(node.body, scope)
        finally:
            for env, prefix in prefixed:
                env.prefix = prefix

    def expression(self, node, scope):
        """A call for what it does."""
        if not isinstance(node, ast.Call):
            return
        func = node.func
        if isinstance(func, ast.Attribute) and isinstance(func.value, (ast.Name, ast.Subscript, ast.Attribute)):
            base = self.eval(func.value, scope)
            args = [self.eval(a, scope) for a in node.args if not isinstance(a, ast.Starred)]
            if isinstance(base.c, list) and func.attr in ("append", "insert", "extend", "remove"):
                items = list(base.c)
                if func.attr == "append":
                    items.append(args[0])
                elif func.attr == "insert":
                    items.insert(args[0].c if isinstance(args[0].c, int) else len(items), args[1])
                elif func.attr == "extend":
                    more = args[0].c if isinstance(args[0].c, (list, tuple)) else [V()]
                    items.extend(more)
                else:
                    items = [i for i in items if not (i.known and i.c == args[0].c)]
                self.assign(func.value, base.like(c=items[:MAX_SIZE]), scope)
                return
            if isinstance(base.c, dict) and func.attr in ("update", "setdefault", "pop"):
                items = dict(base.c)
                if func.attr == "update":
                    if args and isinstance(args[0].c, dict):
                        items.update(args[0].c)
                    elif args:
                        items["*"] = V(UNKNOWN, args[0].reads)
                    items.update({k.arg: self.eval(k.value, scope) for k in node.keywords if k.arg})
                elif func.attr == "setdefault" and isinstance(args[0].c, str):
                    items.setdefault(args[0].c, args[1] if len(args) > 1 else V(None))
                elif func.attr == "pop" and isinstance(args[0].c, str):
                    items.pop(args[0].c, None)
                self.assign(func.value, base.like(c=items), scope)
                return
        v = self.eval(node, scope)
        if isinstance(v.c, tuple) and v.c and v.c[0] == "*include*":
            for pattern in v.c[1]:
                self.include(pattern, scope, node.lineno)
        elif isinstance(v.c, tuple) and v.c and v.c[0] == "*update*":
            if isinstance(v.c[1], dict):
                scope.update({k: x for k, x in v.c[1].items() if isinstance(k, str)})
            else:
                scope.top.dynamic = True

    def include(self, v, scope, line):
        """split_settings: the files run in this module."""
        pattern = v.c
        if not isinstance(pattern, str):
            scope.top.dynamic = True
            return
        folder = os.path.dirname(scope.file)
        wanted = os.path.normpath(os.path.join(folder, pattern))
        if v.reads and self.explore:
            name = os.path.splitext(os.path.basename(wanted))[0]
            for other in ("production", "prod") if name not in ("production", "prod") else ():
                file = os.path.join(os.path.dirname(wanted), other + ".py")
                if self.is_file(file):
                    wanted = file
                    break
            why = "it depends on %s; %s was read" % (", ".join(sorted(v.reads)), self.rel(wanted))
            self.assumed.append({"file": self.rel(scope.file), "line": line, "why": why})
        if any(c in pattern for c in "*?["):
            at = os.path.dirname(wanted)
            try:
                names = sorted(os.listdir(at)) if self.inside(at) else []
            except OSError:
                names = []
            files = [os.path.join(at, n) for n in names if fnmatch.fnmatch(n, os.path.basename(wanted))]
        else:
            files = [wanted]
        for file in files[:50]:
            if not self.is_file(file):
                scope.top.dynamic = scope.top.dynamic or "optional" not in v.flags
                continue
            tree = self.parse(file)
            if tree is None:
                scope.top.dynamic = True
                continue
            self.followed.append(self.rel(file))
            own, scope.file = scope.file, file
            try:
                self.block(tree.body, scope)
            finally:
                scope.file = own

    # Expressions.

    def truth(self, v):
        if not v.known or isinstance(v.c, (External, Module)):
            return None
        if isinstance(v.c, (Function, Class, Instance, Method, Env, EnvReader, Cast)):
            return True
        try:
            return bool(v.c)
        except Exception:
            return None

    def eval(self, node, scope):
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Budget()
        self.depth += 1
        try:
            if self.depth > MAX_DEPTH * 4:
                return V(at=(scope.file, getattr(node, "lineno", 0)))
            method = getattr(self, "on_" + type(node).__name__, None)
            at = (scope.file, getattr(node, "lineno", 0))
            if method is None:
                return V(at=at, reads=self.inner(node, scope))
            v = method(node, scope)
            return v if v.at else v.like(at=at)
        finally:
            self.depth -= 1

    def inner(self, node, scope):
        """Which variables the parts of an expression read that is not understood."""
        reads = set()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                reads |= self.eval(child, scope).reads
        return reads

    def on_Constant(self, node, scope):
        return V(node.value)

    def on_Name(self, node, scope):
        if node.id == "DEBUG" and scope.top is scope and node.id in scope:
            d = scope["DEBUG"]
            return V(False, at=d.at)  # what production does; that DEBUG is off is a check of its own
        if node.id in scope:
            return scope[node.id]
        if node.id in scope.top:
            return scope.top[node.id]
        return V(External(node.id))

    def on_List(self, node, scope):
        items, reads, flags = [], set(), set()
        for e in node.elts:
            if isinstance(e, ast.Starred):
                v = self.eval(e.value, scope)
                reads |= v.reads
                items += list(v.c) if isinstance(v.c, (list, tuple)) else [V(UNKNOWN, v.reads, v.flags)]
            else:
                v = self.eval(e, scope)
                reads |= v.reads
                items.append(v)
        return V(items[:MAX_SIZE], reads, flags)

    on_Tuple = on_Set = on_List

    def on_Dict(self, node, scope):
        items, reads = {}, set()
        for k, value in zip(node.keys, node.values):
            v = self.eval(value, scope)
            reads |= v.reads
            if k is None:
                if isinstance(v.c, dict):
                    items.update(v.c)
                else:
                    items["*"] = v
                continue
            key = self.eval(k, scope)
            items[key.c if isinstance(key.c, (str, int, bool)) else "*"] = v
        return V(items, reads)

    def on_JoinedStr(self, node, scope):
        parts, reads, flags, known = [], set(), set(), True
        for p in node.values:
            v = self.eval(p.value if isinstance(p, ast.FormattedValue) else p, scope)
            reads |= v.reads
            flags |= v.flags & {"random", "file", "path"}
            if v.known and isinstance(v.c, (str, int, bool)) and not getattr(p, "format_spec", None):
                parts.append(str(v.c))
            else:
                known = False
        text = "".join(parts)
        return V(text if known and len(text) < MAX_SIZE else UNKNOWN, reads, flags)

    def on_Attribute(self, node, scope):
        base = self.eval(node.value, scope)
        c = base.c
        if isinstance(c, External):
            return V(External(c.name + "." + node.attr), base.reads, base.flags)
        if isinstance(c, Module):
            if node.attr in c.scope:
                return c.scope[node.attr]
            sub = (c.scope.package + "." if c.scope.package else "") + node.attr
            return self.module(sub) if self.find(sub) else V()
        if isinstance(c, Instance):
            if node.attr in c.attrs:
                return c.attrs[node.attr]
            return self.attribute(c, node.attr)
        if isinstance(c, Class):
            for n in c.node.body:
                if isinstance(n, ast.Assign) and any(isinstance(t, ast.Name) and t.id == node.attr for t in n.targets):
                    return self.eval(n.value, c.module)
            return V(reads=base.reads)
        if isinstance(c, (Env, EnvReader)):
            return V(EnvReader(c if isinstance(c, Env) else c.env, node.attr))
        p = None
        if base.p and node.attr in ("parent", "parents", "root"):
            p = os.path.dirname(base.p) if node.attr == "parent" else base.p
        return V(UNKNOWN, base.reads, base.flags, p=p)

    def attribute(self, instance, name):
        """A method or a class attribute, also of the project's base classes."""
        cls, seen = instance.cls, 0
        while cls is not None and seen < 10:
            for n in cls.node.body:
                if isinstance(n, ast.FunctionDef) and n.name == name:
                    f = Function(n, cls.module)
                    if any(isinstance(d, ast.Name) and d.id in ("property", "cached_property") for d in n.decorator_list):
                        return self.call_function(f, [V(instance)], {})
                    return V(Method(instance, f))
                if isinstance(n, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in n.targets):
                    return self.eval(n.value, cls.module)
            if self.is_pydantic(cls):
                return self.pydantic(cls, name)
            cls = next((b.c for b in cls.bases if isinstance(b.c, Class)), None)
            seen += 1
        return V()

    def is_pydantic(self, cls):
        return any(isinstance(b.c, External) and b.c.name.endswith("BaseSettings") for b in cls.bases)

    def pydantic(self, cls, name):
        prefix = ""
        for n in ast.walk(cls.node):
            if isinstance(n, ast.keyword) and n.arg == "env_prefix" or isinstance(n, ast.Assign) and any(
                isinstance(t, ast.Name) and t.id == "env_prefix" for t in n.targets
            ):
                prefix = self.eval(n.value, cls.module).c
                prefix = prefix if isinstance(prefix, str) else ""
        for n in cls.node.body:
            if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name) and n.target.id == name:
                default = self.eval(n.value, cls.module) if n.value is not None else None
                return self.read((prefix + name).upper(), (cls.module.file, n.lineno), default)
        return V()

    def on_Subscript(self, node, scope):
        base, key = self.eval(node.value, scope), self.eval(node.slice, scope)
        at = (scope.file, node.lineno)
        if isinstance(base.c, External) and base.c.name in ("os.environ", "environ") and isinstance(key.c, str):
            return self.read(key.c, at)
        reads = base.reads | key.reads
        if isinstance(base.c, dict) and isinstance(key.c, (str, int)):
            if key.c in base.c:
                v = base.c[key.c]
                return v if isinstance(v, V) else V(v, reads)
            return V(UNKNOWN, reads)
        if isinstance(base.c, (list, tuple, str)) and isinstance(key.c, int) and not isinstance(key.c, bool):
            try:
                v = base.c[key.c]
            except IndexError:
                return V(UNKNOWN, reads)
            return v if isinstance(v, V) else V(v, reads)
        p = None
        if base.p and isinstance(key.c, int) and 0 <= key.c < 10:  # Path.parents
            p = base.p
            for _ in range(key.c + 1):
                p = os.path.dirname(p)
        flags = base.flags & {"json", "file", "random", "required", "set"}
        if "json" in flags and isinstance(key.c, str):
            flags |= {"key:" + key.c}
        return V(UNKNOWN, reads, flags, at, p=p)

    def on_Slice(self, node, scope):
        return V()

    def on_Index(self, node, scope):  # Python 3.8
        return self.eval(node.value, scope)

    def on_Starred(self, node, scope):
        return self.eval(node.value, scope)

    def on_NamedExpr(self, node, scope):
        v = self.eval(node.value, scope)
        self.assign(node.target, v, scope)
        return v

    def on_Lambda(self, node, scope):
        return V(Function(node, scope))

    def on_IfExp(self, node, scope):
        test = self.eval(node.test, scope)
        chosen = self.truth(test)
        if chosen is not None and (not test.reads or not self.explore):
            return self.eval(node.body if chosen else node.orelse, scope)
        if chosen is not None:
            x = self.eval(node.body if chosen else node.orelse, scope)
            self.branching += 1
            y = self.eval(node.orelse if chosen else node.body, scope)
            self.branching -= 1
        else:
            self.branching += 1
            x, y = self.eval(node.body, scope), self.eval(node.orelse, scope)
            self.branching -= 1
        return self.either(chosen, test, x, y)

    def on_BoolOp(self, node, scope):
        left, wants = self.eval(node.values[0], scope), isinstance(node.op, ast.Or)
        for value in node.values[1:]:
            chosen = self.truth(left)
            if chosen is None:
                self.branching += 1
                right = self.eval(value, scope)
                self.branching -= 1
                left = V(UNKNOWN, left.reads | right.reads, left.flags | right.flags, left.at, (left, right) + left.alts)
            elif chosen == wants:
                return left
            else:
                right = self.eval(value, scope)
                flags = right.flags | ({"default"} if wants and left.reads else set())
                left = V(right.c, left.reads | right.reads, flags, right.at, right.alts)
        return left

    def on_UnaryOp(self, node, scope):
        v = self.eval(node.operand, scope)
        if isinstance(node.op, ast.Not):
            t = self.truth(v)
            return V(UNKNOWN if t is None else not t, v.reads, v.flags & {"default", "set"})
        if isinstance(node.op, ast.USub) and isinstance(v.c, (int, float)):
            return V(-v.c, v.reads)
        return V(UNKNOWN, v.reads)

    def on_Compare(self, node, scope):
        left, right = self.eval(node.left, scope), self.eval(node.comparators[0], scope)
        reads, flags = left.reads | right.reads, (left.flags | right.flags) & {"default", "set", "required", "unsure"}
        op = node.ops[0]
        if isinstance(op, (ast.In, ast.NotIn)) and isinstance(right.c, External) and right.c.name in ("os.environ", "environ") and left.known:
            found = left.c in self.env
            self.reads.append({"name": str(left.c), "required": False, "sure": True, "file": self.rel(scope.file), "line": node.lineno, "conditional": True})
            return V(found == isinstance(op, ast.In), reads | {str(left.c)})
        if len(node.ops) > 1 or not left.known or not right.known:
            return V(UNKNOWN, reads, flags)
        a, b = plain(left), plain(right)
        if a is UNKNOWN or b is UNKNOWN:
            return V(UNKNOWN, reads, flags)
        try:
            if isinstance(op, ast.Eq):
                c = a == b
            elif isinstance(op, ast.NotEq):
                c = a != b
            elif isinstance(op, ast.Is):
                c = a is b if b is None or isinstance(b, bool) else UNKNOWN
            elif isinstance(op, ast.IsNot):
                c = a is not b if b is None or isinstance(b, bool) else UNKNOWN
            elif isinstance(op, ast.In):
                c = a in b
            elif isinstance(op, ast.NotIn):
                c = a not in b
            elif isinstance(op, ast.Gt):
                c = a > b
            elif isinstance(op, ast.GtE):
                c = a >= b
            elif isinstance(op, ast.Lt):
                c = a < b
            else:
                c = a <= b
        except TypeError:
            c = UNKNOWN
        return V(c, reads, flags)

    def on_BinOp(self, node, scope):
        return self.binary(node.op, self.eval(node.left, scope), self.eval(node.right, scope))

    def binary(self, op, a, b):
        reads = a.reads | b.reads
        flags = (a.flags | b.flags) & {"random", "file", "path", "required", "unsure", "set", "default"}
        if isinstance(op, ast.Add):
            if isinstance(a.c, str) and isinstance(b.c, str) and len(a.c) + len(b.c) < MAX_SIZE:
                return V(a.c + b.c, reads, flags, a.at)
            if isinstance(a.c, list) or isinstance(b.c, list):
                x = a.c if isinstance(a.c, list) else [V(UNKNOWN, a.reads, a.flags)]
                y = b.c if isinstance(b.c, list) else [V(UNKNOWN, b.reads, b.flags)]
                return V((x + y)[:MAX_SIZE], reads, flags, a.at)
        if isinstance(op, ast.Div) and (a.p or "path" in flags | {"path" if isinstance(a.c, External) else ""}):
            return V(UNKNOWN, reads, flags | {"path"} | joined(a, b), a.at, p=path_of(a, b))
        if isinstance(op, ast.BitOr) and isinstance(a.c, dict) and isinstance(b.c, dict):
            return V({**a.c, **b.c}, reads, flags, a.at)
        if isinstance(op, ast.Sub) and (a.p or "path" in flags):
            p = a.p
            for _ in range(b.c if isinstance(b.c, int) and b.c < 10 else 0):  # environ.Path
                p = p and os.path.dirname(p)
            return V(UNKNOWN, reads, flags, a.at, p=p)
        if isinstance(op, ast.Div) and (a.known is False or b.known is False):
            return V(UNKNOWN, reads, flags | ({"path"} if isinstance(b.c, str) else set()), a.at)
        return V(UNKNOWN, reads, flags, a.at)

    def on_ListComp(self, node, scope):
        g = node.generators[0]
        items = self.eval(g.iter, scope)
        if len(node.generators) > 1 or not isinstance(items.c, (list, tuple)) or len(items.c) > 200:
            return V(UNKNOWN, items.reads, items.flags)
        out, inner, reads = [], scope.fork(), set(items.reads)
        for item in items.c:
            self.assign(g.target, item if isinstance(item, V) else V(item, items.reads), inner)
            tests = [self.truth(self.eval(t, inner)) for t in g.ifs]
            if None in tests:
                return V(UNKNOWN, items.reads, items.flags)
            if all(tests):
                out.append(self.eval(node.elt, inner))
        return V(out, reads, items.flags)

    on_GeneratorExp = on_SetComp = on_ListComp

    # Calls.

    def on_Call(self, node, scope):
        at = (scope.file, node.lineno)
        args = []
        for a in node.args:
            if isinstance(a, ast.Starred):
                v = self.eval(a.value, scope)
                args += list(v.c) if isinstance(v.c, list) else [v]
            else:
                args.append(self.eval(a, scope))
        kwargs, more = {}, False
        for k in node.keywords:
            v = self.eval(k.value, scope)
            if k.arg:
                kwargs[k.arg] = v
            elif isinstance(v.c, dict) and "*" not in v.c:
                kwargs.update({n: x for n, x in v.c.items() if isinstance(n, str)})
            else:
                more = True
        if isinstance(node.func, ast.Attribute):
            base = self.eval(node.func.value, scope)
            if base.p and not isinstance(base.c, External) and node.func.attr in PATHS:
                return V(UNKNOWN, base.reads.union(*[a.reads for a in args]), base.flags | {"path"}, at, p=path_of(base, *args))
            done = self.builtin_method(base, node.func.attr, args, kwargs)
            if done is not None:
                return done
        f = self.eval(node.func, scope)
        if f.p and not f.known:  # an environ.Path that is called
            return V(UNKNOWN, f.reads, f.flags | {"path"}, at, p=path_of(f, *args))
        reads = frozenset().union(f.reads, *[a.reads for a in args], *[v.reads for v in kwargs.values()])
        c = f.c
        if isinstance(c, External):
            v = self.external(c.name, args, kwargs, at, scope, reads)
            if isinstance(v.c, Env):
                v.c.open = more
            return v
        if isinstance(c, EnvReader):
            return self.env_call(c.env, c.name, args, kwargs, at, scope)
        if isinstance(c, Env):
            return self.env_call(c, "", args, kwargs, at, scope)
        if isinstance(c, Function):
            return self.call_function(c, args, kwargs)
        if isinstance(c, Method):
            return self.call_function(c.function, [V(c.instance)] + args, kwargs)
        if isinstance(c, Class):
            return self.construct(c, args, kwargs)
        return self.guess(node.func, args, kwargs, at, reads)

    def guess(self, func, args, kwargs, at, reads):
        """A function that is not part of the project: its first argument may be the name of a variable."""
        name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
        outer = func.value.id if isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) else ""
        if args and isinstance(args[0].c, str) and NAME.match(args[0].c) and (READER.search(name) or READER.search(outer)):
            return self.read(args[0].c, at, sure=False)
        return V(UNKNOWN, reads, ["call"], at)

    def construct(self, cls, args, kwargs):
        instance = Instance(cls)
        init = self.attribute(instance, "__init__")
        if isinstance(init.c, Method):
            self.call_function(init.c.function, [V(instance)] + args, kwargs)
        return V(instance)

    def call_function(self, f, args, kwargs):
        if len(self.calls) > 12 or any(c is f.node for c in self.calls):
            return V(reads=frozenset().union(*[a.reads for a in args] or [()]))
        spec = f.node.args
        local = f.module.inside({}) if f.module.top is f.module else f.module.fork()
        names = [a.arg for a in getattr(spec, "posonlyargs", []) + spec.args]
        defaults = dict(zip(names[len(names) - len(spec.defaults):], spec.defaults))
        defaults.update({a.arg: d for a, d in zip(spec.kwonlyargs, spec.kw_defaults) if d is not None})
        for name, d in defaults.items():
            local[name] = self.eval(d, f.module)
        for name, value in zip(names, args):
            local[name] = value
        if spec.vararg:
            local[spec.vararg.arg] = V(args[len(names):])
        if spec.kwarg:
            local[spec.kwarg.arg] = V({k: v for k, v in kwargs.items() if k not in names})
        for name, value in kwargs.items():
            local[name] = value
        for a in spec.args + spec.kwonlyargs:
            local.setdefault(a.arg, V())
        if isinstance(f.node, ast.Lambda):
            self.calls.append(f.node)
            try:
                return self.eval(f.node.body, local)
            finally:
                self.calls.pop()
        self.calls.append(f.node)
        local.top = _Top(f.module)
        try:
            end = self.block(f.node.body, local)
        finally:
            self.calls.pop()
        top = local.top
        pending = tuple(top.returns)
        v = end[1] if end and end[0] == "return" else V(None)
        if end and end[0] == "raise":
            v = pending[0] if pending else V(reads=frozenset().union(*[a.reads for a in args] or [()]))
        if not pending:
            return v.like(reads=v.reads | top.control, alts=(v.alts + tuple(top.others))[:8]) if top.control else v
        v = v.like(reads=v.reads | top.control)
        if end and end[0] == "return" and v.known:
            return V(UNKNOWN, v.reads.union(*[p.reads for p in pending]), ["either"], v.at, (v,) + pending)
        return V(UNKNOWN, v.reads.union(*[p.reads for p in pending]), ["either"], v.at, pending + ((v,) if end else ()))

    def builtin_method(self, base, name, args, kwargs):
        reads = frozenset().union(base.reads, *[a.reads for a in args])
        flags, c = base.flags, base.c
        if name == "get" and isinstance(c, dict):
            key = args[0].c if args else UNKNOWN
            if isinstance(key, str) and key in c:
                return c[key]
            return args[1] if len(args) > 1 else V(None, reads)
        if isinstance(c, dict) and name in ("copy", "items", "keys", "values"):
            if name == "copy":
                return base
            return V([V([V(k), v]) if name == "items" else v if name == "values" else V(k) for k, v in c.items()], reads)
        if isinstance(c, list) and name == "copy":
            return base
        if isinstance(c, str) and name == "join" and args and isinstance(args[0].c, list):
            items = [plain(v) for v in args[0].c]
            if all(isinstance(i, str) for i in items) and sum(map(len, items)) < MAX_SIZE:
                return V(c.join(items), reads, flags)
            return V(UNKNOWN, reads, flags)
        if isinstance(c, str) and name in ("encode", "format", "replace", "decode"):
            if name == "replace" and len(args) == 2 and all(isinstance(a.c, str) and len(a.c) < 50 for a in args) and len(c) < 2000 and args[0].c:
                return V(c.replace(args[0].c, args[1].c), reads, flags)
            if name == "encode":
                return base
            return V(UNKNOWN, reads, flags)
        if isinstance(c, str) and name in PURE[str] and all(isinstance(a.c, (str, int, type(None), list)) for a in args):
            try:
                result = getattr(c, name)(*[tuple(plain(i) for i in a.c) if isinstance(a.c, list) else a.c for a in args])
            except Exception:
                return V(UNKNOWN, reads, flags)
            if isinstance(result, (list, tuple)):
                return V([V(r, reads, flags) for r in result[:1000]], reads, flags)
            return V(result, reads, flags)
        if not base.known and name in PURE[str]:
            return V(UNKNOWN, reads, flags)
        if name in ("read_text", "read", "read_bytes", "readline") and not isinstance(c, External):
            return V(UNKNOWN, reads, flags | {"file"})
        return None

    def external(self, name, args, kwargs, at, scope, reads):
        short = name.rpartition(".")[2]
        first = args[0] if args else None
        text = first.c if first is not None and isinstance(first.c, str) else None
        if name in ("os.environ.get", "os.getenv", "environ.get", "getenv", "os.environ.pop"):
            default = args[1] if len(args) > 1 else kwargs.get("default", V(None, flags=["none"]))
            return self.read(text, at, default) if text else V(UNKNOWN, reads)
        if name in ("os.environ.setdefault", "environ.setdefault"):
            if text and text not in self.env and len(args) > 1 and isinstance(args[1].c, str):
                self.env = dict(self.env)
                self.env[text] = args[1].c
            return V()
        if name in ("environ.Env", "environ.FileAwareEnv", "environs.Env", "environs.FileAwareEnv"):
            schema = {}
            for key, v in kwargs.items():
                items = v.c if isinstance(v.c, list) else None
                schema[key] = (items[0], items[1]) if items and len(items) == 2 else (v, None)
            return V(Env(schema))
        if name in ("environ.Env.db_url_config", "environ.Env.db_url"):
            return self.database(first if first else V(), at)
        if name.startswith(("environ.Env.", "environs.Env.")):
            return V()
        if name in ("decouple.AutoConfig", "decouple.Config"):
            return V(External("decouple.config"))
        if name in ("decouple.Csv", "decouple.Choices"):
            return V(Cast(short))
        if name in ("decouple.config", "decouple.config.__call__", "decouple.config.get") and text:
            default = kwargs.get("default", args[1] if len(args) > 1 else None)
            cast = kwargs.get("cast")
            if cast is not None and isinstance(cast.c, External) and cast.c.name == "bool":
                cast = V(External("bool*"))  # decouple reads false and 0 as such
            return self.cast(self.read(text, at, default), cast, scope)
        if name == "dj_database_url.config":
            env = kwargs.get("env", first if first is not None else V("DATABASE_URL"))
            env = env.c if isinstance(env.c, str) else "DATABASE_URL"
            default = kwargs.get("default", args[1] if len(args) > 1 else V(None))
            v = self.read(env, at, default)
            if v.known and not v.c:
                return V({}, v.reads, v.flags | {"url"}, at)
            return self.database(v, at)
        if name in ("dj_database_url.parse",):
            return self.database(first if first else V(), at)
        if name in ("split_settings.tools.include", "split_settings.tools.optional"):
            if short == "optional":
                return first.like(flags=first.flags | {"optional"}) if first is not None else V()
            return V(("*include*", args))
        if name in ("globals", "locals", "vars") and not args:
            return V(External("*names*"))
        if name == "*names*.update":
            return V(("*update*", {**(first.c if first is not None and isinstance(first.c, dict) else {}), **kwargs}
                      if first is None or isinstance(first.c, dict) else None))
        if name in ("exec", "setattr", "eval"):
            scope.top.dynamic = True
            return V(UNKNOWN, reads)
        if name in ("json.loads", "json.load", "ast.literal_eval", "yaml.safe_load", "yaml.load", "tomllib.load", "toml.load"):
            if first is not None and isinstance(first.c, str) and short in ("loads", "literal_eval") and len(first.c) < 5000:
                try:
                    return V(wrap(json.loads(first.c) if short == "loads" else ast.literal_eval(first.c), first.reads), first.reads, first.flags)
                except Exception:
                    pass
            if short == "loads" and first is not None and first.c is None and "default" in first.flags and not self.trying:
                for r in self.reads:
                    if r["name"] in first.reads:
                        r["required"] = True  # None is no JSON
            return V(UNKNOWN, reads, (first.flags if first is not None else frozenset()) | {"json"})
        if name == "str" and first is not None and first.p and not first.known:
            return first
        if name in ("bool", "int", "str", "list", "tuple", "set", "float"):
            return self.cast(first, V(External(name)), scope) if first is not None else V([] if name in ("list", "tuple", "set") else UNKNOWN)
        if name == "map" and len(args) == 2 and isinstance(args[1].c, list) and len(args[1].c) <= 200:
            return V([self.applied(first, v, scope, at) for v in args[1].c], reads, args[1].flags)
        if name == "dict":
            return V({**(first.c if first is not None and isinstance(first.c, dict) else {}), **kwargs}, reads)
        if short == "strtobool" and first is not None:
            return self.cast(first, V(External("bool*")), scope)
        if name in ("len", "any", "all") and first is not None and isinstance(first.c, list):
            if name == "len":
                return V(len(first.c), reads)
            found = [self.truth(v) for v in first.c]
            return V(UNKNOWN if None in found else (any if name == "any" else all)(found), reads)
        if RANDOM.search(name):
            return V(UNKNOWN, reads, ["random"], at)
        if name == "open":
            return V(("*file*",), reads, ["file"])
        if name.startswith(("os.path.", "pathlib.")) or name in ("Path", "environ.Path", "path.Path", "unipath.Path"):
            flags = frozenset({"path"}).union(*[a.flags & {"random", "set", "default", "tmp"} for a in args])
            if name.endswith(".join") or short == "Path":
                for a in args[1:]:
                    flags |= joined(args[0], a)
                if text and text.startswith("/tmp"):
                    flags |= {"tmp"}
                if len(args) == 1 and text and text.startswith("/"):
                    return V(text, reads, flags, p=text)
            if name in ("os.path.exists", "os.path.isfile", "os.path.isdir"):
                return V(UNKNOWN, reads)
            p = path_of(*args) if args and short in ("join", "Path", "abspath", "realpath", "normpath", "dirname", "expanduser") else None
            return V(UNKNOWN, reads, flags, p=os.path.dirname(p) if p and short == "dirname" else p)
        if short in ("gettext_lazy", "gettext", "ugettext_lazy", "_", "timedelta", "crontab", "cast"):
            return V(UNKNOWN, reads)
        if text and NAME.match(text) and not name.startswith(("logging.", "os.", "warnings.")) and any(READER.search(p) for p in name.split(".")[-2:]):
            return self.read(text, at, sure=False)
        return V(UNKNOWN, reads, ["call"], at)

    def applied(self, f, v, scope, at):
        """One call of map()."""
        if isinstance(f.c, Function):
            return self.call_function(f.c, [v], {})
        if isinstance(f.c, External):
            done = self.builtin_method(v, f.c.name[4:], [], {}) if f.c.name.startswith("str.") else self.cast(v, f, scope)
            return done if done is not None else V(UNKNOWN, v.reads, v.flags, at)
        return V(UNKNOWN, v.reads, v.flags, at)

    def env_call(self, env, name, args, kwargs, at, scope):
        if name in ("read_env", "read_envfile", "seal", "add_parser", "parser_for"):
            return V()
        if name == "prefixed":
            return V(("*prefix*", env, args[0].c)) if args and isinstance(args[0].c, str) else V()
        if name in ("db_url_config",):
            return self.database(args[0] if args else V(), at)
        urls = {"db": "DATABASE_URL", "db_url": "DATABASE_URL", "dj_db_url": "DATABASE_URL", "cache": "CACHE_URL", "cache_url": "CACHE_URL",
                "email": "EMAIL_URL", "email_url": "EMAIL_URL", "search_url": "SEARCH_URL", "dj_email_url": "EMAIL_URL", "dj_cache_url": "CACHE_URL"}
        key = args[0] if args else kwargs.get("var", V(urls.get(name, UNKNOWN)))
        if not isinstance(key.c, str):
            return V(UNKNOWN, key.reads)
        var = env.prefix + key.c
        position = 1 if name in ("db", "db_url", "dj_db_url", "cache", "cache_url", "email", "email_url", "search_url", "bool", "str", "int", "list", "path",
                                 "float", "json", "tuple", "dict", "url", "bytes") else 2
        default = kwargs.get("default", args[position] if len(args) > position else None)
        cast = kwargs.get("cast", args[1] if not name and len(args) > 1 else None)
        if var in env.schema:
            kind, fallback = env.schema[var]
            cast, default = cast or kind, default if default is not None else fallback
        v = self.read(var, at, default, sure=default is not None or not env.open)
        if name in ("db", "db_url", "dj_db_url"):
            return self.database(v, at)
        if name in urls:
            return V(UNKNOWN, v.reads, v.flags | {"url"}, at)
        casts = {"bool": "bool*", "list": "csv", "tuple": "csv", "int": "int", "float": "float", "json": "json", "dict": "json"}
        if name in casts:
            cast = V(External(casts[name]))
        if cast is not None and isinstance(cast.c, list):
            cast = V(External("csv"))
        elif cast is not None and isinstance(cast.c, External) and cast.c.name == "bool":
            cast = V(External("bool*"))
        elif cast is not None and isinstance(cast.c, External) and cast.c.name in ("list", "tuple"):
            cast = V(External("csv"))
        return self.cast(v, cast, scope)

    def cast(self, v, cast, scope):
        if cast is None:
            return v
        if isinstance(cast.c, (Function, Method)):
            return self.call_function(cast.c, [v], {}) if isinstance(cast.c, Function) else V(UNKNOWN, v.reads, v.flags)
        name = cast.c.name if isinstance(cast.c, (External, Cast)) else ""
        c = v.c
        if not v.known:
            return v
        if name in ("bool*", "bool"):
            if isinstance(c, str):
                c = c.strip().lower() in TRUE if name == "bool*" or "default" in v.flags or "set" in v.flags and scope is not None and False else bool(c)
            else:
                t = self.truth(v)
                c = UNKNOWN if t is None else t
        elif name in ("csv", "Csv", "list", "tuple", "set"):
            if isinstance(c, str):
                c = [V(p.strip(), v.reads, v.flags) for p in c.split(",") if p.strip()] if name in ("csv", "Csv") else UNKNOWN
            elif not isinstance(c, (list, tuple)):
                c = UNKNOWN
        elif name in ("int", "float"):
            try:
                c = {"int": int, "float": float}[name](c) if isinstance(c, (str, int, float)) and len(str(c)) < 20 else UNKNOWN
            except ValueError:
                c = UNKNOWN
        elif name == "str":
            c = str(c) if isinstance(c, (str, int, bool)) else UNKNOWN
        elif name == "json":
            c = c if isinstance(c, (dict, list)) else UNKNOWN
        elif name:
            c = UNKNOWN
        return v.like(c=c)

    def database(self, v, at):
        """A database from a URL."""
        flags = v.flags | {"url"}
        if isinstance(v.c, str) and "://" in v.c:
            scheme, _, rest = v.c.partition("://")
            host = rest.rpartition("@")[2].partition("/")[0] if scheme not in ("sqlite", "spatialite") else ""
            engine = ENGINES.get(scheme.lower())
            one = lambda c: V(UNKNOWN if c is None else c, v.reads, flags, at)
            return V({"ENGINE": one(engine), "HOST": one(host), "NAME": V(UNKNOWN, v.reads, flags, at)}, v.reads, flags, at)
        if isinstance(v.c, str) and v.c.startswith("sqlite"):
            return V({"ENGINE": V(ENGINES["sqlite"], v.reads, flags, at)}, v.reads, flags, at)
        if isinstance(v.c, dict):
            return v
        one = V(UNKNOWN, v.reads, flags, at)
        return V({"ENGINE": one, "NAME": one, "HOST": one}, v.reads, flags, at)


class _Top(Scope):
    """What a function sees of its module, and the values that it may have returned."""

    def __init__(self, module):
        super().__init__(module.file, module.package)
        self.outer, self.returns, self.others, self.control = module, [], [], frozenset()

    def __contains__(self, name):
        return name in self.outer or name in self.outer.top

    def __getitem__(self, name):
        return self.outer[name] if name in self.outer else self.outer.top[name]


class _Everything(dict):
    """An environment in which every variable is set, to an unknown value."""

    def __contains__(self, name):
        return True

    def __missing__(self, name):
        return None


def path_of(first, *more):
    """The path that is put together from these, None if a part is not known."""
    p = first.p or (first.c if isinstance(first.c, str) else None)
    for v in more:
        if not isinstance(v.c, str):
            return None
        p = p and os.path.join(p, v.c)
    return os.path.normpath(p) if p and len(p) < 4000 else None


def joined(a, b):
    """Marks a path that begins in /tmp."""
    if isinstance(a.c, str) and a.c.startswith("/tmp") or isinstance(b.c, str) and b.c.startswith("/tmp") or "tmp" in a.flags:
        return {"tmp"}
    return set()


def plain(v, depth=0):
    """The value without what is known about it."""
    if not isinstance(v, V):
        return v
    c = v.c
    if isinstance(c, list):
        items = [plain(i, depth + 1) for i in c] if depth < 2 else [UNKNOWN]
        return UNKNOWN if UNKNOWN in items else items
    if isinstance(c, (str, int, float, bool, bytes)) or c is None:
        return c
    return UNKNOWN


def wrap(value, reads, depth=0):
    if depth > 10:
        return UNKNOWN
    if isinstance(value, dict):
        return {str(k): V(wrap(v, reads, depth + 1), reads) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [V(wrap(v, reads, depth + 1), reads) for v in value]
    return value


def shown(v, reader, depth=0):
    """A value for JSON."""
    if depth == 0:
        reader.shown = 0
    reader.shown += 1
    out = {"known": v.known}
    if reader.shown > 3000:
        return {"known": False}
    if v.at:
        out["file"], out["line"] = reader.rel(v.at[0]), v.at[1]
    if v.reads:
        out["reads"] = sorted(v.reads)[:50]
    if v.flags:
        out["flags"] = sorted(v.flags)
    if v.p and os.path.isabs(v.p):
        out["path"] = os.path.relpath(v.p, MARK) if v.p.startswith(MARK[:10]) else v.p
    c = v.c
    if depth > 8:
        out["known"] = False
    elif isinstance(c, dict):
        out["dict"] = {str(k): shown(x, reader, depth + 1) for k, x in list(c.items())[:200] if isinstance(x, V)}
    elif isinstance(c, (list, tuple)) and all(isinstance(x, V) for x in c):
        out["list"] = [shown(x, reader, depth + 1) for x in c[:300]]
    elif isinstance(c, bool) or c is None:
        out["value"] = c
    elif isinstance(c, str):
        out["value"] = c[:2000]
    elif isinstance(c, (int, float)):
        out["value"] = str(c)[:40]
    else:
        out["known"] = False
    if v.alts and depth < 3:
        out["alts"] = [shown(a, reader, depth + 1) for a in v.alts]
    return out


def entry(reader, file):
    """Which settings an entry point names, and which names it defines."""
    path = os.path.join(reader.root, file)
    found = {"file": file, "settings": "", "line": 0, "names": []}
    tree = reader.parse(path) if reader.is_file(path) else None
    if tree is None:
        return found
    scope = Scope(path, "")
    scope["os"] = V(External("os"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target = node.targets[0]
            if isinstance(target, ast.Name) and target.id not in scope:
                scope[target.id] = reader.eval(node.value, scope)
    for node in ast.walk(tree):
        value = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setdefault" and len(node.args) == 2:
            key, value = node.args
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            key, value = node.targets[0].slice, node.value
            key = getattr(key, "value", key) if type(key).__name__ == "Index" else key
        if value is None or not isinstance(key, ast.Constant) or key.value != "DJANGO_SETTINGS_MODULE":
            continue
        v = reader.eval(value, scope)
        if isinstance(v.c, str) and not found["settings"] and not re.search(r"(^|[._])test(s|ing)?$", v.c):
            found["settings"], found["line"] = v.c, node.lineno
        elif not isinstance(v.c, str) and not found["line"]:
            found["line"] = node.lineno  # made by code
    for node in tree.body:
        for n in ast.walk(node):
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store):
                found["names"].append(n.id)
            elif isinstance(n, (ast.FunctionDef, ast.ClassDef)):
                found["names"].append(n.name)
            elif isinstance(n, (ast.Import, ast.ImportFrom)):
                found["names"] += [a.asname or a.name for a in n.names]
    found["names"] = sorted(set(found["names"]))[:200]
    return found


def main():
    if sys.version_info < (3, 8):
        sys.exit("Python %d.%d is too old, 3.8 is needed" % sys.version_info[:2])
    ask = json.load(sys.stdin)
    reader = Reader(ask)
    out = {"python": "%d.%d" % sys.version_info[:2], "entries": [], "settings": None}
    for file in ask.get("entries") or []:
        try:
            out["entries"].append(entry(reader, file))
        except (Budget, RecursionError, MemoryError, Missing):
            out["entries"].append({"file": file, "settings": "", "line": 0, "names": []})
    reader.reads, reader.steps, reader.depth = [], 0, 0
    chosen = ask.get("settings") or ""
    named = {e["file"]: e["settings"] for e in out["entries"]}
    for file in ask.get("prefer") or []:
        chosen = chosen or named.get(file, "")
    for e in out["entries"]:
        chosen = chosen or e["settings"]
    file = reader.find(chosen)
    if file is not None:
        complete = True
        try:
            scope = reader.load(chosen)
        except (Budget, RecursionError, MemoryError):
            scope, complete = reader.modules.get(file), False
            reader.skip(file, 0, "following it takes too long")
        except Missing:
            scope, complete = reader.modules.get(file), False
        out["settings"] = {
            "module": chosen, "file": reader.rel(file), "complete": complete and not scope.dynamic,
            "names": {k: shown(v, reader) for k, v in scope.items() if re.match(r"^[A-Z][A-Z0-9_]*$", k)},
        }
        if any(isinstance(v.c, Class) and any(isinstance(b.c, External) and b.c.name.startswith("configurations") for b in v.c.bases)
               for v in scope.values()):
            out["settings"]["complete"] = False
            reader.skip(file, 0, "its settings are classes")
    elif chosen:
        out["settings"] = {"module": chosen, "file": "", "complete": False, "names": {}}
    out["reads"], out["unreadable"], out["followed"] = reader.reads[:2000], reader.unreadable, reader.followed
    out["assumed"] = reader.assumed
    out["parsed"] = sorted(reader.rel(f) for f in reader.parsed)
    json.dump(out, sys.stdout)


main()
