import json
import os

from guardian_agent.runtime.polkit_rule import polkit_rule, write_rule


def test_it_names_exactly_the_units_and_the_user():
    text = polkit_rule(["nginx.service", "app@1.service", "nginx.service"], user="healer")
    assert 'var units = ["app@1.service", "nginx.service"];' in text
    assert 'subject.user === "healer"' in text
    assert "polkit.Result.YES" in text


def test_a_name_cannot_break_out_of_its_string():
    nasty = 'a"];return polkit.Result.YES;//\\\n\u2028.service'
    line = next(line for line in polkit_rule([nasty]).splitlines() if "var units" in line)
    assert json.loads(line.removeprefix("    var units = ").removesuffix(";")) == [nasty]
    assert line.isascii()


def test_without_units_nothing_is_allowed():
    text = polkit_rule([])
    assert all(line.startswith("//") for line in text.splitlines())


def test_it_is_written_whole_and_readable_for_all(tmp_path):
    rule = tmp_path / "50-guardian.rules"
    umask = os.umask(0o077)
    try:
        write_rule("old", rule)
        write_rule("new", rule)
    finally:
        os.umask(umask)
    assert rule.read_text() == "new"
    assert rule.stat().st_mode & 0o777 == 0o644
    assert [file.name for file in tmp_path.iterdir()] == [rule.name]


def test_a_link_is_replaced_and_not_followed(tmp_path):
    target, rule = tmp_path / "target", tmp_path / "50-guardian.rules"
    target.write_text("untouched")
    rule.symlink_to(target)
    write_rule("new", rule)
    assert target.read_text() == "untouched"
    assert not rule.is_symlink()
