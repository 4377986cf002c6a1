"""Run the front door: `python -m builder_service`, with the settings of the environment."""

from __future__ import annotations

import gc
import logging
import signal
import sys

import structlog
import uvicorn

from builder_service.app import create_app
from builder_service.hidden_tokens import HiddenTokens
from builder_service.services import open_services
from wheelyard.errors import InfrastructureError, WheelyardError
from wheelyard.settings import read_settings

_SWITCH_SECONDS = 0.0005
_GOODBYE_SECONDS = 5


def _write_log(hidden: HiddenTokens) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            hidden,
            # A traceback with every local variable, as is the default, would print tokens.
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
            if sys.stderr.isatty()
            else structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def main() -> int:
    """Serve until told to stop; an exit code of the documented ones."""
    # A thread that comes back from the database waits for this long while another one computes, and a
    # request comes back a dozen times.
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        settings = read_settings()
        _write_log(HiddenTokens(settings.token.get_secret_value()))
        services = open_services(settings)
        services.ledger.database.check()
    except WheelyardError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    logger = structlog.get_logger("front door")
    if not settings.token.get_secret_value():
        logger.warning("no token is set: whoever reaches this service may do everything", host=settings.host)
    for name, check in (("redis", services.events.check), ("store", services.store.check)):
        try:
            check()
        except InfrastructureError as error:
            # It may come up after us; until then /readyz says what is missing.
            logger.warning("a part is out", part=name, failed=error.failed, found=error.found, do=error.do)
    config = uvicorn.Config(
        create_app(settings, services=services),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        # Whoever follows a job holds a connection for hours; it reconnects to the next process.
        timeout_graceful_shutdown=_GOODBYE_SECONDS,
        server_header=False,
    )
    logger.info("listening", url=settings.effective_public_url, host=settings.host, port=settings.port)
    server = uvicorn.Server(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn repeats the signal when it has ended; that it ended as it was told to is no failure.
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    # What is loaded by now stays: a full collection would look at all of it, while every request waits.
    gc.collect()
    gc.freeze()
    server.run()
    services.tracer.close()
    services.ledger.database.close()
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main())
