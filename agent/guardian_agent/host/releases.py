"""Where does the link to a component's current release lead?"""

import posixpath


def place_of(current: str, target: str) -> str:
    """The path that a link at `current` leads to when it says `target`, "." and ".." taken out."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(current), target))


def leads_into(folder: str, current: str, target: str) -> bool:
    """Whether the link, when it says `target`, leads to something within the folder of the releases, by its words
    alone.

    A ".." behind a name could step out of wherever that name is a link to, and is not believed.
    """
    names = [part for part in target.split("/") if part not in ("", ".")]
    down = [at for at, part in enumerate(names) if part != ".."]
    climbs = ".." in (names if target.startswith("/") else names[down[0] :] if down else [])
    return not climbs and "\0" not in target and place_of(current, target).startswith(f"{folder.rstrip('/')}/")
