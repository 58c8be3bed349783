"""Wrong gradients made from the right ones: every backward function in Python, changed in one place at a time.

A mutant is the text of a whole file in which one expression or statement of a gradient's computation is another. The
places are found with ``ast`` in every function that computes a gradient (``gradient_statements``), by rules, not by
hand:

    sign, factor 2      of every assigned or returned value, summand, exponent and input of a kernel
    arithmetic          a + b -> a - b, a, b;   a * b -> a + b, a, b;   a / b -> a * b, a;   -a -> a;   f(a) -> a
    removal             of a kernel call, of an accumulating statement, of an assignment to an array
    transpose           W.T -> W, once everywhere, and once only where W is square, so that no shape gives it away
    wrong array         names unpacked from a cache exchanged; one array in place of another; the other half of a slice
    switches            accumulate, comparisons, branches, activations, axes, keywords that may be left out

Mutants that compute the same as the original are listed in EQUIVALENT, each with the reason.
"""

import ast
import re
from itertools import combinations
from typing import NamedTuple

PACKAGE_FILES = (
    "layers/layer.py", "layers/dense.py", "layers/activations.py", "layers/blocks.py", "layers/inputs.py",
    "latent/gaussian.py", "latent/full_gaussian.py", "latent/planar_flow.py", "latent/mixture.py", "latent/vamp.py",
    "latent/flow.py", "latent/second_layer.py", "latent/encode.py",
    "likelihoods/bernoulli.py", "likelihoods/gaussian.py", "likelihoods/categorical.py", "likelihoods/counts.py",
    "likelihoods/mixed.py", "objectives/elbo.py", "objectives/importance.py", "objectives/free_bits.py",
    "objectives/capacity.py", "objectives/total_correlation.py", "objectives/mmd.py", "models/vae.py",
    "models/given.py", "models/semi_supervised.py", "latent/classes.py",
)  # fmt: skip
TWIN_FILES = (
    "_kernels/products_ref.py", "_kernels/elementwise_ref.py", "_kernels/latent_ref.py", "_kernels/likelihood_ref.py",
    "_kernels/norm_ref.py", "_kernels/count_likelihood_ref.py", "_kernels/components_ref.py",
    "_kernels/couplings_ref.py", "_kernels/log_space_ref.py", "_kernels/cholesky_ref.py", "_kernels/planar_flow_ref.py",
    "_kernels/classes_ref.py",
)  # fmt: skip
ALLOCATIONS = {"take", "zeros_like", "Lease"}
NO_ARRAYS = {"activation", "edges", "accumulate", "db", "dterms", "memory"}
ARITHMETIC = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.BitOr: ast.BitAnd}
COMPARISONS = {
    ast.Gt: ast.Lt, ast.Lt: ast.Gt, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
}  # fmt: skip

# file, statement, changes, and why what they make computes the same.
EQUIVALENT = [
    ("layers/blocks.py", "_kernels.multiply(dy, mask, out=dx)", ["dy <-> mask"], "a product, whichever comes first"),
    (
        "models/vae.py",
        "_kernels.add(through_z, through_kl, out=through_z)",
        ["through_z <-> through_kl"],
        "a sum, whichever comes first",
    ),
    (
        "_kernels/elementwise_ref.py",
        "dx[...] = dy",
        ["removed: dx[...] = dy", "sign of dy", "twice dy", "dy -> y"],
        "no layer asks for the derivative without an activation; test_twins.py compares it with the native kernel",
    ),
    (
        "_kernels/products_ref.py",
        "out[...] = out + product if accumulate else product",
        ["sign of product [else]", "twice product [else]"],
        "every gradient of weights is accumulated; test_twins.py compares the other branch",
    ),
    (
        "_kernels/products_ref.py",
        "def dense_dW(x, dy, out, db=None, accumulate=False):",
        ["accumulate=True by default"],
        "who accumulates weights says so",
    ),
]


