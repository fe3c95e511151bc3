-- The roles and the database of Careline: once, by a superuser, on PostgreSQL 15 or later.
--
--   export OWNER_PASSWORD=... APP_PASSWORD=... BACKUP_PASSWORD=...
--   psql --no-psqlrc --file=deploy/roles.sql postgres://postgres@db.example/postgres
--
-- careline_owner owns the tables and only migrates. careline serves and works: it owns nothing, so that
-- row-level security holds for it. careline_backup reads all of it, past the policies, and writes nothing.
\set ON_ERROR_STOP on
\getenv owner_password OWNER_PASSWORD
\getenv app_password APP_PASSWORD
\getenv backup_password BACKUP_PASSWORD

CREATE ROLE careline_owner LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE PASSWORD :'owner_password';
CREATE ROLE careline LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD :'app_password';
CREATE ROLE careline_backup LOGIN NOSUPERUSER BYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD :'backup_password';
GRANT pg_read_all_data TO careline_backup;

CREATE DATABASE careline OWNER careline_owner;
REVOKE ALL ON DATABASE careline FROM PUBLIC;
GRANT CONNECT ON DATABASE careline TO careline, careline_backup;
