import os

from guardian_agent.config_files import changeable_by_others, fingerprint


def test_every_file_that_says_what_is_allowed_must_be_roots_alone(tmp_path):
    (tmp_path / "conf.d").mkdir()
    file, part = tmp_path / "agent.toml", tmp_path / "conf.d" / "web.toml"
    for path in (file, part):
        path.touch(0o644)
    me = os.getuid()
    assert changeable_by_others(file, me) == ""
    assert "must belong to root" in changeable_by_others(file, me + 1)
    for path, mode in ((file, 0o664), (part, 0o646), (part.parent, 0o777), (tmp_path, 0o775)):
        before = path.stat().st_mode
        path.chmod(mode)
        assert (
            changeable_by_others(file, me) == f"{path}: must not be writable by others than root, has mode {mode:04o}"
        )
        path.chmod(before)
    file.unlink()
    assert changeable_by_others(file, me) == ""


def test_whatever_happens_to_the_files_shows(tmp_path):
    file, part = tmp_path / "agent.toml", tmp_path / "conf.d" / "web.toml"
    seen = {fingerprint(file)}

    def another() -> bool:
        before = len(seen)
        seen.add(fingerprint(file))
        return len(seen) > before

    assert not another()
    file.write_text("a")
    assert another()
    part.parent.mkdir()
    part.write_text("b")
    assert another()
    (tmp_path / "new").write_text("a")
    os.utime(tmp_path / "new", ns=(file.stat().st_mtime_ns,) * 2)
    (tmp_path / "new").replace(file)
    assert another()
    part.unlink()
    assert another()
