#!/usr/bin/env bash
# bson 7.3.4 (npm, the BSON library of MongoDB's Node.js driver), whole numbers beyond 32 and 53 bits.
#
# Expected: Extended JSON keeps an int64, in its canonical form ("$numberLong") at any rate; a whole number beyond 32 bits is written as an
# int64.
# Seen: with the default (relaxed) options EJSON.stringify and EJSON.parse round an int64 beyond 2^53, silently, and parse does so also where
# the text has the canonical form. BSON itself keeps it, as a Long, to which + 1 appends the digit 1. A whole number of JavaScript beyond 32
# bits becomes a double (type 1), not an int64 (type 18), so that one field has three types as it grows.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund bson@7.3.4 > /dev/null
cat > run.js <<'JS'
const { BSON, EJSON, Long } = require('bson');
const cents = Long.fromString('9007199254740993'); // 2^53 + 1
console.log('stringify        ', EJSON.stringify({ cents }));
console.log('parse $numberLong', String(EJSON.parse('{"cents":{"$numberLong":"9007199254740993"}}').cents));
console.log('not relaxed      ', String(EJSON.parse('{"cents":{"$numberLong":"9007199254740993"}}', { relaxed: false }).cents));
console.log('from BSON, + 1   ', BSON.deserialize(BSON.serialize({ cents })).cents + 1);
const typeAt = 4; // behind the length of the document
console.log('types            ', [2147483647, 2147483648, 10n].map(value => BSON.serialize({ value })[typeAt]).join(' '));
JS
node run.js > seen
cat seen
diff - seen <<'SEEN'
stringify         {"cents":9007199254740992}
parse $numberLong 9007199254740992
not relaxed       9007199254740993
from BSON, + 1    90071992547409931
types             16 1 18
SEEN
