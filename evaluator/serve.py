# SPDX-License-Identifier: EUPL-1.2
"""An evaluator as a process: serve over mTLS, publish the domain keys in the broker's log, stop gracefully."""

import asyncio
import functools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import grpc
import structlog
from grpc_health.v1 import health as grpc_health
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from evaluator.budget import Budget
from evaluator.domains import Domains
from evaluator.service import PseudonymService, to_wire
from evaluator.settings import EvaluatorSettings
from evaluator.shares import EvaluatorShares
from sluis import __version__
from sluis.errors import SluisError
from sluis.events import configure_logs
from sluis.keylog import KeyPublication
from sluis.keys import KeyFolder
from sluis.policy.bundle import default_directory, load_bundle
from sluis.pseudonyms import PseudonymisationDomain
from sluis.rpc.channel import open_channel
from sluis.rpc.process import run_until_signal, tls_of
from sluis.rpc.server import bind, make_server, utc_now
from sluis.rpc.status import from_rpc_error
from sluis.rpc.tap import WireTap
from sluis.v1 import directory_pb2, directory_pb2_grpc, pseudonym_pb2, pseudonym_pb2_grpc

log = structlog.get_logger("evaluator")

SEED_SECONDS = 1.0


def serve(settings: EvaluatorSettings) -> None:
    """Run until SIGTERM or SIGINT. Raises SluisError before it listens when something is missing or weak."""
    configure_logs("evaluator")
    run_until_signal(functools.partial(_serve, settings))


async def _serve(settings: EvaluatorSettings, stop: asyncio.Event) -> None:
    keys = KeyFolder(path=settings.keys)
    signing = keys.signing()
    shares = EvaluatorShares.load(settings.seeds)
    bundle = load_bundle(settings.policies or default_directory())
    domains = Domains.load(bundle, settings.parties)
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    budget = Budget(settings.state / "budget.sqlite")

    @functools.lru_cache(maxsize=4096)
    def publication(domain: PseudonymisationDomain) -> KeyPublication:
        return shares.publication(domain, signing_key=signing, created_at_ms=int(time.time() * 1000))

    executor = ThreadPoolExecutor(max_workers=settings.threads, thread_name_prefix="evaluate")
    service = PseudonymService(
        domains=domains,
        shares=shares,
        budget=budget,
        daily_budget=settings.daily_budget,
        publications=publication,
        executor=executor,
        clock=utc_now,
    )
    server = make_server(WireTap(settings.wire_tap) if settings.wire_tap else None)
    pseudonym_pb2_grpc.add_PseudonymServiceServicer_to_server(service, server)
    health = grpc_health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    name = pseudonym_pb2.DESCRIPTOR.services_by_name["PseudonymService"].full_name
    reflection.enable_server_reflection([name, reflection.SERVICE_NAME], server)
    port = bind(server, settings.listen, tls_of(settings.keys))
    await server.start()
    await health.set("", health_pb2.HealthCheckResponse.SERVING)
    log.info(
        "service.started",
        address=settings.listen,
        port=port,
        version=__version__,
        policy=bundle.digest,
        tap=bool(settings.wire_tap),
    )
    publishing = asyncio.create_task(_follow_seeds(settings, domains, shares, publication))
    await stop.wait()
    log.info("service.stopping")
    publishing.cancel()
    await health.enter_graceful_shutdown()
    await server.stop(grace=5)
    executor.shutdown()
    budget.close()
    log.info("service.stopped")


async def _follow_seeds(
    settings: EvaluatorSettings,
    domains: Domains,
    shares: EvaluatorShares,
    publication: Callable[[PseudonymisationDomain], KeyPublication],
) -> None:
    """Publish the keys of every epoch, and again when the file of seeds has changed: no restart is needed."""
    published: set[str] = set()
    while True:
        due = [epoch for epoch in shares.epochs if epoch not in published]
        if due:
            await _publish_keys(settings, domains, due, publication)
            published.update(due)
        await asyncio.sleep(SEED_SECONDS)
        try:
            if await asyncio.to_thread(shares.reload, settings.seeds):
                log.info("seeds.changed", epochs=list(shares.epochs))
                published &= set(shares.epochs)
        except SluisError as error:
            log.error("seeds.unreadable", code=error.code)


async def _publish_keys(
    settings: EvaluatorSettings,
    domains: Domains,
    epochs: Sequence[str],
    publication: Callable[[PseudonymisationDomain], KeyPublication],
) -> None:
    """Enter every domain key of these epochs into the broker's log; keep trying until the broker has them all."""
    if not settings.broker:
        return
    due = [
        PseudonymisationDomain(agreement=agreement, recipient=recipient, epoch=epoch)
        for agreement, recipient in domains.recipients()
        for epoch in epochs
    ]
    channel = open_channel(settings.broker, tls_of(settings.keys), server_name=settings.broker_name)
    stub = directory_pb2_grpc.DirectoryServiceStub(channel)
    while due:
        domain = due[0]
        try:
            request = directory_pb2.PublishDomainKeyRequest(publication=to_wire(publication(domain)))
        except SluisError:
            due.pop(0)  # its seed was destroyed meanwhile
            continue
        try:
            await stub.PublishDomainKey(request, timeout=10)
        except grpc.aio.AioRpcError as error:
            failure: SluisError = from_rpc_error(error)
            log.warning("key.publishing-failed", code=failure.code)
            await asyncio.sleep(1)
            continue
        log.info("key.published", agreement=domain.agreement, recipient=domain.recipient, epoch=domain.epoch)
        due.pop(0)
    await channel.close()
