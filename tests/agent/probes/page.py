"""The page about all probes, made of the probes themselves: `python -m tests.agent.probes.page`."""

import inspect
import sys
from pathlib import Path

import msgspec

from guardian_agent.model import FROM_BELOW, Layer
from guardian_agent.probes import PROBES, Probe

PAGE = Path(__file__).parents[3] / "docs/probes.md"

HEAD = """# What Guardian looks at

Made of the code by `python -m tests.agent.probes.page`; not to be edited.

Every question is a probe. Those about the **host** need no configuration: uplink, gateway, addresses, routes and
resolver are discovered, and compared with what they were when all was good (`guardian-agent status` shows it;
`guardian-agent learn` says that what is there now was meant). Those about a **component** are asked of what the
component declares. An event of the kernel or of systemd only brings the next look forward; without one, the interval is
the bound.

`[probes.ID]` sets `enabled`, `interval_s`, `timeout_s`, `fall` (bad looks in a row that make it failing), `rise` (good
ones that end that), `confirm_interval_s`, and the options of its own that the table names.

A probe that was never good on a host owns nothing there: a gateway that does not answer echo requests is no incident.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for layer in sorted(Layer, key=FROM_BELOW.index):
        of_layer = [probe for probe in PROBES if probe.layer == layer]
        if of_layer:
            number = "" if layer == Layer.HOST else f"Layer {int(layer)}: "
            parts += [f"## {number}{layer.name.lower().replace('_', ' ')}\n", *map(_about, of_layer)]
    return "\n".join(parts)


def _about(probe: type[Probe]) -> str:
    module, schedule = inspect.getmodule(probe), probe.schedule
    question = (inspect.getdoc(module) or "").partition(":")[2].strip()
    says = (inspect.getdoc(probe) or "").replace("\n", " ").replace("  ", "\n\n")
    fields = {field.name: field for field in msgspec.structs.fields(probe)}
    options = [f"`{name}` (default {_default(fields[name])})" for name in probe.options]
    facts = [
        f"every {schedule.interval_s:g} s, limit {schedule.timeout_s:g} s, fall {schedule.fall}, rise {schedule.rise}",
        f"says {', '.join(f'`{issue}`' for issue in probe.issue_types)}",
        *([f"options: {', '.join(options)}"] if options else []),
    ]
    return f"### `{probe.probe_id()}`: {question}\n\n{says}\n\n" + "".join(f"- {fact}\n" for fact in facts)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default is msgspec.NODEFAULT:
        return "none" if field.default_factory is msgspec.NODEFAULT else str(field.default_factory())
    return "none" if field.default in (None, (), "") else str(field.default)


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.exit(0)
