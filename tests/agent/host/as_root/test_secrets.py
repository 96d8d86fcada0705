import asyncio
import json
import os
import stat
import sys

import pytest

from guardian_agent.errors import OperationError, RefusedOperationError
from guardian_agent.host.as_root import secrets
from guardian_agent.host.as_root.secrets import KEPT_FOR_S, Secrets, sweep
from guardian_agent.host.operations import CheckSecret, PutBackSecret, ReloadUnit, RenewSecret
from guardian_agent.host.sessions import read_stat

LONG_AGO_NS = 1_000_000_000_123_456_789
SAYS = "import os, sys; print('hunter' + str(2)); open(os.environ['GUARDIAN_SECRET_NEW'], 'w').write(sys.argv[1])"
BOTH = SAYS + "; open(os.environ['GUARDIAN_SECRET_NEW_KEY'], 'w').write('new key')"


class Place:
    """A declared secret in a folder of its own, who reloads it, and root's folder beside it."""

    def __init__(self, folder):
        self.aside = folder / "aside"
        self.file = folder / "etc" / "tls.pem"
        self.key = folder / "etc" / "tls.key"
        self.file.parent.mkdir()
        for file, content in ((self.file, "old"), (self.key, "old key")):
            file.write_text(content)
            file.chmod(0o640)
            if os.geteuid() == 0:
                os.chown(file, 33, 34)
            os.utime(file, ns=(LONG_AGO_NS, LONG_AGO_NS))
        self.reloaded = []
        self.secrets = Secrets(self.reload, str(self.aside))

    async def reload(self, operation: ReloadUnit) -> None:
        self.reloaded.append((operation.unit, self.file.read_text()))

    async def renew(self, *argv: str, key: bool = False, timeout_s: float = 10.0) -> None:
        key_path = str(self.key) if key else ""
        await self.secrets.renew(RenewSecret(str(self.file), argv, key_path, timeout_s=timeout_s))

    async def put_back(self) -> None:
        await self.secrets.put_back(PutBackSecret(str(self.file), "web.service"))

    def picture(self):
        return [(file.read_text(), *self.marks(file), file.stat().st_mtime_ns) for file in (self.file, self.key)]

    def marks(self, file):
        found = file.stat()
        return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid

    def kept(self):
        """What lies in root's folder, by name."""
        return {file.name: file for file in self.aside.glob("*/*")}


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def writes(text: str, program: str = SAYS) -> tuple[str, ...]:
    return (sys.executable, "-Ic", program, text)


async def test_a_new_secret_takes_the_place_of_the_old_one_which_is_kept_for_root_alone(place):
    before = place.marks(place.file)
    await place.renew(*writes("new"))
    assert place.file.read_text() == "new" and place.marks(place.file) == before
    assert place.file.stat().st_mtime_ns > LONG_AGO_NS
    kept = place.kept()
    assert sorted(kept) == ["kept.json", "old-secret"] and kept["old-secret"].read_text() == "old"
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in kept.values())
    assert stat.S_IMODE(kept["old-secret"].parent.stat().st_mode) == stat.S_IMODE(place.aside.stat().st_mode) == 0o700
    assert sorted(file.name for file in place.file.parent.iterdir()) == ["tls.key", "tls.pem"]


@pytest.mark.parametrize("key", [False, True])
async def test_the_old_one_comes_back_byte_for_byte_with_its_date_however_often_it_is_asked_for(place, key):
    before = place.picture()
    await place.renew(*writes("new", BOTH if key else SAYS), key=key)
    assert place.key.read_text() == ("new key" if key else "old key")
    for _ in range(2):
        await place.put_back()
        assert place.picture() == before
    assert place.reloaded == [("web.service", "old")] * 2


async def test_a_key_that_the_program_leaves_alone_stays(place):
    await place.renew(*writes("new"), key=True)
    assert (place.file.read_text(), place.key.read_text()) == ("new", "old key")


async def test_the_program_gets_two_words_and_nothing_else(place, monkeypatch):
    monkeypatch.setenv("GUARDIAN_TOKEN", "hunter2")
    tells = "import os, sys; open(os.environ['GUARDIAN_SECRET_NEW'], 'w').write(repr(dict(os.environ)))"
    await place.renew(sys.executable, "-Ic", tells)
    told = place.file.read_text()
    assert "hunter2" not in told and "PATH=" not in told and f"'GUARDIAN_SECRET_PATH': '{place.file}'" in told
    assert set(eval(told)) - {"LC_CTYPE"} == {"GUARDIAN_SECRET_PATH", "GUARDIAN_SECRET_NEW"}


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        ((sys.executable, "-Ic", "print('hunter' + str(2)); exit(3)"), "ended with exit code 3"),
        ((sys.executable, "-Ic", "import time; time.sleep(60)"), "still running after 0.5 s"),
        ((sys.executable, "-Ic", "pass"), "it wrote no new secret"),
        (writes("old"), "what it wrote is the old secret"),
        (writes("", SAYS.replace("sys.argv[1]", f"'x' * {secrets.MOST_BYTES + 1}")), "File too large"),
        (("/no/such/program",), "No such file"),
        (("true",), "only a program with its absolute path"),
    ],
)
async def test_what_makes_no_new_secret_changes_nothing(place, argv, why):
    before = place.picture()
    with pytest.raises(RefusedOperationError, match=why) as caught:
        await place.renew(*argv, timeout_s=0.5 if "running" in why else 10.0)
    assert "hunter2" not in str(caught.value) and place.picture() == before
    await place.put_back()
    assert place.picture() == before and place.reloaded == []
    assert sorted(place.kept()) == ["kept.json"]


