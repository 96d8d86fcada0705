"""Which ladders does the operator write, and what is wrong with them?"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from guardian_toml import Document, KeyPath, nearest, shown

Heals = Mapping[str, Collection[str]]  # by playbook; nothing: it only observes
Ladders = Mapping[str, Sequence[str]]  # by issue type


def ladders(
    document: Document, playbooks: Collection[str], issue_types: Collection[str], heals: Heals
) -> dict[str, tuple[str, ...]]:
    """The table `[ladders]`; what is wrong with it is noted in the document.

    `playbooks` may be named; `heals` has what is known of them.
    """
    found = document.convert(dict[str, tuple[str, ...]], ("ladders",)) or {}
    for issue_type, rungs in found.items():
        path: KeyPath = ("ladders", issue_type)
        if issue_type not in issue_types:
            text = f"no probe reports {shown(issue_type)}{choices(issue_type, issue_types)}"
            document.problem(("ladders",), text, at=path)
        for index, playbook in enumerate(rungs):
            if playbook not in playbooks:
                document.problem((*path, index), f"no playbook {shown(playbook)}{choices(playbook, playbooks)}")
            elif playbook in rungs[:index]:
                text = f"{playbook} is item {rungs.index(playbook) + 1} already, and a rung is tried once"
                document.problem((*path, index), text)
            elif not heals.get(playbook, "unknown"):
                document.problem((*path, index), f"{playbook} only observes, beside every ladder; remove it here")
    return found


def notices(
    document: Document, found: Ladders, heals: Heals, *, declared: Collection[str], default: Ladders
) -> Iterator[str]:
    """What is allowed in ladders and perhaps not meant, a line each.

    `declared`: the playbooks of the operator's own; `default`: the ladders where none is written.

    An issue type that is no playbook's but the operator's may have any: nobody else can say that they heal it.
    """
    well_known = {issue for playbook, issues in heals.items() if playbook not in declared for issue in issues}
    for issue_type, rungs in found.items():
        path: KeyPath = ("ladders", issue_type)
        if not rungs:
            yield document.said(path, f"is empty: nothing is tried for {issue_type}, and a human is called at once")
        for index, playbook in enumerate(rungs):
            remedies = heals.get(playbook, (issue_type,))
            if issue_type in remedies or playbook in default.get(issue_type, ()):
                continue
            if issue_type in well_known or playbook in declared:
                text = f"{playbook} does not heal {issue_type}; it heals {', '.join(remedies)}"
                yield document.said((*path, index), text)


def never_tried(
    document: Document, found: Ladders, heals: Heals, *, declared: Collection[str], default: Ladders
) -> Iterator[str]:
    """Playbooks that no ladder has for what they heal, a line each. One of somebody else's gets by itself onto the
    ladder of an issue type that has none, and onto no other.

    An operator says of each declared one what it is for; of one that a package brought, only whether it is tried.
    """
    whole = {**default, **found}
    somewhere = {playbook for rungs in (*default.values(), *found.values()) for playbook in rungs}
    for playbook, remedies in heals.items():
        missing = [issue for issue in remedies if issue in whole and playbook not in whole[issue]]
        if playbook in declared:
            for issue in missing:
                rungs = ", ".join(map(shown, (*whole[issue], playbook)))
                text = f"is never tried for {issue}, whose ladder has it not; [ladders] {issue} = [{rungs}] would"
                yield document.said(("playbooks", playbook, "heals", list(remedies).index(issue)), text)
        elif missing == list(remedies) != [] and playbook not in somewhere:
            text = f"is never tried: no ladder has it, of {', '.join(missing)}; name it under [ladders]"
            yield document.said(("playbooks", playbook), text)


def choices(word: str, known: Collection[str]) -> str:
    """The known word that is most like `word`, or all that there are."""
    return nearest(word, known) or f"; there are: {', '.join(sorted(known)) or 'none'}"
