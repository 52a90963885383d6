# syntax=docker/dockerfile:1
# By tag, so that a rebuild takes Debian's security fixes; a release pins the digest that it was
# tested with: --build-arg BASE=python:3.11-slim-bookworm@sha256:...
ARG BASE=python:3.11-slim-bookworm

# The wheel, with a tool chain that the image does not carry.
FROM ${BASE} AS build
WORKDIR /src
COPY requirements/build.txt requirements/server.txt requirements/
RUN python -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt \
 && python -m venv --without-pip /opt/pointsman \
 && /opt/build/bin/pip --python /opt/pointsman/bin/python \
      install --no-cache-dir --require-hashes -r requirements/server.txt
COPY pyproject.toml README.md LICENSE ./
COPY protos protos
COPY server server
COPY client client
COPY integrations integrations
COPY packages packages
RUN /opt/build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist \
      . ./packages/pointsman-semantic \
 && /opt/build/bin/pip --python /opt/pointsman/bin/python \
      install --no-cache-dir --no-deps --no-index /dist/*.whl

# The runtime: the base's Python and one virtual environment without pip.
FROM ${BASE}
LABEL org.opencontainers.image.title="pointsman" \
      org.opencontainers.image.description="Decides which language model should serve a prompt." \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/pointsman /opt/pointsman
# Reachable from outside the container. Without TLS, this requires POINTSMAN_PLAINTEXT_BEYOND_LOOPBACK.
# The admin listener stays inside, like the health check.
ENV PATH=/opt/pointsman/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    POINTSMAN_LISTEN=0.0.0.0:50051 \
    POINTSMAN_METRICS_LISTEN=0.0.0.0:9464
USER 65532:65532
EXPOSE 50051 9464
# The admin address: peers can fill the connections of the first one.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["pointsman", "health", "--address", "127.0.0.1:50052"]
ENTRYPOINT ["pointsman"]
CMD ["serve"]
