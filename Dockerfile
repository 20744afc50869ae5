# One image for every role: compose.yaml says which role each container runs.
FROM python:3.12-slim

WORKDIR /srv/tidegate
COPY pyproject.toml requirements-uv.lock requirements.lock ./
COPY deploy/install.sh deploy/
COPY migrations migrations
COPY tidegate tidegate
RUN PYTHON=python3 sh deploy/install.sh .venv requirements.lock \
    && rm -rf ~/.cache \
    && useradd --system --uid 10001 --no-create-home --home-dir /data tidegate \
    && install -d -m 0700 -o tidegate -g tidegate /data

ENV PATH=/srv/tidegate/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TIDEGATE_DATA_DIR=/data \
    TIDEGATE_HOST=0.0.0.0
USER tidegate
EXPOSE 8000
ENTRYPOINT ["tidegate"]
CMD ["up"]
