"""Settings: from the environment and from flags, all bad ones told at once."""

import pytest

from sheetgrpc.config import Settings, StartError


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_env({}) == Settings()


def test_every_default_is_what_its_own_text_reads_as() -> None:
    assert {one.name: one.read(one.default) for one in Settings.describe()} == {
        one.name: getattr(Settings(), one.name) for one in Settings.describe()
    }


def test_every_setting_is_described() -> None:
    for setting in Settings.describe():
        assert setting.meaning
        assert setting.env == f"SHEETGRPC_{setting.name.upper()}"
        assert setting.flag == "--" + setting.name.replace("_", "-")


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("SHEETGRPC_LISTEN", "[::1]:0", "listen", "[::1]:0"),
        ("SHEETGRPC_DATABASE", "sqlite:////var/x.db", "database", "sqlite:////var/x.db"),
        ("DATABASE_URL", "sqlite:///x.db", "database", "sqlite:///x.db"),
        ("IDEMPOTENCY_TTL_SECONDS", "60", "request_id_ttl", 60.0),
        ("SHEETGRPC_REQUEST_ID_TTL", "2h", "request_id_ttl", 7200.0),
        ("SHEETGRPC_WRITER_TIMEOUT", "250ms", "writer_timeout", 0.25),
        ("SHEETGRPC_EXECUTION_TIMEOUT", "1.5", "execution_timeout", 1.5),
        ("SHEETGRPC_MAX_SEND_BYTES", "1MiB", "max_send_bytes", 1_048_576),
        ("SHEETGRPC_MAX_STATEMENTS", "10", "max_statements", 10),
        ("SHEETGRPC_BREAKER_FAILURES", "0", "breaker_failures", 0),
        ("SHEETGRPC_LOG_FORMAT", "json", "log_format", "json"),
        ("SHEETGRPC_NO_PERSIST", "yes", "no_persist", True),
        ("SHEETGRPC_NO_PERSIST", "0", "no_persist", False),
        ("SHEETGRPC_NO_PERSIST_FALLBACK", "True", "no_persist_fallback", True),
        ("SHEETGRPC_LISTEN", "", "listen", "127.0.0.1:50051"),
    ],
)
def test_a_variable_sets_its_field(variable: str, text: str, field: str, value: object) -> None:
    assert getattr(Settings.from_env({variable: text}), field) == value


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("LISTEN", "50051"),
        ("LISTEN", "localhost:70000"),
        ("LISTEN", "::1:50051"),
        ("DATABASE", "mysql://localhost/x"),
        ("DATABASE", "sqlite:///"),
        ("CATALOG", " "),
        ("WRITER_TIMEOUT", "0"),
        ("BREAKER_FAILURES", "-1"),
        ("WRITER_TIMEOUT", "-1"),
        ("HEARTBEAT_INTERVAL", "soon"),
        ("REQUEST_ID_TTL", "1w"),
        ("REQUEST_ID_TTL", "nan"),
        ("MAX_STATEMENTS", "0"),
        ("MAX_STATEMENTS", "1e6"),
        ("MAX_RECEIVE_BYTES", "2GiB"),
        ("LOG_FORMAT", "xml"),
        ("NO_PERSIST", "maybe"),
    ],
)
def test_a_bad_value_is_refused_by_name_and_value(variable: str, text: str) -> None:
    with pytest.raises(StartError) as refused:
        Settings.from_env({f"SHEETGRPC_{variable}": text})
    assert str(refused.value).startswith(f'SHEETGRPC_{variable} is "{text}", but must ')


def test_all_bad_values_are_told_at_once_where_they_were_given() -> None:
    with pytest.raises(StartError) as refused:
        Settings.from_env({"DATABASE_URL": "mysql://x", "SHEETGRPC_MAX_NESTING": "deep"}, listen="here")
    lines = str(refused.value).splitlines()
    assert [line.split()[0] for line in lines] == ["--listen", "DATABASE_URL", "SHEETGRPC_MAX_NESTING"]


def test_a_flag_wins_over_the_environment_and_one_not_given_does_not() -> None:
    environ = {"SHEETGRPC_CATALOG": "mine.yaml", "SHEETGRPC_DRAIN_TIMEOUT": "1"}
    settings = Settings.from_env(environ, catalog="yours.yaml", drain_timeout=None, writer_timeout=2.5)
    assert (settings.catalog, settings.drain_timeout, settings.writer_timeout) == ("yours.yaml", 1.0, 2.5)


def test_the_own_variable_wins_over_the_fallback() -> None:
    environ = {"SHEETGRPC_DATABASE": "sqlite:///ours.db", "DATABASE_URL": "sqlite:///theirs.db"}
    assert Settings.from_env(environ).database == "sqlite:///ours.db"


def test_an_override_that_is_no_setting_is_a_bug_of_the_caller() -> None:
    with pytest.raises(TypeError, match="lsten"):
        Settings.from_env({}, lsten="x")


def test_no_execution_timeout_means_no_limit() -> None:
    assert Settings().execution_timeout_us is None
    assert Settings(execution_timeout=1.5).execution_timeout_us == 1_500_000
