"""What a reader of this project may rely on everywhere in it."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
AGENT = ROOT / "agent" / "guardian_agent"
GENERATED = ROOT / "proto" / "guardian_proto" / "v1"
LONGEST_FILE = 400  # lines
LONGEST_TEST_FILE = 500
ENUMS = ("Outcome", "Layer", "Resolution", "ConditionState", "StepState")
SIDES = {
    "agent/guardian_agent": "tests/agent",
    "aggregator/guardian_aggregator": "tests/aggregator",
    "aggregator/guardian_ctl": "tests/ctl",
    "proto/guardian_toml": "tests/toml",
}
TESTED_TOGETHER = {  # folders of which one test holds every file
    "agent/guardian_agent/host/operations": "tests/agent/host/test_operations.py",
    "agent/guardian_agent/host/questions": "tests/agent/host/test_questions.py",
}
TESTED_ELSEWHERE = {
    "agent/guardian_agent/errors.py": "names only",
    "agent/guardian_agent/probes/base.py": "a contract: each probe's own test is its test",
    "agent/guardian_agent/playbooks/checkup.py": "a contract: the daily check's test and test_checkup.py are its tests",
    "agent/guardian_agent/playbooks/scheduled.py": "a contract: test_daily.py and the daily check's own test",
    "agent/guardian_agent/playbooks/base.py": "a contract: each playbook's own test and the engine's are its tests",
    "agent/guardian_agent/uplink/endings.py": "names only: the tests of the stream come to each of these ends",
    "aggregator/guardian_aggregator/errors.py": "names only",
    "aggregator/guardian_aggregator/model.py": "the shape of rows: the store's and the API's tests hold it",
    "aggregator/guardian_aggregator/store/tables.py": "the shape of tables: every test of the store runs them",
}


def tracked(*patterns: str) -> list[Path]:
    """The files that git has, or would have at the next commit."""
    argv = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--", *patterns]
    listed = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def modules(folder: Path, *, but: tuple[str, ...] = ()) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.py") if path.stem not in ("__init__", *but))


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


# Families


def test_every_probe_file_is_in_the_tuple_and_its_name_is_its_id():
    probes = importlib.import_module("guardian_agent.probes").PROBES
    assert sorted(probe.probe_id() for probe in probes) == modules(AGENT / "probes", but=("base",))


def test_every_playbook_file_is_in_the_tuple():
    playbooks = importlib.import_module("guardian_agent.playbooks").PLAYBOOKS
    families = [folder for folder in (AGENT / "playbooks").iterdir() if folder.is_dir() and folder.name[0] != "_"]
    files = sorted(f"{folder.name}.{name}" for folder in families for name in modules(folder))
    assert sorted(".".join(book.__module__.split(".")[-2:]) for book in playbooks) == files


# The wire


@pytest.mark.parametrize("side", ["guardian_agent", "guardian_aggregator"])
@pytest.mark.parametrize("name", ENUMS)
def test_both_sides_have_the_words_of_the_wire(side, name):
    ours: type[Enum] = getattr(importlib.import_module(f"{side}.model"), name)
    wire = getattr(importlib.import_module("guardian_proto.v1.types_pb2"), name)
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper() + "_"
    theirs = {label.removeprefix(prefix): number for label, number in wire.items()}
    unset = theirs.pop("UNSPECIFIED")
    assert {member.name for member in ours} - {"UNKNOWN"} == set(theirs)
    assert unset == 0
    for member in ours:
        assert member.value in (theirs.get(member.name), member.name.lower())


def test_the_generated_code_is_what_the_proto_files_give(tmp_path):
    sources = [named(path).removeprefix("proto/") for path in GENERATED.glob("*.proto")]
    out = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", "-I.", *out, *sources], cwd=ROOT / "proto", check=True)
    fresh = {path.name: path.read_text() for path in tmp_path.rglob("*_pb2*")}
    services = [path.stem for path in GENERATED.glob("*.proto") if "\nservice " in path.read_text()]
    wanted = {name for name in fresh if not name.endswith("_grpc.py") or name[: -len("_pb2_grpc.py")] in services}
    assert {path.name for path in GENERATED.glob("*_pb2*")} == wanted, "make proto"
    for name in sorted(wanted):
        assert (GENERATED / name).read_text() == fresh[name], f"{name} is not fresh: make proto"


# Folders and files


@pytest.mark.parametrize("part", ["guardian_agent", "guardian_aggregator", "guardian_ctl"])
def test_every_part_has_the_version_of_the_project(part):
    assert importlib.import_module(part).__version__ == project()["project"]["version"]


def test_data_and_tests_are_no_packages():
    assert tracked("packaging/**/__init__.py", "systemd/**/__init__.py", "tests/**/__init__.py") == []
    assert not any((ROOT / folder / "__init__.py").exists() for folder in ("packaging", "systemd", "tests"))


def _is_a_contract(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """A docstring, or nothing: a Protocol's member."""
    return all(isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) for part in node.body)


