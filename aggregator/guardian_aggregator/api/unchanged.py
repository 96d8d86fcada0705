"""Has an answer changed since the client had it? (RFC 9110, 8.8.3, 13.1.2 and 15.4.5)"""

from hashlib import blake2b

from aiohttp import ETag, web

from guardian_aggregator.api.problems import Handler

_TAG_BYTES = 12
KEPT_BY_ITS_CLIENT = "private, no-cache"
"""Only the client itself may keep an answer, and asks each time whether it still holds."""


@web.middleware
async def tell_unchanged(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tags what is answered as JSON with a hash of it, and says 304 to a client that names that tag.

    Weak, since the same answer is sent compressed and not. What is never the same twice (metrics) has no tag.
    """
    response = await handler(request)
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        return response
    if response.status != web.HTTPOk.status_code or response.content_type != "application/json":
        return response
    tag = ETag(blake2b(response.body, digest_size=_TAG_BYTES).hexdigest(), is_weak=True)
    if any(known.value in {tag.value, "*"} for known in request.if_none_match or ()):
        response = web.Response(status=web.HTTPNotModified.status_code)
    response.etag = tag
    response.headers["Cache-Control"] = KEPT_BY_ITS_CLIENT
    response.headers["Vary"] = "Accept-Encoding"
    return response
