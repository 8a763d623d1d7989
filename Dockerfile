# Two stages: the first builds wheels, the second holds only what runs.
FROM python:3.12-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md ./
COPY config config
COPY schemas schemas
COPY handlers handlers
COPY stores stores
COPY streams streams
COPY channels channels
COPY gateway gateway
COPY workers workers
RUN pip wheel --no-cache-dir --wheel-dir /wheels .

FROM python:3.12-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home fanfold
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-index --find-links /wheels /wheels/fanfold-*.whl && rm -rf /wheels
USER 10001
WORKDIR /tmp
ENV PYTHONUNBUFFERED=1 \
    FANFOLD_GATEWAY__HOST=0.0.0.0 \
    FANFOLD_METRICS__HOST=0.0.0.0
EXPOSE 8080 9400
# Every process, gateway or worker, tells its own health on the metrics port.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9400/healthz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["fanfold"]
CMD ["gateway"]