async def test_what_an_earlier_renewal_kept_is_not_put_back_for_a_later_one_that_failed(place):
    await place.renew(*writes("second"))
    with pytest.raises(RefusedOperationError):
        await place.renew("/no/such/program")
    await place.put_back()
    assert place.file.read_text() == "second" and place.kept()["old-secret"].read_text() == "old"
    await place.renew(*writes("third"))
    assert place.kept()["old-secret"].read_text() == "second"


@pytest.mark.parametrize("where", ["file", "folder"])
async def test_no_link_is_followed(place, where):
    real = place.file.parent.parent / "real"
    if where == "folder":
        place.file.parent.rename(real)
        place.file.parent.symlink_to(real)
    else:
        place.file.rename(real)
        place.file.symlink_to(real)
    with pytest.raises(RefusedOperationError):
        await place.renew(*writes("new"))
    assert (real if where == "file" else real / "tls.pem").read_text() == "old"


async def test_a_secret_that_is_missing_is_not_made(place):
    place.file.unlink()
    with pytest.raises(RefusedOperationError, match="No such file"):
        await place.renew(*writes("new"))
    assert not place.file.exists()


async def test_dying_before_the_new_one_is_in_place_can_be_put_back(place, monkeypatch):
    before = place.picture()

    def dies(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(place.secrets, "_replace", dies)
    with pytest.raises(OperationError, match="Input/output error") as caught:
        await place.renew(*writes("new"))
    assert not isinstance(caught.value, RefusedOperationError)
    await place.put_back()
    assert place.picture() == before


async def test_a_check_is_tried_again_until_its_time_is_over(place, tmp_path):
    counts = "import os, sys; p = sys.argv[1]; n = len(os.listdir(p)); open(f'{p}/{n}', 'w'); exit(n < 2)"
    tries = tmp_path / "tries"
    tries.mkdir()
    argv = (sys.executable, "-Ic", counts, str(tries))
    await place.secrets.check(CheckSecret(str(place.file), argv, timeout_s=30.0))
    assert len(list(tries.iterdir())) == 4
    with pytest.raises(OperationError, match="exit code 7"):
        await place.secrets.check(CheckSecret(str(place.file), (sys.executable, "-Ic", "exit(7)"), timeout_s=0.5))
    with pytest.raises(OperationError, match="No such file"):
        await place.secrets.check(CheckSecret(str(place.file), ("/no/such/program",)))


async def test_a_check_that_succeeds_once_and_not_again_proves_nothing(place, tmp_path):
    once = "import os, sys; found = os.path.exists(sys.argv[1]); open(sys.argv[1], 'w'); exit(found)"
    argv = (sys.executable, "-Ic", once, str(tmp_path / "met an old worker"))
    with pytest.raises(OperationError, match="exit code 1"):
        await place.secrets.check(CheckSecret(str(place.file), argv, timeout_s=2.0))


async def test_whoever_stops_waiting_ends_the_program(place, tmp_path):
    said = tmp_path / "pid"
    sleeps = f"import os, time; open({str(said)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    waiting = asyncio.ensure_future(place.renew(sys.executable, "-Ic", sleeps))
    while not (said.exists() and said.read_text()):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert read_stat(int(said.read_text())) is None
    assert place.file.read_text() == "old" and "new-secret" not in place.kept()


async def test_old_ones_are_forgotten_after_a_day(place):
    await place.renew(*writes("new"))
    (folder,) = place.aside.iterdir()
    sweep(str(place.aside))
    assert folder.exists() and "old" not in json.loads(place.kept()["kept.json"].read_text())["files"]
    before = folder.stat().st_mtime - KEPT_FOR_S - 1
    os.utime(folder, (before, before))
    sweep(str(place.aside))
    assert not folder.exists()
    sweep(str(place.aside / "not there"))


async def test_a_folder_that_others_can_open_is_not_used(place):
    place.aside.mkdir(mode=0o755)
    place.aside.chmod(0o755)
    with pytest.raises(RefusedOperationError, match="open to others"):
        await place.renew(*writes("new"))
