# syntax=docker/dockerfile:1
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY requirements/server.txt requirements/server.txt
RUN python -m venv /opt/pointsman \
 && /opt/pointsman/bin/pip install --no-cache-dir --require-hashes -r requirements/server.txt
COPY pyproject.toml README.md LICENSE ./
COPY protos protos
COPY server server
COPY client client
COPY integrations integrations
RUN /opt/pointsman/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
COPY --from=build /opt/pointsman /opt/pointsman
ENV PATH=/opt/pointsman/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    POINTSMAN_LISTEN=0.0.0.0:50051 \
    POINTSMAN_METRICS_LISTEN=0.0.0.0:9464
USER 65532:65532
EXPOSE 50051 9464
ENTRYPOINT ["pointsman"]
CMD ["serve"]
