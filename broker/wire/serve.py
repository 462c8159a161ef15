# SPDX-License-Identifier: EUPL-1.2
"""The broker as a process: open, check, serve, and stop without losing what was begun."""

import asyncio
import functools
import ssl
from collections.abc import Sequence

import grpc
import structlog
from grpc_health.v1 import health as grpc_health
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from broker.app import Broker, make_broker
from broker.audit.checkpointer import Checkpointer
from broker.audit.projection import Projection
from broker.audit.witness_client import WitnessClient
from broker.cards import CardOffice
from broker.console.app import make_app
from broker.console.authzen import DecisionPoint
from broker.console.door import FROM_PROVIDER, make_console
from broker.console.oidc import IdentityProvider
from broker.console.pages import LogKeys
from broker.console.serve import Console
from broker.console.site import ConsoleParts
from broker.console.tiles import LogFiles
from broker.epochs import EpochKeeper, EpochOffice
from broker.keys import BrokerKeys
from broker.policy.active import install
from broker.retention.asking import Asker
from broker.retention.clock import TrustedClock
from broker.retention.keeper import Keeper
from broker.settings import BrokerSettings, WitnessSettings
from broker.storage.open import open_store
from broker.wire.audit_service import AuditService
from broker.wire.directory_service import DirectoryService
from broker.wire.exchange_service import ExchangeService
from broker.wire.followup_service import FollowUpService
from broker.wire.policy_service import PolicyService
from broker.wire.register_service import RegisterService
from sluis import __version__
from sluis.checkpoint import LOG_TYPES, WITNESS_TYPES, parse_vkeys
from sluis.errors import InvalidInput, SluisError
from sluis.events import configure_logs
from sluis.policy.bundle import default_directory, read_files
from sluis.rpc.process import run_until_signal, tls_of
from sluis.rpc.server import TlsFiles, bind, make_server, utc_now
from sluis.rpc.tap import WireTap
from sluis.v1 import (
    audit_pb2,
    audit_pb2_grpc,
    directory_pb2,
    directory_pb2_grpc,
    exchange_pb2,
    exchange_pb2_grpc,
    followup_pb2,
    followup_pb2_grpc,
    policy_pb2,
    policy_pb2_grpc,
    register_pb2,
    register_pb2_grpc,
)

log = structlog.get_logger("broker")

HEALTH_SECONDS = 1.0


def serve(settings: BrokerSettings) -> None:
    """Run until SIGTERM or SIGINT. Raises SluisError before it listens when something is missing or weak."""
    configure_logs("broker")
    run_until_signal(functools.partial(_serve, settings))


async def _serve(settings: BrokerSettings, stop: asyncio.Event) -> None:
    keys = BrokerKeys.load(settings.keys, settings.origin)
    files = read_files(settings.policies or default_directory())
    tls = tls_of(settings.keys)
    witnesses = [
        WitnessClient(item.url, parse_vkeys(item.vkeys, WITNESS_TYPES), verify=_witness_roots(item))
        for item in settings.witnesses
    ]
    store = open_store(settings.database)
    bundle = install(store, files, utc_now())
    CardOffice(store, utc_now).adopt()
    for epoch in EpochOffice(store, utc_now).adopt():
        log.info("epoch.adopted", epoch=epoch)
    broker = make_broker(store, bundle, keys.receipt, settings.origin, utc_now, stop.is_set)
    checkpointer = Checkpointer(store, keys.log, witnesses, utc_now, settings.checkpoint_seconds)
    server = make_server(WireTap(settings.wire_tap) if settings.wire_tap else None)
    health = grpc_health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    _add_services(server, broker)
    port = bind(server, settings.listen, tls)
    listeners = [
        *_decision_point(settings, broker, tls),
        *_console(settings, broker, _log_keys(settings, keys)),
    ]
    broker.desk.committer.start()
    await server.start()
    for listener in listeners:
        listener.start()
    tasks = [
        asyncio.create_task(checkpointer.run()),
        asyncio.create_task(Projection(store).run()),
        asyncio.create_task(_keeper(settings, broker).run()),
        asyncio.create_task(EpochKeeper(store, utc_now).run()),
        asyncio.create_task(_watch(health, broker, checkpointer)),
    ]
    log.info(
        "service.started",
        address=settings.listen,
        port=port,
        version=__version__,
        database=settings.database.split(":", 1)[0],
        policy=bundle.digest,
        origin=settings.origin,
        tap=bool(settings.wire_tap),
        http=settings.http_listen,
        console=settings.console_listen,
    )
    await stop.wait()
    log.info("service.stopping", grace=settings.grace_seconds)
    broker.doorbell.ring_all()
    await health.enter_graceful_shutdown()
    await asyncio.gather(*(listener.close() for listener in listeners))
    await server.stop(grace=settings.grace_seconds)
    await broker.desk.committer.close()
    await _end(tasks, checkpointer, witnesses)
    store.close()
    log.info("service.stopped")


