"""Units of systemd: the data plane, and what keeps its configuration true. Pure."""

from __future__ import annotations

from pathlib import Path

from latchpin_edge.kinds import Kind

__all__ = ["render_unit"]

_UNITS = """\
# /etc/systemd/system/latchpin-edge-watch.service
[Unit]
Description=Keeps the configuration of Latchpin's data plane true
After=network-online.target latchpin.service
Wants=network-online.target

[Service]
User=latchpin
Group=latchpin
WorkingDirectory=/var/lib/latchpin
EnvironmentFile=/etc/latchpin/latchpin.env
Environment=EDGE_FOLDER=/run/latchpin-edge
RuntimeDirectory=latchpin-edge
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
ExecStart=/opt/latchpin/bin/latchpin edge watch {kind} --output {output} --listen {listen}
Restart=always
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths={folder} /var/lib/latchpin /run/latchpin-edge

[Install]
WantedBy=multi-user.target

# /etc/systemd/system/latchpin-edge.service
[Unit]
Description=Latchpin's data plane
After=latchpin-edge-watch.service
Requires=latchpin-edge-watch.service

[Service]
User=latchpin
Group=latchpin
ExecStartPre=/bin/sh -c 'until test -s {output}; do sleep 1; done'
ExecStart=/usr/sbin/nginx -c {output} -g 'daemon off;'
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=/run/latchpin-edge
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
"""


def render_unit(kind: Kind, *, output: Path, listen: str) -> str:
    """Both units, to be split at their first lines; both run as Latchpin's user, so that it may tell the other."""
    return _UNITS.format(kind=kind.value, output=output, folder=output.parent, listen=listen)
