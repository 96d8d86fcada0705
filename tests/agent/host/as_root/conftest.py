from pathlib import Path

import pytest

from guardian_agent.host.as_root import cleaned, compressing


@pytest.fixture(autouse=True)
def of_roots_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where root writes down what it does."""
    monkeypatch.setattr(compressing, "FOLDER", str(tmp_path / "lib/compressed"))
    monkeypatch.setattr(cleaned, "FOLDER", str(tmp_path / "lib/cleaned"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"