def has_code(path: Path) -> bool:
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _is_a_contract(node)
        for node in ast.walk(ast.parse(path.read_text()))
    )


def test_every_module_with_code_has_its_test_where_one_looks_for_it():
    missing = []
    for source, tests in SIDES.items():
        for path in tracked(f"{source}/*.py"):
            inside = path.relative_to(ROOT / source)
            test = ROOT / tests / inside.parent / f"test_{inside.name}"
            elsewhere = named(path) in TESTED_ELSEWHERE or named(path.parent) in TESTED_TOGETHER
            if inside.stem == "__init__" or elsewhere or test.is_file() or not has_code(path):
                continue
            missing.append(named(test))
    assert not missing, "no tests yet:\n" + "\n".join(missing)


def test_what_is_excused_from_its_own_test_still_exists():
    assert [name for name in TESTED_ELSEWHERE if not (ROOT / name).is_file()] == []
    assert [name for name in TESTED_TOGETHER if not (ROOT / name).is_dir()] == []
    assert [name for name in TESTED_TOGETHER.values() if not (ROOT / name).is_file()] == []


def test_no_file_is_too_long_to_read_in_one_go():
    lengths = {named(path): len(path.read_text().splitlines()) for path in tracked("*.py") if "_pb2" not in path.name}
    limits = {name: LONGEST_TEST_FILE if name.startswith("tests/") else LONGEST_FILE for name in lengths}
    assert {name: length for name, length in lengths.items() if length > limits[name]} == {}


def test_no_file_names_a_package_registry_or_a_developers_folder():
    hosts = (
        "pypi" + ".org",
        "pythonhosted" + ".org",
        "deb." + "debian.org",
        "npmjs" + ".org",
        "/artifact" + "-registry",
    )
    words = re.compile("|".join(map(re.escape, (*hosts, "/work" + "/main", "/work" + "/shared", "/root" + "/.pyenv"))))
    found = []
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{named(path)}: {match[0]}" for match in words.finditer(text)]
    assert found == []


# What people type


@pytest.mark.parametrize("name", ["guardian-agent", "guardian-aggregator", "guardianctl"])
def test_a_console_script_leads_to_a_function(name):
    module, _, function = project()["project"]["scripts"][name].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_make_command_that_is_told_of_exists(name):
    told = set(re.findall(r"(?:^|`)make ([a-z-]+)", (ROOT / name).read_text(), flags=re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert told <= targets


def test_every_package_is_shipped_typed_and_checked():
    settings = project()["tool"]
    shipped = {Path(path).name for path in settings["hatch"]["build"]["targets"]["wheel"]["packages"]}
    assert shipped == set(settings["importlinter"]["root_packages"])
    assert shipped - {"guardian_proto"} == set(settings["mypy"]["packages"])
