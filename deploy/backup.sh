#!/bin/sh
# Write a consistent copy of Careline's database to a file, while everything goes on.
#
#   DATABASE_URL=... deploy/backup.sh FILE
#
# PostgreSQL: needs pg_dump of the server's major version or later, and the URL of a role that row-level
# security does not hold for (careline_backup): for any other, pg_dump refuses. SQLite: needs python3.
set -eu
umask 077
file=${1:?say which file to write}
[ ! -e "$file" ] || { echo "backup: $file is there already" >&2; exit 1; }
part="$file.part"
rm -f "$part"
case ${DATABASE_URL:?set DATABASE_URL} in
sqlite:///*)
    python3 - "${DATABASE_URL#sqlite:///}" "$part" <<'PYTHON'
import sqlite3, sys
source = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, timeout=60)
source.execute("VACUUM INTO ?", (sys.argv[2],))
PYTHON
    ;;
postgres://* | postgresql://*)
    pg_dump --format=custom --no-owner --no-privileges --file="$part" --dbname="$DATABASE_URL"
    ;;
*)
    echo "backup: DATABASE_URL is neither sqlite:/// nor postgres://" >&2
    exit 1
    ;;
esac
mv "$part" "$file"  # a file of that name is always a whole one
