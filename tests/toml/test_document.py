from typing import Annotated

import msgspec
import pytest

from guardian_toml import Document, TomlProblems, read_toml, with_conf_d


class Part(msgspec.Struct, frozen=True):
    name: str
    listen: str | None = None


class Root(msgspec.Struct, frozen=True):
    site: str = ""
    interval_s: Annotated[float, msgspec.Meta(ge=0.1)] = 1
    labels: dict[str, str] = {}
    hosts: list[str] = []
    part: list[Part] = []


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def problems(*paths):
    with pytest.raises(TomlProblems) as caught:
        read_toml(paths, Root)
    return caught.value.problems


def test_tables_merge_and_arrays_of_tables_append_in_the_order_of_the_files(write):
    main = write("a.toml", 'site = "x"\n[labels]\na = "1"\n[[part]]\nname = "p"')
    more = write("b.toml", 'labels.b = "2"\n[[part]]\nname = "q"')
    assert read_toml([main, more], Root) == Root(site="x", labels={"a": "1", "b": "2"}, part=[Part("p"), Part("q")])


def test_the_same_key_in_two_files_names_both_places(write):
    main = write("a.toml", '\nsite = "x"\nhosts = ["h"]')
    more = write("b.toml", 'site = "y"\n\nhosts = ["i"]')
    assert problems(main, more) == [
        f"{more}:1: site: is set in {main}:2 already",
        f"{more}:3: hosts: is set in {main}:3 already",
    ]


def test_each_problem_has_the_line_of_its_own_file_and_files_come_in_order(write):
    main = write("a.toml", '[[part]]\nname = "p"\n\n[labels]\na = 1')
    more = write("b.toml", '# more\n[[part]]\nname = "q"\nlistens = ""\n[[part]]\n[labels]\nb = 2')
    assert problems(main, more) == [
        f"{main}:5: labels.a: must be text, is 1",
        f'{more}:4: part "q": no key "listens"; did you mean "listen"?',
        f'{more}:5: part 3: key "name" is missing',
        f"{more}:7: labels.b: must be text, is 2",
    ]


def test_a_key_missing_at_the_top_has_a_line_in_the_first_file(write):
    class Strict(msgspec.Struct):
        must: str

    path = write("a.toml", "\n")
    with pytest.raises(TomlProblems) as caught:
        read_toml([path], Strict)
    assert caught.value.problems == [f'{path}: key "must" is missing']


def test_keys_that_need_quotes_get_them_in_the_line(write):
    path = write("a.toml", '[labels]\n"a b" = 1')
    assert problems(path) == [f'{path}:2: labels."a b": must be text, is 1']


def test_a_syntax_error_has_its_line_and_every_file_is_parsed_all_the_same(write):
    main, more = write("a.toml", "site = 'x'\nnonsense\n"), write("b.toml", "a = [1,\n")
    first, second = problems(main, more)
    assert first.startswith(f"{main}:2: not TOML: ")
    assert second.startswith(f"{more}:1: not TOML: ")


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"a = 1\nb = '\xff'\n", ":2: not UTF-8"), (b"a = " + b"[" * 5000, ": not TOML that can be read")],
)
def test_a_file_that_is_no_text_or_too_deep_is_one_line(write, content, line):
    path = write("a.toml", content)
    [problem] = problems(path)
    assert problem.startswith(f"{path}{line}")


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    absent = tmp_path / "none.toml"
    assert problems(absent) == [f"{absent}: cannot be read: No such file or directory"]
    assert problems(tmp_path) == [f"{tmp_path}: cannot be read: Is a directory"]


def test_a_caller_adds_own_problems_and_they_take_their_place_by_line(write):
    path = write("a.toml", '[[part]]\nname = "p"\nlisten = "tcp:x:0"\n[labels]\na = 1')
    document = Document([path])
    assert document.convert(dict[str, str], ("labels",)) is None
    assert document.convert(list[Part], ("part",)) == [Part("p", "tcp:x:0")]
    document.problem(("part", 0, "listen"), "the port must be between 1 and 65535, is 0")
    document.check_keys(["part", "label"])
    with pytest.raises(TomlProblems) as caught:
        document.finish()
    assert caught.value.problems == [
        f'{path}:3: part "p": listen: the port must be between 1 and 65535, is 0',
        f'{path}:4: no key "labels"; did you mean "label"?',
        f"{path}:5: labels.a: must be text, is 1",
    ]


def test_a_table_that_is_not_there_reads_as_an_empty_one(write):
    document = Document([write("a.toml", "")])
    assert document.convert(Root, ("nothing", "here")) == Root()


def test_conf_d_beside_the_file_follows_it_by_name_less_what_is_another_daemons(write):
    main = write("agent.toml", "")
    found = [write(f"conf.d/{name}", "") for name in ("10-b.toml", "9-a.toml", "agent-x.toml")]
    for name in ("aggregator.toml", ".hidden.toml", "x.toml.bak", "README"):
        write(f"conf.d/{name}", "")
    assert with_conf_d(main) == [main, *found]


def test_without_conf_d_there_is_the_one_file(write):
    main = write("agent.toml", "")
    assert with_conf_d(main) == [main]


def test_a_conf_d_that_cannot_be_listed_is_a_problem(tmp_path):
    (tmp_path / "conf.d").symlink_to("conf.d")
    with pytest.raises(TomlProblems, match=r"conf\.d: cannot be read: "):
        with_conf_d(tmp_path / "agent.toml")
