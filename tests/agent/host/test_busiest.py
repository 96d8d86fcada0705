import asyncio
import contextlib
import sys

from guardian_agent.host.busiest import busiest


async def test_who_takes_most_of_the_processor_is_among_the_first() -> None:
    spinner = "import sys; sys.stdout.write('1'); sys.stdout.flush()\nwhile True: pass"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", spinner, "--token=x", stdout=pipe)
    try:
        assert process.stdout
        await process.stdout.read(1)
        found = {use.pid: use for use in await busiest(5)}
        use = found[process.pid]
        assert use.cpu_percent > 10 and use.status == "R" and use.argv[-1] == "--token=x"
        assert use.resident_bytes > 1_000_000 and use.name.startswith("python")
        assert len(found) <= 10
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
