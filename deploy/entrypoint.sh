#!/bin/sh
# Become one of Copydesk's processes: entrypoint.sh web|worker|executor|streams|beat|flower|migrate
# Anything else is a management command: entrypoint.sh createsuperuser
set -eu
cd "$(dirname "$0")/.."

process=${1:-web}
[ $# -eq 0 ] || shift

case "$process" in
web)
	# No access log here: its lines would hold webhook tokens. config.requests writes its own.
	exec daphne --bind 0.0.0.0 --port "${PORT:-8000}" --verbosity 0 --no-server-name \
		--ping-interval 10 --ping-timeout 10 \
		--websocket-max-message-size 16384 --websocket-max-frame-size 16384 \
		--application-close-timeout 20 "$@" config.asgi:application
	;;
worker)
	exec celery --app config worker --pool prefork --concurrency "${WORKER_CONCURRENCY:-2}" \
		--queues default --hostname "worker@%h" --max-tasks-per-child 1000 --loglevel INFO "$@"
	;;
executor)
	# Threads, and never recycled: one event loop and its warm connections per process.
	exec celery --app config worker --pool threads --concurrency "${EXECUTOR_CONCURRENCY:-8}" \
		--queues executor --hostname "executor@%h" --loglevel INFO "$@"
	;;
streams)
	exec python manage.py run_streams "$@"
	;;
beat)
	exec celery --app config beat --loglevel INFO --pidfile= "$@"
	;;
flower)
	# Listens where compose.yaml or the operator's proxy says, and never without a password.
	exec celery --app config flower --conf=deploy/flowerconfig.py --address="${FLOWER_ADDRESS:-127.0.0.1}" --port=5555 \
		--basic-auth="${FLOWER_BASIC_AUTH:?FLOWER_BASIC_AUTH=user:password is needed}" "$@"
	;;
migrate)
	python manage.py migrate --noinput
	exec python manage.py check --database default
	;;
*)
	exec python manage.py "$process" "$@"
	;;
esac