class Mutant(NamedTuple):
    file: str  # relative to the package
    line: int
    change: str  # what became what
    text: str  # the whole file's


class Edit(NamedTuple):
    parts: tuple  # of (node, new text)
    change: str
    statement: str = ""  # in which


class Signature(NamedTuple):
    """A kernel's arguments, read off its twin."""

    parameters: list
    outputs: set  # written in place
    optional: set


def edits_of(file, tree, signatures):
    """All edits of a file of this syntax tree."""
    edits = [e for f in functions_of(tree) for e in Rules(f, signatures, is_twin=file in TWIN_FILES).edits()]
    if not edits:
        raise SystemExit(f"no function of {file} is known to compute a gradient: see gradient_statements")
    return edits


def python_mutants(package):
    """All mutants of the gradients' Python files in the folder ``package``, without the equivalent ones."""
    signatures = read_signatures(package)
    equivalent = {(file, statement, change) for file, statement, changes, _ in EQUIVALENT for change in changes}
    met = set()
    for file in PACKAGE_FILES + TWIN_FILES:
        text = (package / file).read_text()
        tree = ast.parse(text)
        seen = {ast.dump(tree)}
        for edit in edits_of(file, tree, signatures):
            mutated = apply(text, edit)
            dump = ast.dump(ast.parse(mutated))
            if dump in seen:
                continue
            seen.add(dump)
            if (file, edit.statement, edit.change) in equivalent:
                met.add((file, edit.statement, edit.change))
            else:
                yield Mutant(file, edit.parts[0][0].lineno, edit.change, mutated)
    if met != equivalent:
        raise SystemExit(f"listed as equivalent, but there are no such mutants: {sorted(equivalent - met)}")


def apply(text, edit):
    """The text with the nodes' parts replaced; ast counts columns in bytes."""
    data = text.encode()
    lines = data.splitlines(keepends=True)
    places = []
    for node, new in edit.parts:
        start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
        end = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
        places.append((start, end, new.encode()))
    for start, end, new in sorted(places, reverse=True):
        data = data[:start] + new + data[end:]
    return data.decode()


def read_signatures(package):
    """Name of each kernel -> Signature."""
    signatures = {"clear": Signature(["x", "extents"], {"x"}, {"extents"})}  # of optimizer_ref.py
    for file in TWIN_FILES:
        for function in functions_of(ast.parse((package / file).read_text())):
            parameters = [argument.arg for argument in function.args.args]
            stored = {
                ast.unparse(node.value)
                for node in ast.walk(function)
                if (isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store))
                or (isinstance(node, ast.keyword) and node.arg == "out")
            }
            optional = set(parameters[len(parameters) - len(function.args.defaults) :])
            signatures[function.name] = Signature(parameters, stored & set(parameters), optional)
    return signatures


