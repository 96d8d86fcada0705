"""What holds for every family of operations that only root can carry out."""

import os
from functools import partial
from typing import get_args, get_type_hints

import pytest

from guardian_agent.errors import ProbeError, RefusedOperationError
from guardian_agent.host.as_root import AsRoot
from guardian_agent.host.operations import RootOperation, WriteSysctl, kinds_of
from guardian_agent.host.questions import ReadStacks
from guardian_agent.host.units import LocalUnits


def test_each_operation_is_carried_out_by_what_is_made_for_it():
    hands = AsRoot(LocalUnits()).hands
    assert set(hands) == set(get_args(RootOperation))
    for kind, hand in hands.items():
        function = hand.func if isinstance(hand, partial) else hand
        assert kind in kinds_of(get_type_hints(function)["operation"])


async def test_who_is_not_root_does_nothing_and_tells_nothing(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    root = AsRoot(LocalUnits())
    with pytest.raises(RefusedOperationError, match="needs root"):
        await root.do(WriteSysctl("net.core.somaxconn", "4096"))
    with pytest.raises(ProbeError, match="only root can tell"):
        await root.ask(ReadStacks("web.service"))
