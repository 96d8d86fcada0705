"""What others would have to run for the same looks: Monit, or Prometheus's node exporter and blackbox exporter.

Both are told to look at what Guardian's components declare, every few seconds, and at what it asks of a host by itself.
"""

from dataclasses import dataclass
from pathlib import Path

from tests.bed.cache import Layer, Progress, hash_of, ready
from tests.bed.commands import run
from tests.bed.host import Host
from tests.bed.image import SUITE
from tests.bed.spawned import Spawned
from tests.bed.waiting import until

SCRAPE = Path(__file__).with_name("scrape.py").read_text()

MONIT_UNIT = "monit.service"
NODE, BLACKBOX = "prometheus-node-exporter", "prometheus-blackbox-exporter"
EXPORTERS = (NODE, BLACKBOX)
NODE_PORT, BLACKBOX_PORT = 9100, 9115
UNITS = "(nginx|shop|haproxy|redis-server|postgresql@15-main|dnsmasq).service"
UNPACK = 'for package in "$1"/*.deb; do dpkg -x "$package" "$1"; rm "$package"; done'
MODULES = """modules:
  http: {prober: http, timeout: 1s}
  https: {prober: http, timeout: 1s, http: {tls_config: {ca_file: /etc/ssl/bed-ca.pem}}}
  tcp: {prober: tcp, timeout: 1s}
  ping: {prober: icmp, timeout: 1s}
  name: {prober: dns, timeout: 1s, dns: {query_name: shop.bed, query_type: A}}
"""


def monit_control(host: Host, hub: Host, every_s: int) -> str:
    """The control file: what Monit can ask of what Guardian asks."""
    return f"""set daemon {every_s}
set log syslog
set idfile /var/lib/monit/id
set statefile /var/lib/monit/state

check system {host.name}
  if cpu usage > 95% for 10 cycles then alert
  if memory usage > 95% for 10 cycles then alert
check filesystem root with path /
  if space usage > 95% then alert
  if inode usage > 95% then alert
check filesystem data with path /srv/shop/data
  if space usage > 95% then alert
  if inode usage > 95% then alert
check network uplink with interface host0
  if failed link then alert
check host gateway with address {host.network.gateway}
  if failed ping with timeout 1 seconds then alert
check host hub with address {hub.address}
  if failed port 80 with timeout 1 seconds then alert
check process nginx with pidfile /run/nginx.pid
  if failed port 80 protocol http with timeout 1 seconds then alert
  if failed port 443 protocol https and certificate valid > 7 days with timeout 1 seconds then alert
check file nginx_binary with path /usr/sbin/nginx
  if changed checksum then alert
check file page with path /var/www/html/index.nginx-debian.html
  if changed checksum then alert
check process shop matching "/usr/local/lib/shop/server.py"
  if failed port 8000 protocol http with timeout 1 seconds then alert
check file beat with path /run/shop/beat
  if timestamp > 1 minute then alert
check process haproxy with pidfile /run/haproxy.pid
  if failed port 8080 protocol http with timeout 1 seconds then alert
check file haproxy_cfg with path /etc/haproxy/haproxy.cfg
  if changed checksum then alert
check process redis matching "redis-server"
  if failed port 6379 protocol redis with timeout 1 seconds then alert
check process postgresql matching "/usr/lib/postgresql/15/bin/postgres"
  if failed port 5432 protocol pgsql with timeout 1 seconds then alert
check process dnsmasq with pidfile /run/dnsmasq/dnsmasq.pid
  if failed host {host.address} port 53 type udp protocol dns with timeout 1 seconds then alert
"""


async def start_monit(host: Host, hub: Host, every_s: int) -> None:
    """Raises CommandError when it does not take its control file."""
    await host.write_file("/etc/monit/monitrc", monit_control(host, hub, every_s), mode="0600")
    await host.must("monit", "-t")
    await host.must("systemctl", "restart", MONIT_UNIT)


async def exporters(progress: Progress) -> Path:
    """The folder of both exporters as Debian builds them, fetched by apt once. Raises CommandError when it cannot."""

    async def build(folder: Path, lock: int) -> None:
        argv = ["env", "-C", str(folder), "apt-get", "download", "-q", *EXPORTERS]
        (await run(*argv, timeout_s=120, pass_fds=(lock,))).check()
        (await run("sh", "-euc", UNPACK, "sh", str(folder), pass_fds=(lock,))).check()

    return await ready(Layer("exporters", hash_of(SUITE, *EXPORTERS), build), progress)


@dataclass
class Exporters:
    """Both exporters on a host, and on the hub a loop that scrapes them."""

    scraper: Spawned
    urls: int

    @classmethod
    async def start(cls, host: Host, hub: Host, every_s: float, folder: Path) -> "Exporters":
        """Raises CommandError, TimeoutError: one did not start, or is not to be scraped."""
        for name in EXPORTERS:
            await host.write_file(f"/usr/local/bin/{name}", (folder / "usr/bin" / name).read_bytes(), mode="0755")
        await host.write_file("/etc/blackbox.yml", MODULES)
        arguments = {
            NODE: ("--collector.systemd", f"--collector.systemd.unit-include={UNITS}"),
            BLACKBOX: ("--config.file=/etc/blackbox.yml",),
        }
        for name, words in arguments.items():
            await host.must("systemd-run", "--quiet", "--collect", f"--unit={name}", f"/usr/local/bin/{name}", *words)
        probes = {
            "http": ("http://127.0.0.1/", "http://127.0.0.1:8000/", "http://127.0.0.1:8080/"),
            "https": (f"https://{host.address}/",),
            "tcp": ("127.0.0.1:6379", "127.0.0.1:5432", f"{hub.address}:80"),
            "ping": (host.network.gateway,),
            "name": (host.address,),
        }
        probed = [
            f"http://{host.address}:{BLACKBOX_PORT}/probe?module={module}&target={target}"
            for module, targets in probes.items()
            for target in targets
        ]
        urls = [f"http://{host.address}:{NODE_PORT}/metrics", *probed]
        begun = cls(hub.spawn("python3", "-I", "-c", SCRAPE, str(every_s), *urls), len(urls))

        async def whole_round_is_good() -> bool:
            return not begun.failures() and len(begun.scraper.lines()) >= len(urls)

        await until(whole_round_is_good, "every exporter is scraped", within_s=20)
        return begun

    def failures(self) -> list[str]:
        """The scrapes of the last rounds that were not answered, or whose probe failed."""
        return [line for line in self.scraper.lines()[-3 * self.urls :] if not line.startswith(("200 1", "200 -"))]
