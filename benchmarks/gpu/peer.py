"""What benchmarks/gpu has the peer's process do. Only there PyTorch is imported, and nothing of OpenCL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.gpu.work import Feeds, closed, feeds_of, layer_case, network_graph
from clconv.graph.ir import Graph

_peers: dict[tuple[Any, ...], Any] = {}


def peer_version(device: str) -> str:
    """What the peer is, once it has loaded the libraries that networks need, which takes a while."""
    from benchmarks.torch_peer import version

    for precision in ("float32", "float16"):
        peer_layer("1x1 96-24 56", 1, precision, device, 0.0, 8)
    return version()


def peer_network(
    name: str, size: int, batch: int, precision: str, device: str, least: float, channels_last: bool
) -> dict[str, float]:
    """Median seconds of a run, by how it is started; the peer stays for peer_outputs and peer_latency."""
    peer = _peer((name, size), precision, device, channels_last, lambda: network_graph(name, size))
    return dict(peer.times(feeds_of(closed(network_graph(name, size), batch)), least))


def peer_outputs(name: str, size: int, batch: int, precision: str, device: str) -> Feeds:
    peer = _peer((name, size), precision, device, False, lambda: network_graph(name, size))
    return dict(peer.outputs(feeds_of(closed(network_graph(name, size), batch))))


def peer_ceilings(device: str, side: int, copied: int) -> dict[str, float]:
    from benchmarks.torch_peer import ceilings

    return ceilings(device, side, copied)


def peer_latency(name: str, size: int, precision: str, device: str, runs: int) -> list[float]:
    peer = _peer((name, size), precision, device, False, lambda: network_graph(name, size))
    return list(peer.latency(feeds_of(closed(network_graph(name, size), 1)), runs))


def peer_layer(
    name: str, batch: int, precision: str, device: str, least: float, shrink: int = 1
) -> tuple[dict[str, float], Feeds]:
    graph, feeds = layer_case(name, batch, shrink).build()
    peer = _peer(("layer", name, batch), precision, device, False, lambda: graph)
    return dict(peer.times(feeds, least)), dict(peer.outputs(feeds))


def _peer(
    what: tuple[Any, ...],
    precision: str,
    device: str,
    channels_last: bool,
    graph: Callable[[], Graph],
) -> Any:
    from benchmarks.torch_peer import TorchPeer

    key = (*what, precision, device, channels_last)
    if key not in _peers:
        _peers.clear()
        _peers[key] = TorchPeer(graph(), precision, device, channels_last)
    return _peers[key]
