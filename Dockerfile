# The image holds the service alone; the database is a PostgreSQL of your own (see compose.yaml).

FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /service
COPY requirements.lock /source/
# Before the source, so that a change of the source does not install everything again.
RUN /service/bin/pip install --require-hashes --no-deps --only-binary :all: -r /source/requirements.lock
COPY . /source
# The lock has the build tools too; they stay behind in this stage.
RUN /service/bin/pip install --no-deps --no-index --no-build-isolation /source \
    && /service/bin/pip uninstall --yes setuptools wheel pip

FROM python:3.13-slim
LABEL org.opencontainers.image.title="Knooppunt" \
      org.opencontainers.image.licenses="EUPL-1.2" \
      org.opencontainers.image.source="https://github.com/knooppunt/knooppunt"
RUN useradd --system --uid 10001 --create-home --home-dir /home/knooppunt knooppunt
COPY --from=build /service /service
ENV PATH=/service/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8000 \
    DATA_FOLDER=/home/knooppunt/data
USER knooppunt
WORKDIR /home/knooppunt
EXPOSE 8000
# /readyz asks the database too, so a container that lost it gets no traffic.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/readyz', timeout=4)"]
CMD ["knooppunt", "serve"]
