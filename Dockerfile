# Both stages use the same image, so that a venv built in the first runs in the second.
FROM python:3.13-slim AS build

WORKDIR /src
COPY constraints.txt pyproject.toml setup.cfg setup.py README.md LICENSE ./
COPY monotron ./monotron

# The venv is created at the path where it will run, because its scripts contain that path. It has no pip.
# Unchecked hashes keep the bytecode valid if a builder rewrites the files' times.
RUN python -m venv --without-pip /opt/monotron \
    && pip --python /opt/monotron/bin/python install \
        --no-cache-dir --no-compile --constraint constraints.txt '.[etcd]' \
    && python -m compileall -q --invalidation-mode unchecked-hash /opt/monotron/lib


FROM python:3.13-slim

COPY --from=build /opt/monotron /opt/monotron
ENV PATH=/opt/monotron/bin:$PATH

# The base image ships the standard library without bytecode, and at run time nothing may write it.
# So these imports compile what every subcommand and the health check need, and show that all can start.
RUN python -c "import monotron.health, monotron.json_lines; from monotron.cli import SUBCOMMANDS, subcommand; [*map(subcommand, SUBCOMMANDS)]"

# The id is a fixed number: Kubernetes checks a number for runAsNonRoot, and volumes keep their owner.
RUN groupadd --gid 10001 monotron \
    && useradd --no-log-init --uid 10001 --gid 10001 --no-create-home --home-dir /data \
        --shell /usr/sbin/nologin monotron \
    && install -d -m 0700 -o 10001 -g 10001 /data

# HOST is every address: what is published is decided outside the image.
ENV PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=8080 \
    STORAGE_DIR=/data

USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080

# It asks the port that the service listens on, whichever flag or variable sets it. Every 10 s, because
# Traefik routes to a new container only after the first check, which comes after one interval.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-I", "-m", "monotron.health"]

# `make image` adds the version, the commit and the repository.
LABEL org.opencontainers.image.title="Monotron" \
    org.opencontainers.image.description="The next number of a named series over HTTP: build numbers and version numbers for CI" \
    org.opencontainers.image.licenses="MIT"

ENTRYPOINT ["monotron"]
CMD ["serve"]
