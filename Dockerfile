# SPDX-License-Identifier: EUPL-1.2
# One image for broker, evaluator and witness; which one it is, the command says.
FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /opt/sluis
COPY pyproject.toml README.md LICENSE ./
COPY policies policies
COPY sluis sluis
COPY adapters adapters
COPY broker broker
COPY evaluator evaluator
COPY witness witness
COPY demo demo
RUN /opt/sluis/bin/pip install --no-cache-dir --disable-pip-version-check ".[broker,evaluator,witness]" \
    && /opt/sluis/bin/pip uninstall --yes --quiet pip

FROM python:3.12-slim
# A user of no other use, without a shell; secrets on the host belong to this number.
RUN groupadd --system --gid 10001 sluis \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin sluis \
    && install --directory --owner sluis --group sluis --mode 0700 /var/lib/sluis
COPY --from=build /opt/sluis /opt/sluis
COPY deploy/health.py /opt/sluis/health.py
ENV PATH=/opt/sluis/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GRPC_VERBOSITY=ERROR
USER 10001:10001
WORKDIR /var/lib/sluis
STOPSIGNAL SIGTERM
ENTRYPOINT ["sluis"]
CMD ["--help"]
