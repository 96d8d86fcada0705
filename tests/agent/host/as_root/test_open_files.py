import os

from guardian_agent.host.as_root import open_files


def test_what_this_process_has_open_is_open(tmp_path):
    (tmp_path / "a").touch()
    state = (tmp_path / "a").stat()
    with (tmp_path / "a").open():
        assert (state.st_dev, state.st_ino) in open_files.open_files()
        assert any(one.pid == os.getpid() and one.state.st_ino == state.st_ino for one in open_files.descriptors())
    assert (state.st_dev, state.st_ino) not in open_files.open_files()


def test_a_file_behind_a_loop_device_and_a_swap_file_are_in_use(tmp_path, monkeypatch):
    for name in ("disk.img", "swap"):
        (tmp_path / name).touch()
    (tmp_path / "swaps").write_text(f"Filename Type\n{tmp_path}/swap file 1 0 -2\n")
    (tmp_path / "loop0/loop").mkdir(parents=True)
    (tmp_path / "loop0/loop/backing_file").write_text(f"{tmp_path}/disk.img\n")
    monkeypatch.setattr(open_files, "PROC", tmp_path)
    monkeypatch.setattr(open_files, "LOOP_DEVICES", tmp_path)
    inodes = {inode for _, inode in open_files.open_files()}
    assert {(tmp_path / name).stat().st_ino for name in ("disk.img", "swap")} <= inodes
