import pytest
from tests.aggregator.ingest import process

from guardian_aggregator import cli
from guardian_aggregator.access import Role, TokenFile


@pytest.fixture
def typed(tmp_path, capsys):
    """Types a command; answers its exit code, standard output and standard error."""
    config = process.write_config(tmp_path)
    (tmp_path / "state").mkdir()

    def run(*arguments):
        code = cli.main(["token", *arguments, "--config", str(config)])
        return (code, *capsys.readouterr())

    return run


def test_a_token_is_shown_once_alone_on_standard_output(typed, tmp_path):
    code, out, err = typed("create", "grafana", "--role", "operator", "--expires", "12h")
    assert code == 0 and err == "grafana: a token of the role operator; it is not shown again\n"
    tokens = TokenFile(tmp_path / "state")
    (kept,) = tokens.all()
    holder = tokens.holder(out.strip(), kept.created_at_s)
    assert holder is not None and holder.role is Role.OPERATOR
    assert kept.expires_at_s == kept.created_at_s + 12 * 3600


def test_the_list_has_a_line_for_each_and_no_secret(typed):
    assert typed("list") == (0, "", "no tokens\n")
    _, shown, _ = typed("create", "grafana")
    typed("create", "ops", "--expires", "90d")
    _, listed, _ = typed("list")
    first, second = listed.splitlines()
    assert "viewer    grafana  made 20" in first and first.endswith("never expires")
    assert "ops  made 20" in second and ", expires 20" in second
    assert shown.strip().split("_", 2)[2] not in listed


def test_a_revoked_token_is_gone_and_an_unknown_one_is_a_problem(typed):
    typed("create", "grafana")
    code, _, err = typed("revoke", "grafana")
    assert code == 0 and err.startswith("grafana (") and err.endswith("): revoked\n")
    assert typed("revoke", "grafana") == (1, "", "guardian-aggregator: there is no token 'grafana'\n")


@pytest.mark.parametrize("wrong", [["--role", "king"], ["--expires", "90"], ["--expires", "0d"], ["--expires", "-1d"]])
def test_wrong_usage_is_exit_code_2(typed, wrong):
    with pytest.raises(SystemExit) as ended:
        typed("create", "grafana", *wrong)
    assert ended.value.code == 2


def test_without_a_state_folder_there_is_nowhere_to_keep_one(tmp_path, capsys):
    config = process.write_config(tmp_path)
    assert cli.main(["token", "create", "a", "--config", str(config)]) == 1
    assert "the state folder is not there" in capsys.readouterr().err
