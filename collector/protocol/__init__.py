"""HTTP/1.1 as the collector speaks it, under uvicorn's loop, sockets and signals (docs/decisions/0005-fast-lane.md)."""

from collector.protocol.connection import Connection, build_protocol

__all__ = ["Connection", "build_protocol"]
