# One image per unit, each with no more than that unit needs: `make images`, or `docker build --target convert .`.
# docker and buildah build it. See docs/images.md.
ARG BASE=docker.io/library/debian:bookworm-slim

# Python as the distribution maintains it, and the user of every image. Manuals and translations of Debian's programs stay
# out, as in its slim image; licences stay.
FROM ${BASE} AS runtime
RUN printf 'path-exclude=/usr/share/%s/*\n' doc info locale man >/etc/dpkg/dpkg.cfg.d/docuelevate \
 && printf 'path-include=/usr/share/doc/*/copyright\n' >>/etc/dpkg/dpkg.cfg.d/docuelevate \
 && apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ca-certificates python3 tzdata \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /var/cache/debconf/*-old \
    /var/log/apt /var/log/dpkg.log /var/log/alternatives.log \
 && groupadd --gid 10001 docuelevate \
 && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /tmp --shell /usr/sbin/nologin docuelevate \
 && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
 && python3 -m venv --without-pip /opt/venv
WORKDIR /app
LABEL org.opencontainers.image.vendor="DocuElevate" org.opencontainers.image.licenses="Apache-2.0"
# The file system is meant to be read-only but for /tmp. One thread per process in Tesseract: more cost several times the
# processor time that they save.
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LANG=C.UTF-8 \
    HOME=/tmp \
    OMP_THREAD_LIMIT=1

# What installs packages and compiles; nothing of it gets into an image.
FROM runtime AS build
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv \
 && python3 -m venv /opt/pip
COPY pyproject.toml requirements.lock ./
COPY scripts/image-packages scripts/locked_requirements.py scripts/

FROM build AS common-packages
RUN scripts/image-packages s3

FROM build AS beyond-common
COPY --from=common-packages /packages /opt/venv

FROM beyond-common AS function-packages
RUN scripts/image-packages s3 otel function

FROM beyond-common AS beyond-function
COPY --from=function-packages /packages /opt/venv

FROM beyond-function AS database-packages
RUN scripts/image-packages s3 otel function database

FROM beyond-function AS convert-packages
RUN scripts/image-packages s3 otel function pdf convert

FROM beyond-function AS ocr-packages
RUN scripts/image-packages s3 otel function pdf ocr

FROM beyond-function AS enrich-packages
RUN scripts/image-packages s3 otel function enrich

FROM beyond-common AS web-packages
RUN scripts/image-packages s3 otel database web

# The command line, with the name and version that it is installed under.
FROM beyond-common AS migrate-packages
COPY README.md LICENSE ./
RUN python3 scripts/locked_requirements.py --build-system >/tmp/build-system.txt \
 && /opt/pip/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r /tmp/build-system.txt \
 && /opt/pip/bin/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir /tmp/wheel . \
 && /opt/pip/bin/pip --python /opt/venv/bin/python install --quiet --disable-pip-version-check --ignore-installed \
    --no-deps --no-compile --prefix /packages /tmp/wheel/*.whl \
 && test -x /packages/bin/docuelevate \
 && scripts/image-packages s3 database migrations cli

FROM build AS code
COPY functions /app/functions
COPY local /app/local
COPY shared /app/shared
COPY web /app/web
RUN python3 -m compileall -qq -j 0 --invalidation-mode unchecked-hash /app/functions /app/local /app/shared /app/web

FROM runtime AS common
COPY --from=common-packages /packages /opt/venv

FROM common AS function
COPY --from=function-packages /packages /opt/venv
EXPOSE 8080
CMD ["python", "-m", "shared.function_server"]

FROM function AS database-function
COPY --from=database-packages /packages /opt/venv

FROM database-function AS ingest
COPY --from=code /app/shared /app/shared
COPY --from=code /app/functions/__init__.py /app/functions/
COPY --from=code /app/functions/ingest /app/functions/ingest
ENV FUNCTION_TARGET=ingest FUNCTION_SOURCE=/app/functions/ingest/main.py
LABEL org.opencontainers.image.title="docuelevate-ingest" \
      org.opencontainers.image.description="Registers documents that were dropped into the bucket"
USER 10001:10001

FROM database-function AS record
COPY --from=code /app/shared /app/shared
COPY --from=code /app/functions/__init__.py /app/functions/
COPY --from=code /app/functions/record /app/functions/record
ENV FUNCTION_TARGET=record FUNCTION_SOURCE=/app/functions/record/main.py
LABEL org.opencontainers.image.title="docuelevate-record" \
      org.opencontainers.image.description="Archives events and keeps the state of documents"
USER 10001:10001

FROM database-function AS index
COPY --from=code /app/shared /app/shared
COPY --from=code /app/functions/__init__.py /app/functions/
COPY --from=code /app/functions/index /app/functions/index
ENV FUNCTION_TARGET=index FUNCTION_SOURCE=/app/functions/index/main.py
LABEL org.opencontainers.image.title="docuelevate-index" \
      org.opencontainers.image.description="Keeps the search entries of documents"
USER 10001:10001

FROM function AS enrich
COPY --from=enrich-packages /packages /opt/venv
COPY --from=code /app/shared /app/shared
COPY --from=code /app/functions/__init__.py /app/functions/
COPY --from=code /app/functions/enrich /app/functions/enrich
ENV FUNCTION_TARGET=enrich FUNCTION_SOURCE=/app/functions/enrich/main.py
LABEL org.opencontainers.image.title="docuelevate-enrich" \
      org.opencontainers.image.description="Extracts the metadata of documents"
USER 10001:10001

# Debian's packages come first where there are many: they change less often than ours.
FROM runtime AS ocr
ARG OCR_LANGUAGE_PACKAGES="tesseract-ocr-eng tesseract-ocr-deu tesseract-ocr-fra tesseract-ocr-spa"
# Only their data is wanted: the engine comes with the Python package.
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends tesseract-ocr-osd ${OCR_LANGUAGE_PACKAGES} \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /var/cache/debconf/*-old \
    /var/log/apt /var/log/dpkg.log /var/log/alternatives.log
COPY --from=common-packages /packages /opt/venv
COPY --from=function-packages /packages /opt/venv
COPY --from=ocr-packages /packages /opt/venv
COPY --from=code /app/shared /app/shared
COPY --from=code /app/functions/__init__.py /app/functions/
COPY --from=code /app/functions/ocr /app/functions/ocr
ENV FUNCTION_TARGET=ocr FUNCTION_SOURCE=/app/functions/ocr/main.py
EXPOSE 8080
CMD ["python", "-m", "shared.function_server"]
LABEL org.opencontainers.image.title="docuelevate-ocr" \
      org.opencontainers.image.description="Recognizes text in scans"
USER 10001:10001

# Text layout and fonts, for what is drawn without LibreOffice and with it.
FROM runtime AS convert-system
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 \
    fonts-dejavu-core fonts-liberation fonts-noto-core fonts-noto-color-emoji fonts-droid-fallback fonts-symbola \
    fonts-crosextra-carlito fonts-crosextra-caladea \
 && fc-cache --force --system-only \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /var/cache/debconf/*-old \
    /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/log/fontconfig.log
ENV FUNCTION_TARGET=convert FUNCTION_SOURCE=/app/functions/convert/main.py
EXPOSE 8080
CMD ["python", "-m", "shared.function_server"]

# Where a Gotenberg server converts office files.
FROM convert-system AS convert-gotenberg
COPY --from=common-packages /packages /opt/venv
COPY --from=function-packages /packages /opt/venv
COPY --from=convert-packages /packages /opt/venv
COPY --from=code /app/shared /app/shared
COPY --from=code /app/functions/__init__.py /app/functions/
COPY --from=code /app/functions/convert /app/functions/convert
ENV CONVERTER=gotenberg
LABEL org.opencontainers.image.title="docuelevate-convert-gotenberg" \
      org.opencontainers.image.description="Turns any document into a PDF, office files with the help of a Gotenberg server"
USER 10001:10001

FROM convert-system AS convert
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    libreoffice-writer libreoffice-calc libreoffice-impress libreoffice-math python3-uno \
 && fc-cache --force --system-only \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /var/cache/debconf/*-old \
    /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/log/fontconfig.log
COPY --from=common-packages /packages /opt/venv
COPY --from=function-packages /packages /opt/venv
COPY --from=convert-packages /packages /opt/venv
COPY --from=code /app/shared /app/shared
COPY --from=code /app/functions/__init__.py /app/functions/
COPY --from=code /app/functions/convert /app/functions/convert
LABEL org.opencontainers.image.title="docuelevate-convert" \
      org.opencontainers.image.description="Turns any document into a PDF"
USER 10001:10001

# The command line: migrations (`docuelevate migrate`, `alembic upgrade head`), first tokens, notifications of a bucket.
FROM common AS migrate
COPY --from=migrate-packages /packages /opt/venv
COPY alembic.ini ./
COPY --from=code /app/shared /app/shared
COPY --from=code /app/local /app/local
LABEL org.opencontainers.image.title="docuelevate-migrate" \
      org.opencontainers.image.description="Command line: migrations, tokens, notifications of a bucket"
USER 10001:10001
CMD ["docuelevate", "migrate"]

# The web server; `python -m web.sweep` in it is the sweep.
FROM common AS web
COPY --from=web-packages /packages /opt/venv
COPY --from=code /app/shared /app/shared
COPY --from=code /app/web /app/web
ENV HOST=0.0.0.0 PORT=8000
EXPOSE 8000
LABEL org.opencontainers.image.title="docuelevate-web" \
      org.opencontainers.image.description="Web server, HTTP API and sweep"
USER 10001:10001
CMD ["python", "-m", "web.server"]
