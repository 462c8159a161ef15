# SPDX-License-Identifier: EUPL-1.2
"""The peer: `openmined-psi` on the same sets, server and client as processes of their own.

    python bench/psi_peer.py --clients 100000 --deposits 10000000 --hits 100 --rate 0.00000001

Runs in an environment that holds openmined-psi alone, so it imports nothing of ours. The server's set is given to it in
the clear: that is how private set intersection works. Prints JSON.
"""

import argparse
import json
import multiprocessing
import time
from multiprocessing.connection import Connection


def client_number(number: int) -> str:
    """A client, and a subject of a signal when it is a hit."""
    return f"{number:012}"


def deposit_number(number: int) -> str:
    """A subject of a signal that is nobody's client."""
    return f"9{number:011}"


def peak_mb() -> float:
    """The highest resident memory of this process so far."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def serve(wire: Connection, clients: int, deposits: int, hits: int, rate: float) -> None:
    """Set up over the store, then answer one request."""
    import private_set_intersection.python as psi  # type: ignore[import-not-found]  # not in this environment

    every = clients // hits
    items = [client_number(1 + every * place) for place in range(hits)]
    items += [deposit_number(number) for number in range(deposits - hits)]
    started, cpu = time.perf_counter(), time.process_time()
    server = psi.server.CreateWithNewKey(True)
    setup = server.CreateSetupMessage(rate, clients, items, psi.DataStructure.GCS)
    wire.send(setup.SerializeToString())
    seconds, setup_cpu = time.perf_counter() - started, time.process_time() - cpu
    del items
    request = psi.Request()
    request.ParseFromString(wire.recv())
    started, cpu = time.perf_counter(), time.process_time()
    response = server.ProcessRequest(request)
    answer = time.perf_counter() - started
    wire.send(response.SerializeToString())
    wire.send(
        {
            "setup_seconds": seconds,
            "setup_cpu_seconds": setup_cpu,
            "answer_seconds": answer,
            "server_cpu_seconds": time.process_time() - cpu,
            "server_mb": peak_mb(),
        }
    )


def ask(wire: Connection, clients: int) -> dict[str, object]:
    """Ask for the intersection, as the client."""
    import private_set_intersection.python as psi

    items = [client_number(number) for number in range(1, clients + 1)]
    setup_bytes = wire.recv()
    client = psi.client.CreateWithNewKey(True)
    started, cpu = time.perf_counter(), time.process_time()
    request = client.CreateRequest(items).SerializeToString()
    request_seconds = time.perf_counter() - started
    wire.send(request)
    response_bytes = wire.recv()
    started = time.perf_counter()
    setup, response = psi.ServerSetup(), psi.Response()
    setup.ParseFromString(setup_bytes)
    response.ParseFromString(response_bytes)
    found = client.GetIntersection(setup, response)
    intersection_seconds = time.perf_counter() - started
    return {
        "hits": len(found),
        "request_seconds": request_seconds,
        "intersection_seconds": intersection_seconds,
        "setup_bytes": len(setup_bytes),
        "request_bytes": len(request),
        "response_bytes": len(response_bytes),
        "client_cpu_seconds": time.process_time() - cpu,
        "client_mb": peak_mb(),
        **wire.recv(),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--deposits", type=int, required=True)
    parser.add_argument("--hits", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    given = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    server = context.Process(target=serve, args=(far, given.clients, given.deposits, given.hits, given.rate))
    server.start()
    print(json.dumps(ask(near, given.clients)))
    server.join()


if __name__ == "__main__":
    main()
