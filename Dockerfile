# ochn collector | forwarder. Nothing in the image is written at run time: all state is in /data, so it may run read-only.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OCHN_DATA_DIR=/data \
    OCHN_COLLECTOR__HOST=0.0.0.0

WORKDIR /srv/ochn

COPY . .
RUN pip install --no-cache-dir -c constraints.txt -e . \
    && python -m compileall -q base eventlog collector forwarder ochn \
    && useradd --system --uid 10001 --home-dir /data ochn \
    && install -d -o ochn -g ochn /data

USER 10001
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["scripts/healthy", "8080"]

ENTRYPOINT ["ochn"]
CMD ["collector"]
