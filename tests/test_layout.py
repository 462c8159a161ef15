# SPDX-License-Identifier: EUPL-1.2
"""The shape of the code: which package may import which, sizes, first lines, and generated code that is up to date."""

import ast
import importlib.util
import re
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ("sluis", "broker", "evaluator", "witness", "adapters", "demo", "policies", "proto")
OURS = (*PRODUCT, "tests", "bench")
LICENCE = "# SPDX-License-Identifier: EUPL-1.2"

# Which of our packages a package may import (design: arrows point one way).
MAY_IMPORT = {
    "sluis": {"sluis"},
    "adapters": {"adapters", "sluis"},
    "broker": {"broker", "sluis"},
    "evaluator": {"evaluator", "sluis"},
    "witness": {"witness", "sluis"},
    "policies": set(),
    "proto": set(),
    "demo": {"demo", "adapters", "broker", "evaluator", "witness", "sluis", "policies"},
}
# Which part of the broker alone may import a library.
RESERVED = {
    **dict.fromkeys(("sqlmodel", "sqlalchemy", "alembic", "psycopg"), "broker/storage"),
    **dict.fromkeys(("grpc", "grpc_health", "grpc_reflection"), "broker/wire"),
    **dict.fromkeys(("starlette", "uvicorn", "jinja2", "markdown_it"), "broker/console"),
}


def python_files(*folders: str) -> list[Path]:
    """Every file of ours, without what protoc wrote and what others installed."""
    return [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "node_modules" not in path.parts and not is_generated(path)
    ]


def is_generated(path: Path) -> bool:
    return path.parent == ROOT / "sluis" / "v1" and re.search(r"_pb2(_grpc)?\.py$", path.name) is not None


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.AST, *, in_functions: bool = True) -> Iterator[tuple[int, str]]:
    """Every import: line and full name, also those under `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are written in full"
            yield node.lineno, node.module or ""
        elif in_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imports(node, in_functions=in_functions)


def forbidden_imports(name: str, text: str) -> list[str]:
    """What a file of the product may not import, by the rules above; the name is relative to the repository."""
    package = name.partition("/")[0]
    tree = ast.parse(text)
    found = imports(tree)
    if name.startswith("sluis/cli/"):  # the command line starts services that need not be installed
        tree.body = [node for node in tree.body if not _is_type_checking(node)]
        found = imports(tree, in_functions=False)
    allowed = MAY_IMPORT[package] | ({"adapters"} if name.startswith("sluis/cli/") else set())
    wrong = []
    for line, module in found:
        top = module.partition(".")[0]
        if top in MAY_IMPORT and top not in allowed:
            wrong.append(f"{name}:{line} imports {module}")
        if package == "broker" and not f"{name}/".startswith(f"{RESERVED.get(top, 'broker')}/"):
            wrong.append(f"{name}:{line} imports {module}, which only {RESERVED[top]} may")
        if package != "broker" and RESERVED.get(top) == "broker/storage":
            wrong.append(f"{name}:{line} imports {module}, which only broker/storage may")
    return wrong


def _is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def test_arrows_point_one_way() -> None:
    files = python_files(*PRODUCT)
    assert len(files) > 100
    wrong = [line for path in files for line in forbidden_imports(name_of(path), path.read_text("utf-8"))]
    assert wrong == []


@pytest.mark.parametrize(
    ("name", "text", "count"),
    [
        ("sluis/envelope.py", "import broker.exchange", 1),
        ("sluis/envelope.py", "def f():\n    from evaluator import service", 1),
        ("sluis/cli/demo.py", "def f():\n    from demo.run import run", 0),
        ("sluis/cli/demo.py", "from demo.run import run", 1),
        ("sluis/cli/exchange.py", "from adapters import fines", 0),
        ("sluis/client/kit.py", "from adapters import fines", 1),
        ("sluis/cli/demo.py", "if TYPE_CHECKING:\n    from broker.settings import X", 0),
        ("sluis/keys.py", "if TYPE_CHECKING:\n    from broker.settings import X", 1),
        ("adapters/fines.py", "from broker import step", 1),
        ("adapters/fines.py", "from sluis import keys", 0),
        ("broker/exchange.py", "import grpc", 1),
        ("broker/wire/serve.py", "import grpc", 0),
        ("broker/exchange.py", "from sqlalchemy.engine import Row", 1),
        ("broker/storage/sql.py", "from sqlalchemy.engine import Row", 0),
        ("broker/app.py", "from starlette.routing import Route", 1),
        ("broker/app.py", "import evaluator.service", 1),
        ("evaluator/budget.py", "import sqlalchemy", 1),
        ("evaluator/budget.py", "from broker.storage import open", 1),
        ("witness/app.py", "from starlette.routing import Route", 0),
        ("demo/run.py", "import broker, evaluator, witness, adapters", 0),
    ],
)
def test_the_import_rules_catch_what_breaks_them(name: str, text: str, count: int) -> None:
    assert len(forbidden_imports(name, text)) == count


def test_no_file_of_ours_is_over_400_lines() -> None:
    sizes = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in python_files(*OURS)}
    assert {name: size for name, size in sizes.items() if size > 400} == {}


def test_no_function_of_the_product_is_over_60_lines() -> None:
    long = []
    for path in python_files(*PRODUCT):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = (node.end_lineno or 0) - node.lineno + 1
                if size > 60:
                    long.append(f"{name_of(path)}: {node.name} has {size} lines")
    assert long == []


def test_every_file_starts_with_its_licence_and_says_what_it_is() -> None:
    for path in python_files(*OURS):
        text = path.read_text("utf-8")
        assert text.splitlines()[:1] == [LICENCE], name_of(path)
        docstring = ast.get_docstring(ast.parse(text), clean=False) or ""
        assert docstring, f"{name_of(path)} has no docstring"
        assert len(docstring.splitlines()) <= 16, f"the docstring of {name_of(path)} is long"


def test_every_public_name_of_the_product_says_what_it_is() -> None:
    """Functions and classes of modules, and methods of their classes; not the `...` of a Protocol's methods."""
    silent = []
    for path in python_files(*PRODUCT):
        if "migrations" in path.parts:
            continue
        for place, node in _public(ast.parse(path.read_text("utf-8"))):
            if ast.get_docstring(node) is None:
                silent.append(f"{name_of(path)}:{node.lineno} {place}")
    assert silent == []


