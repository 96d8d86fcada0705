"""The command line of the agent: `guardian-agent run | check-config | probe | playbook(s) | status | polkit-rule`."""

import argparse
import asyncio
import contextlib
import functools
import logging
import os
import sys
from collections.abc import Collection, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from guardian_agent import __version__

if TYPE_CHECKING:
    from guardian_agent.diagnosis import Answer

EX_USAGE, EX_CONFIG, EX_UNAVAILABLE = 2, 78, 69
ASK_S, LEARN_S = 2.0, 30.0  # how long the running agent is waited for


def _not_installed(missing: ModuleNotFoundError) -> NoReturn:
    if (missing.name or "").startswith("guardian_"):  # a broken installation, which no extra mends
        raise missing
    print(f"guardian-agent: {missing.name} is not installed: pip install 'guardian-fleet[agent]'", file=sys.stderr)  # noqa: T201
    sys.exit(EX_CONFIG)


# What the executor needs not (the daemon with gRPC above all) is imported where it is used: it starts when it is asked.
try:
    import msgspec

    from guardian_agent.config import DEFAULT_FILE, AgentConfig, load
    from guardian_agent.console import choose, complain, log_to_stderr, show, show_json
    from guardian_agent.custom.catalogue import installed
    from guardian_agent.errors import ConfigError, GuardianError, UsageError
    from guardian_agent.healing.ladders import DEFAULT_LADDERS
    from guardian_agent.host import KnownGood
    from guardian_agent.host.capabilities import keep_from_children
    from guardian_agent.host.executor_client import executor_at
    from guardian_agent.host.local import LocalHost
    from guardian_agent.model import Endpoint
    from guardian_agent.probes import Probe
    from guardian_agent.runtime.local_socket import LocalSocketError, ask
    from guardian_agent.runtime.polkit_rule import POLKIT_RULE
    from guardian_agent.runtime.sd_notify import Notifier
    from guardian_agent.runtime.signals import Signals
except ModuleNotFoundError as missing:
    _not_installed(missing)

