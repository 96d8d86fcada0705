"""A certificate authority for one run: short-lived P-256 certificates for the hub and the agents, made with openssl."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from tests.bed.commands import run

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, as PEM text."""

    certificate: str
    key: str


@dataclass(frozen=True)
class Authority:
    """An authority whose files are in a folder of the run."""

    folder: Path

    @property
    def certificate(self) -> str:
        return (self.folder / "ca.pem").read_text()

    @property
    def _signer(self) -> list[str]:
        return ["-CA", str(self.folder / "ca.pem"), "-CAkey", str(self.folder / "ca.key")]

    @classmethod
    async def create(cls, folder: Path, *, above: "Authority | None" = None) -> "Authority":
        """A new authority, signed by the one `above`, in a new folder. Raises FileExistsError when there is one."""
        await asyncio.to_thread(folder.mkdir, mode=0o700)
        files = ["-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.pem")]
        signer, name = ([], "Guardian bed") if above is None else (above._signer, "Guardian bed, intermediate")
        use = ["-days", "30", "-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        (await run("openssl", "req", "-x509", *NEW_KEY, *signer, *files, *use)).check()
        return cls(folder)

    async def issue(self, name: str, *alternatives: str, days: int = 30) -> Certificate:
        """A certificate for a host. `alternatives` as openssl writes them: `DNS:h1`, `IP:198.18.0.10`, `URI:…`."""
        key, pem = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        files = ["-keyout", str(key), "-out", str(pem), "-days", str(days), "-subj", f"/CN={name}"]
        extensions = [
            *("-addext", f"subjectAltName={','.join(alternatives or (f'DNS:{name}',))}"),
            *("-addext", "basicConstraints=critical,CA:FALSE"),
            *("-addext", "extendedKeyUsage=serverAuth,clientAuth"),
        ]
        (await run("openssl", "req", "-x509", *NEW_KEY, *self._signer, *files, *extensions)).check()
        return self.issued(name)

    async def expire(self, name: str) -> Certificate:
        """Signs again what was issued for `name`, as valid until yesterday."""
        pem, key, asked = (str(self.folder / f"{name}{suffix}") for suffix in (".pem", ".key", ".csr"))
        same = ["-copy_extensions", "copy"]
        (await run("openssl", "x509", "-x509toreq", "-in", pem, "-signkey", key, *same, "-out", asked)).check()
        (await run("openssl", "x509", "-req", "-in", asked, *self._signer, *same, "-days", "-1", "-out", pem)).check()
        return self.issued(name)

    def issued(self, name: str) -> Certificate:
        """What was issued for `name` last. Raises FileNotFoundError when nothing was."""
        return Certificate((self.folder / f"{name}.pem").read_text(), (self.folder / f"{name}.key").read_text())