def _public(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_":
            yield node.name, node
            if isinstance(node, ast.ClassDef) and "Protocol" not in ast.unparse(ast.Tuple(elts=node.bases)):
                for item in node.body:
                    if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) and item.name[0] != "_":
                        yield f"{node.name}.{item.name}", item


def test_no_file_names_a_place_on_the_machine_it_was_written_on() -> None:
    places = re.compile(r"/(work|root|home|Users)/")
    for path in python_files(*PRODUCT, "bench"):
        assert not places.search(path.read_text("utf-8")), name_of(path)


# the wire


def load_generator() -> object:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "proto" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate the code anew."""
    into = tmp_path_factory.mktemp("generated")
    load_generator().generate(into)  # type: ignore[attr-defined]  # a module that is no package
    return into / "sluis" / "v1"


def descriptor(path: Path) -> bytes:
    """The file descriptor in a `_pb2.py`, which holds all that the .proto file says but its comments."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "AddSerializedFile":
            assert isinstance(node.args[0], ast.Constant)
            assert isinstance(node.args[0].value, bytes)
            return node.args[0].value
    raise AssertionError(f"{path.name} holds no descriptor")


def tool_version(folder: Path) -> list[str]:
    """The versions that the tools wrote into what they generated."""
    text = (folder / "exchange_pb2.py").read_text("utf-8") + (folder / "exchange_pb2_grpc.py").read_text(
        "utf-8"
    )
    return re.findall(r"(?:Python Version: |GENERATED_VERSION = ')([0-9.]+)", text)


def test_the_generated_code_is_that_of_the_proto_files(generated: Path) -> None:
    committed = ROOT / "sluis" / "v1"
    names = sorted(path.name for path in generated.iterdir())
    assert names == sorted(path.name for path in committed.iterdir() if "_pb2" in path.name)
    for name in names:
        if name.endswith("_pb2.py"):
            assert descriptor(generated / name) == descriptor(committed / name), name


def test_generating_again_with_the_same_tools_gives_no_difference(generated: Path) -> None:
    """Other versions of the tools may write the same messages in another way; the test above holds for all."""
    committed = ROOT / "sluis" / "v1"
    if tool_version(generated) == tool_version(committed):
        for path in sorted(generated.iterdir()):
            assert path.read_bytes() == (committed / path.name).read_bytes(), path.name


def test_the_proto_files_are_lint_clean(tmp_path: Path) -> None:
    buf = Path(sysconfig.get_path("scripts")) / "buf"
    environment = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "PATH": str(buf.parent)}
    result = subprocess.run(
        [buf, "lint"], cwd=ROOT, capture_output=True, text=True, timeout=60, env=environment
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_proto_files_bear_their_licence() -> None:
    files = sorted((ROOT / "proto").rglob("*.proto"))
    assert len(files) >= 7
    for path in files:
        assert path.read_text("utf-8").startswith("// SPDX-License-Identifier: EUPL-1.2\n"), name_of(path)
