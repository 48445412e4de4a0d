#!/usr/bin/env bash
# hyparquet 1.33.0 and @duckdb/node-api 1.5.6-r.1 (npm), a timestamp in microseconds before 1970.
#
# Expected: a Date has milliseconds, so hyparquet leaves the microseconds off: the last microsecond of 1969 is still in 1969.
# Seen: times are cut towards 1970. From 1970 on they move back, before it forward by up to a millisecond: 1969-12-31T23:59:59.999999
# becomes midnight of 1970-01-01, another day and year. A range of days read from the file counts such rows elsewhere than DuckDB does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund hyparquet@1.33.0 @duckdb/node-api@1.5.6-r.1 > /dev/null
cat > run.mjs <<'JS'
import { DuckDBInstance } from '@duckdb/node-api';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';

const connection = await (await DuckDBInstance.create(':memory:')).connect();
await connection.run(`copy (select unnest([timestamp '1969-12-31 23:59:59.999999', timestamp '2026-12-31 23:59:59.999999']) as "at")
  to 'times.parquet' (format parquet)`);
const days = await connection.runAndReadAll(`select "at"::date::varchar from 'times.parquet'`);
const rows = await parquetReadObjects({ file: await asyncBufferFromFile('times.parquet') });
rows.forEach((row, i) => console.log(`DuckDB ${days.getRows()[i][0]}, hyparquet ${row.at.toISOString()}`));
JS
node run.mjs > seen
cat seen
diff - seen <<'SEEN'
DuckDB 1969-12-31, hyparquet 1970-01-01T00:00:00.000Z
DuckDB 2026-12-31, hyparquet 2026-12-31T23:59:59.999Z
SEEN