def functions_of(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def name_of(call):
    """The last part of what is called: activate_backward for _kernels.activate_backward(...)."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def is_kernel(node):
    return isinstance(node, ast.Call) and ast.unparse(node.func).startswith("_kernels.")


def statements_of(body):
    """Every statement, those inside loops and branches too, in the order of the text."""
    for statement in body:
        yield statement
        yield from statements_of(getattr(statement, "body", []))
        yield from statements_of(getattr(statement, "orelse", []))


def gradient_statements(function):
    """The statements that compute a gradient; none for a function that has nothing to do with one."""
    is_objective = function.name == "__call__" and "terms" in [argument.arg for argument in function.args.args]
    if is_objective or function.name in ("total_correlation", "discrepancy"):
        of_gradient = r"\bd(log_|kl|z|mu|logvar)|slope|path|pull|of_bound|counts|^w = |^c = "
        return [s for s in statements_of(function.body) if re.search(of_gradient, ast.unparse(s))]
    if "backward" in function.name or function.name in ("dense_dx", "dense_dW", "column_sums", "loss_and_gradients"):
        return [s for s in statements_of(function.body) if not is_text(s)]
    return []


def is_text(statement):
    """Docstrings and errors."""
    docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return docstring or isinstance(statement, ast.Raise)


def own_nodes(statement):
    """The nodes of a statement, without those of the statements inside it and without what only asks for a shape."""
    pending = [statement]
    while pending:
        node = pending.pop(0)
        yield node
        called = name_of(node) if isinstance(node, ast.Call) else None
        if called == "_repeat":
            pending.append(node.args[0])  # the other only says how often
        elif called != "len" and getattr(node, "attr", None) not in ("shape", "dtype"):
            pending += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)]


def bound_everywhere(body):
    """Names that are assigned whichever branches are taken."""
    bound = set()
    for statement in body:
        names = [node for node in own_nodes(statement) if isinstance(node, ast.Name)]
        bound |= {name.id for name in names if isinstance(name.ctx, ast.Store)}
        if isinstance(statement, ast.If):
            bound |= bound_everywhere(statement.body) & bound_everywhere(statement.orelse)
    return bound


def is_bookkeeping(value):
    """Shapes, counts, types and memory: nothing of the gradient is computed here."""
    calls = {name_of(node) for node in ast.walk(value) if isinstance(node, ast.Call)}
    if isinstance(value, ast.Tuple) and "len" in calls:
        return True
    shape = isinstance(value, ast.Subscript) and ast.unparse(value.value).endswith(".shape")
    return bool(calls & ALLOCATIONS) or shape or isinstance(value, ast.Attribute)


def replace(node, new, change=None):
    inside = isinstance(node, ast.expr) and not isinstance(node, ast.Slice) and re.search(r"\W", new)
    return Edit(((node, f"({new})" if inside else new),), change or f"{ast.unparse(node)} -> {new}")


def exchange(elements):
    """Every two of the elements in each other's place."""
    for a, b in combinations(elements, 2):
        old, new = ast.unparse(a), ast.unparse(b)
        if old != new:
            yield Edit(((a, new), (b, old)), f"{old} <-> {new}")


class Rules:
    """The edits of one function. Methods that bear the name of a kind of node give the edits of such nodes."""

    def __init__(self, function, signatures, is_twin):
        self.function, self.signatures = function, signatures
        self.statements = gradient_statements(function)
        self.nodes = [node for statement in self.statements for node in own_nodes(statement)]
        self.arrays = self.inputs_of_twin() if is_twin else self.gradients_and_inputs()
        bound = {argument.arg for argument in function.args.args} | bound_everywhere(function.body)
        self.everywhere = [name for name in self.arrays if name in bound]
        self.only_stored = list(self.not_read())
        self.roles = dict(self.find_roles())

    def inputs_of_twin(self):
        signature = self.signatures[self.function.name]
        return [p for p in signature.parameters if p not in signature.outputs | NO_ARRAYS]

    def gradients_and_inputs(self):
        """The gradients among the arguments, what is unpacked from a cache, and what kernels read."""
        found = {argument.arg for argument in self.function.args.args if argument.arg.startswith("d")}
        for node in self.nodes:
            unpacks = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple)
            if unpacks and "cache" in ast.unparse(node.value):
                found |= {name.id for name in node.targets[0].elts if isinstance(name, ast.Name)}
            elif is_kernel(node):
                found |= {argument.id for argument in self.inputs(node) if isinstance(argument, ast.Name)}
        return sorted(found - NO_ARRAYS)

    def not_read(self):
        """Names in which only a result is stored, or which are only asked whether they are None."""
        for node in self.nodes:
            if is_kernel(node):
                read = self.inputs(node)
                yield from (argument for argument in node.args if argument not in read)
            if isinstance(node, ast.Call):
                yield from (keyword.value for keyword in node.keywords)
            elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Is | ast.IsNot):
                yield node.left

    def find_roles(self):
        """What tells apart equal expressions of one line: a kernel's argument, a branch."""
        for node in self.nodes:
            if is_kernel(node):
                parameters = self.signatures[name_of(node)].parameters
                yield from ((argument, f" [as {p}]") for argument, p in zip(node.args, parameters, strict=False))
            elif isinstance(node, ast.IfExp):
                yield from [(node.body, " [if]"), (node.orelse, " [else]")]

    def inputs(self, call):
        """A kernel call's arguments that it only reads."""
        signature = self.signatures[name_of(call)]
        pairs = zip(signature.parameters, call.args, strict=False)
        return [a for p, a in pairs if p not in signature.outputs | NO_ARRAYS]

    def edits(self):
        for statement in self.statements:
            text = ast.unparse(statement).splitlines()[0]
            yield from (edit._replace(statement=text) for edit in self.edits_of(statement))
        if self.statements:
            text = ast.unparse(self.function).splitlines()[0]
            yield from (edit._replace(statement=text) for edit in self.defaults())

    def edits_of(self, statement):
        bookkeeping = isinstance(statement, ast.Assign) and is_bookkeeping(statement.value)
        if not bookkeeping:
            yield from self.removal(statement)
        for node in own_nodes(statement):
            if bookkeeping and not isinstance(node, ast.Compare):
                continue
            for value in self.values(node):
                old, role = ast.unparse(value), self.roles.get(value, "")
                yield replace(value, f"-({old})", f"sign of {old}{role}")
                yield replace(value, f"2 * ({old})", f"twice {old}{role}")
            rule = getattr(self, type(node).__name__, None)
            if rule is not None:
                yield from rule(node)

    def removal(self, statement):
        """Calls for their effect, accumulating statements and assignments to (parts of) arrays."""
        call = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
        stored = isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Subscript)
        if call or stored or isinstance(statement, ast.AugAssign):
            yield replace(statement, "pass", f"removed: {ast.unparse(statement)}")

    def defaults(self):
        arguments = self.function.args
        for argument, default in zip(reversed(arguments.args), reversed(arguments.defaults), strict=False):
            if argument.arg == "accumulate":
                yield replace(default, str(not default.value), f"accumulate={not default.value} by default")

    def values(self, node):
        """Expressions of which the sign and the size matter."""
        found = []
        if isinstance(node, ast.Assign | ast.AugAssign | ast.Return) and node.value is not None:
            several = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple)
            if isinstance(node.value, ast.Tuple):
                found = node.value.elts
            elif not several:
                found = [node.value]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            found = [node.left, node.right]
        elif isinstance(node, ast.IfExp):
            found = [node.body, node.orelse]
        elif isinstance(node, ast.Call):
            name = name_of(node)
            if is_kernel(node):
                found = self.inputs(node)
            elif name in ("backward", "log_density_backward", "exp", "expm1"):
                found = [argument for argument in node.args[:1] if ast.unparse(argument) != "cache"]
            elif name == "Terms":
                found = [keyword.value for keyword in node.keywords]
            elif name == "where":
                found = node.args[1:]
            elif name == "matmul":
                found = node.args
        return [value for value in found if not re.fullmatch(r"None|0|Terms\(.*\)", ast.unparse(value))]

    def BinOp(self, node):
        left, right = ast.unparse(node.left), ast.unparse(node.right)
        if type(node.op) in ARITHMETIC:
            yield replace(node, ast.unparse(ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)))
        if isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div | ast.BitOr | ast.Pow):
            yield replace(node, left)
        if isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.BitOr):
            yield replace(node, right)
        if isinstance(node.op, ast.MatMult):
            yield replace(node, f"({right}) @ ({left})")

    def UnaryOp(self, node):
        if isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
            yield replace(node, ast.unparse(node.operand))

    def AugAssign(self, node):
        target, value = ast.unparse(node.target), ast.unparse(node.value)
        yield replace(node, f"{target} {'+=' if isinstance(node.op, ast.Sub) else '-='} {value}")
        yield replace(node, f"{target}[...] = {value}")

    def Assign(self, node):
        target = node.targets[0]
        if isinstance(target, ast.Tuple):
            yield from exchange([name for name in target.elts if ast.unparse(name) != "memory"])

    def Return(self, node):
        if isinstance(node.value, ast.Tuple) and all(isinstance(e, ast.Name) for e in node.value.elts):
            yield from exchange(node.value.elts)

    def Attribute(self, node):
        text = ast.unparse(node.value)
        if node.attr == "T":
            yield replace(node, text)
            yield replace(node, f"{text} if {text}.shape[0] == {text}.shape[1] else {text}.T")
        if node.attr == "W":
            yield replace(node, f"{text}.W.T if {text}.n_in == {text}.n_out else {text}.W")
        if text in ("cache", "dterms"):
            same = [n.attr for n in self.nodes if isinstance(n, ast.Attribute) and ast.unparse(n.value) == text]
            others = sorted(set(same))
            yield replace(node, f"{text}.{others[(others.index(node.attr) + 1) % len(others)]}")

    def Name(self, node):
        """An array in place of another of the same function that is there in every branch."""
        if isinstance(node.ctx, ast.Load) and node.id in self.arrays and node not in self.only_stored:
            for other in self.everywhere:
                if other != node.id:
                    yield replace(node, other, f"{node.id} -> {other}{self.roles.get(node, '')}")

    def Compare(self, node):
        opposite = COMPARISONS.get(type(node.ops[0]))
        if opposite is not None:
            yield replace(node, ast.unparse(ast.Compare(node.left, [opposite()], node.comparators)))

    def IfExp(self, node):
        if not isinstance(node.test, ast.Compare):
            yield replace(node, ast.unparse(ast.IfExp(node.test, node.orelse, node.body)))

    def Slice(self, node):
        """[a:] -> [:a] and back: the other half."""
        if (node.lower is None) != (node.upper is None):
            yield replace(node, ast.unparse(ast.Slice(node.upper, node.lower)))

    def Call(self, node):
        name = name_of(node)
        if name in ("exp", "expm1", "sqrt", "abs", "reversed"):
            yield replace(node, ast.unparse(node.args[0]))
        if name == "matmul":
            yield from exchange(node.args)
        if name == "add":
            yield replace(node, ast.unparse(node.args[0]))
            yield replace(node, ast.unparse(node.args[1]))
            yield replace(node, ast.unparse(node).replace("np.add", "np.subtract"))
        for keyword in node.keywords:
            if keyword.arg == "axis" and ast.unparse(keyword.value) in ("0", "1"):
                yield replace(keyword.value, str(1 - keyword.value.value), f"axis={1 - keyword.value.value}")
            if keyword.arg == "accumulate":
                yield replace(keyword.value, str(not keyword.value.value), f"accumulate={not keyword.value.value}")
        if name in ("Terms", "elbo"):
            yield from self.without(node, {keyword.arg for keyword in node.keywords})
        if is_kernel(node):
            yield from self.kernel_call(node)

    def kernel_call(self, call):
        """Inputs exchanged, results exchanged, what may be left out left out, another activation."""
        signature = self.signatures[name_of(call)]
        yield from exchange([argument for argument in self.inputs(call) if isinstance(argument, ast.Name)])
        pairs = list(zip(signature.parameters, call.args, strict=False))
        yield from exchange([argument for parameter, argument in pairs if parameter in signature.outputs])
        yield from self.without(call, signature.optional)
        if pairs[-1][0] in signature.optional:
            rest = ast.unparse(ast.Call(call.func, call.args[:-1], call.keywords))
            yield replace(call, rest, f"without {ast.unparse(call.args[-1])}: {rest}")
        for argument in call.args:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield replace(argument, "None")
                yield replace(argument, "'sigmoid'")

    def without(self, call, names):
        """A call without each of its keywords that it may do without."""
        for keyword in call.keywords:
            if keyword.arg in names:
                rest = ast.unparse(ast.Call(call.func, call.args, [k for k in call.keywords if k is not keyword]))
                yield replace(call, rest, f"without {keyword.arg}: {rest}")
