#!/bin/sh
# Runs once, when the database server of compose.yaml is made: the two roles and the database.
# The owner makes the schema (knooppunt migrate); the service owns nothing and obeys row-level security.
set -eu

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv owner_password KNOOPPUNT_OWNER_PASSWORD
\getenv service_password KNOOPPUNT_SERVICE_PASSWORD
set log_min_error_statement = panic;
create role knooppunt_owner login nosuperuser nocreatedb nocreaterole nobypassrls password :'owner_password';
create role knooppunt_service login nosuperuser nocreatedb nocreaterole nobypassrls password :'service_password';
create database knooppunt owner knooppunt_owner template template0 encoding 'UTF8' locale 'C';
revoke all on database knooppunt from public;
grant connect on database knooppunt to knooppunt_service;
SQL
