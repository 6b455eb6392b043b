#!/bin/sh
# Starts PostgreSQL as whoever the container runs as, and makes its database the first time.
#
#   PGDATA                  the folder of the database; the one above it must exist and be writable
#   POSTGRES_USER           its owner (postgres)
#   POSTGRES_PASSWORD_FILE  a file with the owner's password, or
#   POSTGRES_PASSWORD       the password itself
#
# Arguments go to the server.
set -eu

# A half made database is made again: the folder gets its name when it is complete.
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "${POSTGRES_PASSWORD_FILE:-}" ]; then
        if [ -z "${POSTGRES_PASSWORD:-}" ]; then
            echo "Set POSTGRES_PASSWORD_FILE or POSTGRES_PASSWORD: the database's owner needs a password." >&2
            exit 64
        fi
        POSTGRES_PASSWORD_FILE=/tmp/password
        (umask 077 && printf '%s\n' "$POSTGRES_PASSWORD" >"$POSTGRES_PASSWORD_FILE")
    fi
    rm -rf "$PGDATA.new"
    initdb --pgdata="$PGDATA.new" --username="${POSTGRES_USER:-postgres}" --pwfile="$POSTGRES_PASSWORD_FILE" \
        --auth=scram-sha-256 --encoding=UTF8 --no-locale
    printf '%s\n' 'local all all scram-sha-256' 'host all all all scram-sha-256' >"$PGDATA.new/pg_hba.conf"
    mv "$PGDATA.new" "$PGDATA"
    rm -f /tmp/password
fi
unset POSTGRES_PASSWORD
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
