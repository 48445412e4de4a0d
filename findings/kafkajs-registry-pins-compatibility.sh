#!/usr/bin/env bash
# @kafkajs/confluent-schema-registry 4.1.0 (npm), register().
#
# Expected: it posts the schema under its subject, and the registry's own rules decide.
# Seen: a subject that has no compatibility level of its own gets one, BACKWARD, by the first registration. A registry whose global level
# is stricter (FULL, say) is thereby weakened for that subject, and a later change of the global level does not reach it. A subject whose
# level is another than BACKWARD is not registered at all, unless the caller names that same level.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund @kafkajs/confluent-schema-registry@4.1.0 > /dev/null
cat > run.js <<'JS'
const http = require('http');
const { SchemaRegistry, SchemaType } = require('@kafkajs/confluent-schema-registry');

const levels = { stricter: 'FULL' }; // of subjects; "plain" has none and follows the global level
const server = http.createServer((request, response) => {
  let body = '';
  request.on('data', piece => { body += piece; });
  request.on('end', () => {
    console.log(request.method, request.url, request.method === 'PUT' ? body : '');
    const level = levels[request.url.split('/')[2]];
    if (request.method === 'GET' && !level) {
      response.statusCode = 404;
      response.end('{"error_code":40408,"message":"no level of its own"}');
    } else {
      response.end(request.method === 'GET' ? JSON.stringify({ compatibilityLevel: level }) : request.method === 'PUT' ? body : '{"id":1}');
    }
  });
});
server.listen(0, '127.0.0.1', async () => {
  const schema = JSON.stringify({ type: 'record', name: 'Paid', namespace: 'bank', fields: [{ name: 'cents', type: 'long' }] });
  for (const subject of ['plain', 'stricter']) {
    const registry = new SchemaRegistry({ host: `http://127.0.0.1:${server.address().port}` });
    await registry.register({ type: SchemaType.AVRO, schema }, { subject })
      .then(() => console.log(subject, 'registered'), refused => console.log(subject, refused.message));
  }
  server.close();
});
JS
node run.js | sed 's/ *$//' > seen
cat seen
diff - seen <<'SEEN'
GET /config/plain
POST /subjects/plain/versions
PUT /config/plain {"compatibility":"BACKWARD"}
plain registered
GET /config/stricter
stricter Compatibility does not match the configuration (BACKWARD != FULL)
SEEN
