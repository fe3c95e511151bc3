# One image for every process: `serve`, `worker`, `migrate` and the rest of the command line.
FROM python:3.13-slim AS build
RUN python -m venv /opt/careline
COPY requirements.lock requirements-otel.lock /opt/
# Whatever is not what the lock says, by its hash, is not installed.
RUN /opt/careline/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
    -r /opt/requirements.lock -r /opt/requirements-otel.lock
COPY api /srv/careline/api
COPY domain /srv/careline/domain
COPY jobs /srv/careline/jobs
RUN /opt/careline/bin/python -m compileall -q /srv/careline

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin careline
COPY --from=build /opt/careline /opt/careline
COPY --from=build /srv/careline /srv/careline
WORKDIR /srv/careline
ENV PATH=/opt/careline/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    CARELINE_PROFILE=production \
    CARELINE_LOG=json \
    CARELINE_HOST=0.0.0.0 \
    CARELINE_PORT=8000 \
    CARELINE_METRICS_PORT=9100
USER 10001
# 8000 of `serve`; 9100 of a worker, for its health and figures.
EXPOSE 8000 9100
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "api"]
CMD ["serve"]
