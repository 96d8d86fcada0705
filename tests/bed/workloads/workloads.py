"""What the hosts run for their users: nginx, redis, PostgreSQL, haproxy, dnsmasq from Debian, and the shop."""

import asyncio
from pathlib import Path

from tests.bed.certificates import Authority
from tests.bed.fleet import Fleet
from tests.bed.host import Host
from tests.bed.waiting import until

SHOP_SERVER = Path(__file__).with_name("shop_server.py").read_text()
TLS = "/etc/nginx/tls"
BEHAVIOURS = ("good", "crashes", "errors", "slow", "leaks", "latin1", "bad_json", "cut_gzip", "short_body")
UNITS = (
    *("nginx.service", "shop.service", "haproxy.service"),
    *("redis-server.service", "postgresql@15-main.service", "dnsmasq.service"),
)

SHOP_UNIT = """[Unit]
Description=The shop
RequiresMountsFor=/srv/shop/data
[Service]
Environment=PORT=8000
ExecStart=/usr/bin/python3 -I /usr/local/lib/shop/server.py
User=www-data
RuntimeDirectory=shop
[Install]
WantedBy=multi-user.target
"""
SHOP_DATA = """[Mount]
What=tmpfs
Where=/srv/shop/data
Type=tmpfs
Options=size=4m,nr_inodes=64,uid=33
"""
NGINX_TLS = f"""server {{
  listen 443 ssl default_server;
  root /var/www/html;
  index index.nginx-debian.html;
  ssl_certificate {TLS}/site.pem;
  ssl_certificate_key {TLS}/site.key;
  ssl_session_cache shared:site:1m;
}}
"""
HAPROXY = """defaults
  mode http
  timeout connect 500ms
  timeout client 30s
  timeout server 30s
frontend front
  bind *:8080
  default_backend shop
backend shop
  server shop 127.0.0.1:8000 check inter 200ms
"""
REDIS = """bind 0.0.0.0
protected-mode no
dir /var/lib/redis
save ""
"""
POSTGRESQL = "listen_addresses = '*'\nmax_connections = 20\nsuperuser_reserved_connections = 1\n"
POSTGRESQL_HBA = "local all all peer\nhost all all 198.18.0.0/15 trust\n"


async def run_everything(fleet: Fleet, host: Host, authority: Authority) -> None:
    """Lays down and starts every workload on a host, and nginx on the hub, which the shop asks.

    Raises:
        CommandError, TimeoutError: one of them did not start.
    """
    certificate = await authority.issue(f"site-{host.name}", f"DNS:{host.name}", f"IP:{host.address}", days=30)
    files = {
        "/usr/local/lib/shop/server.py": SHOP_SERVER,
        "/etc/systemd/system/shop.service": SHOP_UNIT,
        "/etc/systemd/system/srv-shop-data.mount": SHOP_DATA,
        "/etc/nginx/conf.d/tls.conf": NGINX_TLS,
        f"{TLS}/site.pem": certificate.certificate,
        f"{TLS}/site.key": certificate.key,
        "/etc/haproxy/haproxy.cfg": HAPROXY,
        "/etc/redis/redis.conf": REDIS,
        "/etc/postgresql/15/main/conf.d/bed.conf": POSTGRESQL,
        "/etc/postgresql/15/main/pg_hba.conf": POSTGRESQL_HBA,
        "/etc/dnsmasq.d/bed.conf": f"no-resolv\nlisten-address={host.address}\nbind-interfaces\n"
        f"address=/shop.bed/{host.address}\n",
        **{f"/srv/shop/releases/{behaviour}/behaviour": f"{behaviour}\n" for behaviour in BEHAVIOURS},
    }
    for path, content in files.items():
        await host.write_file(path, content)
    await host.must("ln", "-sfn", "releases/good", "/srv/shop/current")
    await host.must("chown", "postgres:", "/etc/postgresql/15/main/pg_hba.conf")
    await host.write_file("/etc/ssl/bed-ca.pem", authority.certificate)
    await fleet.hub.write_file("/etc/ssl/bed-ca.pem", authority.certificate)
    await host.must("systemctl", "daemon-reload")
    await asyncio.gather(
        host.must("systemctl", "restart", *UNITS, timeout_s=60), fleet.hub.must("systemctl", "start", "nginx")
    )
    await until(lambda: _serving(fleet.hub, host), f"everything on {host.name} serves", within_s=20)


async def _serving(hub: Host, host: Host) -> bool:
    questions = [
        ("curl", "-sfo", "/dev/null", "--max-time", "1", f"http://{host.address}:8080/"),
        ("curl", "-sfo", "/dev/null", "--max-time", "1", "--cacert", "/etc/ssl/bed-ca.pem", f"https://{host.address}/"),
        ("redis-cli", "-h", host.address, "ping"),
        ("psql", "-h", host.address, "-U", "postgres", "-qc", "select 1"),
    ]
    answers = await asyncio.gather(*(hub.exec(*question) for question in questions))
    return all(answer.ok for answer in answers)
