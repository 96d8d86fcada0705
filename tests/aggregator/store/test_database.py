"""Opening the file: its schema, its one owner, and what can be in the way."""

import os

import apsw
import pytest

from guardian_aggregator.errors import StoreError
from guardian_aggregator.store import Queries, Store
from guardian_aggregator.store.database import migrate, migrations, open_reader, open_writer


def test_a_new_file_gets_every_migration_and_an_old_one_none(tmp_path):
    path = tmp_path / "g.db"
    connection = open_writer(path, migrated=False)
    assert migrate(connection, path) == (0, len(migrations()))
    assert migrate(connection, path) == (len(migrations()), len(migrations()))
    connection.close()


def test_a_file_of_the_first_version_keeps_what_it_holds(tmp_path):
    path = tmp_path / "g.db"
    connection = open_writer(path, migrated=False)
    connection.execute(migrations()[0])
    connection.pragma("user_version", 1)
    connection.execute("INSERT INTO counters VALUES ('batches', '', 7)")
    assert migrate(connection, path) == (1, len(migrations()))
    assert list(connection.execute("SELECT value FROM counters")) == [(7,)]
    assert list(connection.execute("SELECT count(*) FROM self_health")) == [(0,)]
    connection.close()


def test_a_commit_survives_a_loss_of_power_by_its_settings(tmp_path):
    connection = open_writer(tmp_path / "g.db")
    assert (connection.pragma("journal_mode"), connection.pragma("synchronous")) == ("wal", 2)
    connection.close()


def test_a_file_of_a_newer_version_is_refused_in_one_line(tmp_path):
    path = tmp_path / "g.db"
    connection = open_writer(path)
    connection.pragma("user_version", 99)
    connection.close()
    with pytest.raises(StoreError) as error:
        Store(path)
    knows = f"this version knows up to {len(migrations())}"
    assert str(error.value) == f"{path}: made by a newer version (schema 99; {knows})"


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path):
    path = tmp_path / "g.db"
    path.write_text("what is this? " * 500)
    with pytest.raises(StoreError, match="file is not a database"):
        Store(path)


def test_a_second_owner_is_refused_until_the_first_has_gone(tmp_path):
    path = tmp_path / "g.db"
    first = Store(path)
    with pytest.raises(StoreError, match="another aggregator has it open"):
        Store(path)
    first.close()
    Store(path).close()


def test_after_a_refusal_the_file_is_free(tmp_path):
    path = tmp_path / "g.db"
    path.write_text("what is this? " * 500)
    with pytest.raises(StoreError):
        Store(path)
    path.unlink()
    Store(path).close()


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(StoreError, match="No such file or directory"):
        Store(tmp_path / "no" / "g.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_not_writable_is_one_line(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="Permission denied"):
        Store(tmp_path / "g.db")


def test_readers_cannot_write(tmp_path):
    store = Store(tmp_path / "g.db")
    reader = open_reader(store.path)
    with pytest.raises(apsw.ReadOnlyError):
        reader.execute("DELETE FROM agents")
    reader.close()
    store.close()


async def test_a_question_to_a_broken_file_is_a_store_error(tmp_path):
    store = Store(tmp_path / "g.db")
    queries = Queries(store.path)
    await store.write(lambda connection: connection.execute("DROP TABLE pages") and None)
    with pytest.raises(StoreError, match="cannot be read"):
        await queries._rows("SELECT * FROM pages", {})
    queries.close()
    store.close()
