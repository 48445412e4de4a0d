#!/usr/bin/env bash
# avsc 5.7.9 and avro-js 1.12.2 (npm), a nested record whose namespace changed.
#
# Expected: both read it, as the specification's schema resolution matches records by their unqualified names ("a.Money" and "b.Money").
# Seen: both refuse to make the resolver (avsc: "no alias found for a.Money"), and an alias without a namespace does not help, as it is
# completed with the reader's namespace; only the full old name does. avro-js 1.12.2 also needs the package underscore, which it does not
# declare.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund avsc@5.7.9 avro-js@1.12.2 underscore@1.13.7 > /dev/null
cat > run.js <<'JS'
const parse = { avsc: require('avsc').Type.forSchema, 'avro-js': require('avro-js').parse };
const paid = (namespace, aliases) => ({
  type: 'record', name: 'T.Paid',
  fields: [{ name: 'sum', type: { type: 'record', name: 'Money', namespace, aliases, fields: [{ name: 'cents', type: 'long' }] } }],
});
for (const [library, type] of Object.entries(parse)) {
  for (const [what, aliases] of [['no alias', undefined], ['alias Money', ['Money']], ['alias a.Money', ['a.Money']]]) {
    const writer = type(paid('a')), reader = type(paid('b', aliases));
    try {
      const read = reader.fromBuffer(writer.toBuffer({ sum: { cents: 7 } }), reader.createResolver(writer));
      console.log(library, what, read.sum.cents);
    } catch (refused) {
      console.log(library, what, 'refused');
    }
  }
}
JS
node run.js > seen
cat seen
diff - seen <<'SEEN'
avsc no alias refused
avsc alias Money refused
avsc alias a.Money 7
avro-js no alias refused
avro-js alias Money refused
avro-js alias a.Money 7
SEEN
