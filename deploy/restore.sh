#!/bin/sh
# Put a copy made by backup.sh where DATABASE_URL says. Stop every Careline process of it first.
#
#   DATABASE_URL=... deploy/restore.sh FILE
#
# PostgreSQL: the database must be there, be empty and belong to the URL's role, the owner of the tables
# (careline_owner); then `careline migrate --grant-to careline` gives the other its rights. SQLite: the file must not be there.
set -eu
umask 077
file=${1:?say which file to restore}
[ -f "$file" ] || { echo "restore: there is no $file" >&2; exit 1; }
case ${DATABASE_URL:?set DATABASE_URL} in
sqlite:///*)
    to=${DATABASE_URL#sqlite:///}
    for old in "$to" "$to-wal" "$to-shm"; do
        [ ! -e "$old" ] || { echo "restore: $old is there already; move it away first" >&2; exit 1; }
    done
    python3 - "$file" <<'PYTHON'
import sqlite3, sys
found = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True).execute("PRAGMA integrity_check").fetchall()
sys.exit(0 if found == [("ok",)] else f"restore: {found[0][0]}")
PYTHON
    cp "$file" "$to.part"
    mv "$to.part" "$to"
    ;;
postgres://* | postgresql://*)
    tables=$(psql --no-psqlrc --quiet --tuples-only --no-align --dbname="$DATABASE_URL" \
        --command="SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    [ "$tables" = 0 ] || { echo "restore: the database holds $tables tables; create an empty one" >&2; exit 1; }
    pg_restore --no-owner --no-privileges --single-transaction --exit-on-error --dbname="$DATABASE_URL" "$file"
    psql --no-psqlrc --quiet --dbname="$DATABASE_URL" --command="ANALYZE"
    ;;
*)
    echo "restore: DATABASE_URL is neither sqlite:/// nor postgres://" >&2
    exit 1
    ;;
esac