log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs one command and exits: 0 fine, 1 a problem found, 2 wrong usage, 78 a configuration that cannot be used."""
    options = _parser().parse_args(arguments)
    log_to_stderr(logging.INFO if options.command in ("run", "executor") else logging.WARNING)
    try:
        code = options.handle(options)
    except ConfigError as error:
        count = len(error.problems)
        complain(*error.problems, f"{count} error{'s' * (count != 1)}; nothing was changed")
        code = EX_CONFIG
    except UsageError as error:
        complain(f"guardian-agent: {error}")
        code = EX_USAGE
    except GuardianError as error:
        complain(f"guardian-agent: {error}")
        code = 1
    except ModuleNotFoundError as missing:
        _not_installed(missing)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="guardian-agent", description="Watches this host and heals it.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument("--config", type=_file, metavar="FILE", help="default: /etc/guardian/agent.toml")
    as_json = argparse.ArgumentParser(add_help=False)
    as_json.add_argument("--json", action="store_true", help="print JSON")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, handle: Any, help_: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help_, description=help_, parents=[config, *parents])
        command.set_defaults(handle=handle)
        return command

    add("run", _run, "Run the agent in the foreground.")
    add("check-config", _check_config, "Check the configuration and say all that is wrong with it.")
    probe = add("probe", _probe, "Look once with every probe, or with one.", as_json)
    probe.add_argument("id", nargs="?", metavar="ID")
    add("diagnose", _diagnose, "Walk the layers and say which one is at fault.", as_json)
    add(
        "learn",
        _learn,
        "Tell the running agent that what is there now is good, when it has changed on purpose.",
        as_json,
    )
    playbook = add("playbook", _playbook, "Show what a playbook would do now, or finds. Nothing is changed.", as_json)
    playbook.add_argument("id", metavar="ID")
    playbook.add_argument("--dry-run", action="store_true", help="needed by those that would change something")
    playbook.add_argument("--component", metavar="NAME", help="or host:NAME; default: what looks bad, and it heals")
    playbook.add_argument("--issue", metavar="TYPE", help="as if the component had this issue type")
    add("playbooks", _playbooks, "List all playbooks, with their counts where the agent runs.", as_json)
    add("status", _status, "Ask the running agent how things stand.", as_json)
    rule = add("polkit-rule", _polkit_rule, "Print the polkit rule that the configuration asks for.")
    rule.add_argument("--write", action="store_true", help=f"write it to {POLKIT_RULE}")
    executor = add("executor", _executor, "Do for the agent what only root may. systemd starts this when it is asked.")
    executor.add_argument("--idle", type=float, default=60.0, metavar="SECONDS", help="end after so long (default: 60)")
    return parser


def _file(text: str) -> Path:
    if not text:  # as of a variable that is not set; a Path of it would be the folder that we are in
        raise argparse.ArgumentTypeError("must name a file, is empty")
    return Path(text)


def _load(options: argparse.Namespace) -> AgentConfig:
    config = _read(options)
    for notice in config.notices:
        log.warning("%s", notice)
    return config


def _read(options: argparse.Namespace, *, look_at_files: bool = True) -> AgentConfig:
    catalogue = _installed()
    return load(
        options.config,
        probe_fields={probe.probe_id(): _options(probe) for probe in catalogue.probes},
        playbook_fields={playbook.playbook_id(): playbook for playbook in catalogue.playbooks},
        issue_types=catalogue.issue_types | set(DEFAULT_LADDERS),
        heals={playbook.playbook_id(): playbook.heals for playbook in catalogue.playbooks},
        default_ladders=DEFAULT_LADDERS,
        asked_about=lambda one: any(probe.for_component(one, probe.schedule) is not None for probe in catalogue.probes),
        allow_commands=os.environ.get("GUARDIAN_SERVICE") != "1",  # as our unit says
        look_at_files=look_at_files,
    )


_installed = functools.cache(installed)  # once: what is imported stays


def _options(probe: type[Probe]) -> type[msgspec.Struct]:
    """A struct of the keys that only this probe has."""
    fields = {field.name: field.type for field in msgspec.structs.fields(probe)}
    return msgspec.defstruct(f"{probe.__name__}Options", [(name, fields[name]) for name in probe.options], kw_only=True)


def _run(options: argparse.Namespace) -> int:
    from guardian_agent.daemon import Daemon

    if not keep_from_children():  # here, before there is another thread
        log.warning("programs that are run will have the agent's own capabilities: these cannot be kept from them here")
    config = _load(options)
    notifier = Notifier.from_environment()

    def read_again() -> bool:
        nonlocal config
        try:
            config = _load(options)
        except ConfigError as error:
            log.error("the new configuration is not used, the old one stays: %s", "; ".join(error.problems))
            return False
        log.info("the configuration was read again")
        notifier.reloading()
        return True

    async def run() -> None:
        signals = Signals(read_again, notifier.stopping)
        signals.install()
        reloaded = False
        while await Daemon(config, notifier, catalogue=_installed(), reloaded=reloaded).run(signals):
            reloaded = True

    asyncio.run(run())
    return 0


def _check_config(options: argparse.Namespace) -> int:
    config = _load(options)
    show(f"fine: {config.summary}")
    return 0


def _probe(options: argparse.Namespace) -> int:
    from guardian_agent import oneshot, shown

    async def look(config: AgentConfig, host: LocalHost, good: Collection[str] | None) -> list["Answer"]:
        probes = {probe.probe_id(): probe for probe in _installed().with_declared(config).probes}
        if options.id is not None:
            choose("probe", options.id, probes)
        found = await oneshot.probe(config, host, options.id, probes=tuple(probes.values()), ever_good=good)
        if not found:
            raise UsageError(oneshot.why_nothing(config, probes.get(options.id)))
        return [answer for _, answer in found]

    answers = _with_host(options, look)
    if options.json:
        show_json({"probes": msgspec.to_builtins(answers)})
    else:
        shown.show_answers(answers)
    return 1 if any(answer.cannot or (answer.ok is False and answer.counts) for answer in answers) else 0


def _diagnose(options: argparse.Namespace) -> int:
    from guardian_agent import oneshot, shown
    from guardian_agent.diagnosis import diagnose

    async def look(config: AgentConfig, host: LocalHost, good: Collection[str] | None) -> Any:
        probes = _installed().with_declared(config).probes
        return await oneshot.probe(config, host, probes=probes, ever_good=good)

    found = diagnose(_with_host(options, look))
    if options.json:
        show_json(msgspec.to_builtins(found))
    else:
        shown.show_diagnosis(found)
    return 1 if found.at_fault else 0


def _learn(options: argparse.Namespace) -> int:
    changes = ask(_load(options).socket, {"command": "learn"}, LEARN_S)["changes"]
    if options.json:
        show_json({"changes": changes})
    else:
        show(*(changes or ["nothing has changed: what is there now was known to be good already"]))
    return 0


def _playbook(options: argparse.Namespace) -> int:
    from guardian_agent import playbook_commands

    async def found(config: AgentConfig, host: LocalHost, good: Collection[str] | None) -> dict[str, Any]:
        catalogue = _installed().with_declared(config)
        choose("playbook", options.id, (playbook.playbook_id() for playbook in catalogue.playbooks))
        wanted = playbook_commands.Wanted(options.id, options.component, options.issue, dry_run=options.dry_run)
        return await playbook_commands.found(wanted, config, host, catalogue, good)

    return playbook_commands.show_found(_with_host(options, found), as_json=options.json)


def _playbooks(options: argparse.Namespace) -> int:
    from guardian_agent import playbook_commands

    config = _load(options)
    playbook_commands.show_all(_installed().with_declared(config), config, as_json=options.json)
    return 0


def _status(options: argparse.Namespace) -> int:
    from guardian_agent import shown

    status = ask(_load(options).socket, {"command": "status"})
    if options.json:
        show_json(status)
        return 0
    shown.show_status(status)
    return 1 if status["incidents"] or status["disabled_playbooks"] else 0


def _executor(options: argparse.Namespace) -> int:
    if os.geteuid() != 0:
        complain("guardian-agent: the executor does what needs root, and this is not root")
        return 1
    from guardian_agent.executor.process import run

    return run(options.config or DEFAULT_FILE, lambda: _read(options, look_at_files=False), idle_s=options.idle)


def _polkit_rule(options: argparse.Namespace) -> int:
    from guardian_agent import polkit_commands

    if options.write:
        return polkit_commands.write(options.config or DEFAULT_FILE, lambda: _load(options))
    show(polkit_commands.rule(_load(options)).rstrip("\n"))
    return 0


def _with_host(options: argparse.Namespace, question: Any) -> Any:
    """What `question(config, host, ever_good)` answers, on this host, with what the running agent knows of it."""
    config = _load(options)

    async def run() -> Any:
        async with LocalHost(config.state_dir, root=executor_at(config.executor_socket)) as host:
            ever_good = None
            with contextlib.suppress(LocalSocketError):  # no agent runs, or not ours to ask: nothing is known
                told = ask(config.socket, {"command": "known_good"}, ASK_S)
                host.known.good = msgspec.convert(told["known_good"], KnownGood)
                host.known.moved = msgspec.convert(told["moved"], dict[str, Endpoint])
                ever_good = frozenset(told["ever_good"])
            work: Coroutine[Any, Any, Any] = question(config, host, ever_good)
            return await work

    return asyncio.run(run())
