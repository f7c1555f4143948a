# syntax=docker/dockerfile:1
# One image for every process; deploy/entrypoint.sh chooses which one it is.

FROM python:3.11-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential default-libmysqlclient-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/ /build/requirements/
RUN pip install --no-cache-dir --require-hashes -r /build/requirements/production.txt

FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libmariadb3 tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /home/copydesk copydesk \
    && install --directory --owner=copydesk --group=copydesk --mode=0700 /var/lib/copydesk
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    VAR_DIR=/var/lib/copydesk \
    STATIC_ROOT=/opt/copydesk/staticfiles
COPY --from=build /opt/venv /opt/venv
WORKDIR /opt/copydesk
COPY . .
# Collecting files uses none of these; production only insists that they exist.
RUN SECRET_KEY=build FIELD_KEYS=build ORDER_ID_KEY=build DEPLOYMENT_CODE=build ALLOWED_HOSTS=build \
    VAR_DIR=/tmp/build python manage.py collectstatic --noinput --verbosity 0 \
    && rm -rf /tmp/build
USER copydesk
VOLUME /var/lib/copydesk
EXPOSE 8000
ENTRYPOINT ["tini", "--", "/opt/copydesk/deploy/entrypoint.sh"]
CMD ["web"]
