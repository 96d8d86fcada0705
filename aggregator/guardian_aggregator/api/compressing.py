"""Is an answer sent smaller than it is? (RFC 9110, 8.4 and 12.5.3)"""

from aiohttp import web

from guardian_aggregator.api.problems import Handler

LEAST_BYTES = 1024  # below, the headers are most of it


@web.middleware
async def compress(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Compresses what is worth it for a client that takes gzip. No answer repeats a token, so its length tells of
    none."""
    response = await handler(request)
    if isinstance(response, web.Response) and isinstance(response.body, bytes) and len(response.body) >= LEAST_BYTES:
        response.headers["Vary"] = "Accept-Encoding"
        if takes_gzip(request.headers.get("Accept-Encoding", "")):
            response.enable_compression(web.ContentCoding.gzip)
    return response


def takes_gzip(accepted: str) -> bool:
    """What the header says of gzip, or of any coding; aiohttp's own look takes `gzip;q=0` for a yes."""
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        coding, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((each.removeprefix("q=") for each in parameters if each.startswith("q=")), "1")
        try:
            weights[coding] = float(weight)
        except ValueError:
            weights[coding] = 0.0
    return weights.get("gzip", weights.get("*", 0.0)) > 0.0
