"""The names of what the API tells by number."""

LAYERS = {
    1: "1 physical",
    2: "2 data link",
    3: "3 network",
    4: "4 transport",
    5: "5 session",
    6: "6 presentation",
    7: "7 application",
    8: "host",
}


def layer_name(number: int) -> str:
    """A layer as it is spoken of; 8 is the host itself."""
    return LAYERS.get(number, str(number))
