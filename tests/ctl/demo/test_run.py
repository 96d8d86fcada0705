import signal
import sys
import tempfile
from pathlib import Path

import pytest

from guardian_ctl.demo import children
from guardian_ctl.demo.run import run_demo
from guardian_ctl.errors import CtlError


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for the daemons; the demo's folder lies below `tmp_path`."""
    (tmp_path / "demo").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "demo"))
    monkeypatch.setattr(children, "console_script", lambda name: str(tmp_path / name))
    return tmp_path


def write(path: Path, text: str) -> None:
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(0o755)


async def test_a_daemon_that_does_not_start_is_told_and_nothing_is_left(scripts: Path) -> None:
    write(scripts / "guardian-aggregator", "import sys; sys.exit('guardian-aggregator: no space left')")
    with pytest.raises(CtlError, match=r"guardian-aggregator ended with exit code 1; .*\n  .*no space left"):
        await run_demo(once=True, as_json_object=False)
    assert list((scripts / "demo").iterdir()) == []


async def test_a_signal_while_it_starts_ends_everything(scripts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # The stand-in interrupts whoever waits for it, and would live for a minute.
    write(
        scripts / "guardian-aggregator",
        "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)",
    )
    assert await run_demo(once=True, as_json_object=True) == 128 + signal.SIGTERM
    assert list((scripts / "demo").iterdir()) == []
    told = capsys.readouterr()
    assert told.out == ""
    assert "nothing is left behind" in told.err