def _decision_point(settings: BrokerSettings, broker: Broker, tls: TlsFiles) -> list[Console]:
    if not settings.http_listen:
        return []
    point = DecisionPoint(
        lambda: broker.desk.bundle,
        utc_now,
        url=settings.http_url or f"https://{settings.http_listen}",
        origin=settings.origin,
    )
    files = LogFiles(settings.origin, broker.store, broker.desk.directory, broker.desk.committer, utc_now)
    return [
        Console(
            make_app(point, files.routes()),
            settings.http_listen,
            certificate=tls.certificate,
            key=tls.key,
            roots=tls.roots,
            grace=settings.grace_seconds,
        )
    ]


def _console(settings: BrokerSettings, broker: Broker, log_keys: LogKeys) -> list[Console]:
    if not settings.console_listen:
        return []
    provider = None
    if settings.console_oidc:
        provider = IdentityProvider(settings.console_oidc, settings.console_address + FROM_PROVIDER)
    parts = ConsoleParts(
        store=broker.store,
        policy=broker.desk.policy,
        committer=broker.desk.committer,
        clock=utc_now,
        tls=settings.console_certificate is not None,
        keys=log_keys,
    )
    return [
        Console(
            make_console(parts, provider),
            settings.console_listen,
            certificate=settings.console_certificate,
            key=settings.console_key,
            grace=settings.grace_seconds,
            where="console_listen",
        )
    ]


def _log_keys(settings: BrokerSettings, keys: BrokerKeys) -> LogKeys:
    return LogKeys(
        log=[
            *(signer.vkey for signer in keys.log),
            *parse_vkeys(settings.earlier_log_vkeys, LOG_TYPES),
        ],
        witnesses=settings.witness_vkeys(),
    )


def _keeper(settings: BrokerSettings, broker: Broker) -> Keeper:
    desk, store = broker.desk, broker.store
    return Keeper(
        store=store,
        carrier=desk.committer,
        clock=utc_now,
        trusted=TrustedClock(store, settings.witness_vkeys()),
        prover=lambda: desk.prover,
        asker=Asker(signer=desk.signer, bundle=lambda: desk.bundle),
        zone=desk.bundle.zone,
        interval=settings.retention_seconds,
    )


def _witness_roots(witness: WitnessSettings) -> ssl.SSLContext | bool:
    if witness.roots is None:
        return True
    try:
        return ssl.create_default_context(cafile=witness.roots)
    except (OSError, ssl.SSLError):
        raise InvalidInput("malformed-config", "cannot read these roots", where=str(witness.roots)) from None


def _add_services(server: grpc.aio.Server, broker: Broker) -> None:
    desk, store = broker.desk, broker.store
    exchange = ExchangeService(broker.exchange, broker.matching, broker.mailbox, store, desk.signer, utc_now)
    exchange_pb2_grpc.add_ExchangeServiceServicer_to_server(exchange, server)
    register_pb2_grpc.add_RegisterServiceServicer_to_server(
        RegisterService(broker.registers, utc_now), server
    )
    followup_pb2_grpc.add_FollowUpServiceServicer_to_server(
        FollowUpService(broker.follow_ups, broker.follow_up_mailbox, utc_now), server
    )
    directory_pb2_grpc.add_DirectoryServiceServicer_to_server(DirectoryService(desk, store, utc_now), server)
    policy_pb2_grpc.add_PolicyServiceServicer_to_server(PolicyService(desk, store, utc_now), server)
    audit_pb2_grpc.add_AuditServiceServicer_to_server(AuditService(desk, store, utc_now), server)
    files = (exchange_pb2, followup_pb2, register_pb2, directory_pb2, policy_pb2, audit_pb2)
    names = [service.full_name for file in files for service in file.DESCRIPTOR.services_by_name.values()]
    reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)


async def _watch(health: grpc_health.aio.HealthServicer, broker: Broker, checkpointer: Checkpointer) -> None:
    """Serving while the database answers, its rules can be read, and the log continues its checkpoints."""
    serving: bool | None = None
    while True:
        try:
            await asyncio.to_thread(broker.store.ping)
            await asyncio.to_thread(broker.desk.policy.refresh)
            well = not checkpointer.broken
        except SluisError as error:
            well = False
            if serving is not False:
                log.error("storage.failed", code=error.code)
        if well != serving:
            if serving is False and well:
                log.info("storage.recovered")
            status = health_pb2.HealthCheckResponse
            await health.set("", status.SERVING if well else status.NOT_SERVING)
            serving = well
        await asyncio.sleep(HEALTH_SECONDS)


async def _end(
    tasks: Sequence[asyncio.Task[None]], checkpointer: Checkpointer, witnesses: Sequence[WitnessClient]
) -> None:
    """One last checkpoint over what was committed while stopping, then close."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    try:
        if not checkpointer.broken:
            await checkpointer.once()
    except SluisError as error:
        log.warning("checkpoint.failed", code=error.code, reason=error.message)
    for witness in witnesses:
        await witness.aclose()
