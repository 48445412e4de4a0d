#!/usr/bin/env bash
# cloudevents 10.0.0 (npm), events without a time, and times finer than a millisecond.
#
# Expected: "time" is optional, so an event without one has none when it is read; a time that is there is handed on as it is.
# Seen: such an event gets the time of the reading, another one at each replay, and nothing tells it from a time that was sent; in Kafka's
# structured mode it cannot be read at all, though the same text can over HTTP. A time with microseconds or an offset keeps its text in
# Kafka's binary mode and loses both in the other modes, so one event has two times.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund cloudevents@10.0.0 > /dev/null
cat > run.mjs <<'JS'
import { CloudEvent, HTTP, Kafka } from 'cloudevents';

const paid = { specversion: '1.0', id: '1', source: '/bank', type: 'paid', data: { cents: 5 } };
const read = {
  'Kafka binary': () => Kafka.toEvent({
    headers: { ce_specversion: '1.0', ce_id: '1', ce_source: '/bank', ce_type: 'paid', 'content-type': 'application/json' },
    value: '{"cents":5}',
  }),
  'Kafka structured': () => Kafka.toEvent({ headers: { 'content-type': 'application/cloudevents+json' }, value: JSON.stringify(paid) }),
  'HTTP structured': () => HTTP.toEvent({ headers: { 'content-type': 'application/cloudevents+json' }, body: JSON.stringify(paid) }),
};
const before = new Date().toISOString();
for (const [mode, event] of Object.entries(read)) {
  try {
    const { time } = event();
    console.log(`without a time, ${mode}:`, time === undefined ? 'none' : time >= before ? 'the time of the reading' : time);
  } catch (error) {
    console.log(`without a time, ${mode}:`, error.message);
  }
}
const event = new CloudEvent({ ...paid, time: '2026-01-31T23:59:59.999999+02:00' });
console.log('Kafka binary    ', Kafka.binary(event).headers.ce_time);
console.log('Kafka structured', JSON.parse(Kafka.structured(event).value).time);
console.log('HTTP binary     ', HTTP.binary(event).headers['ce-time']);
JS
node run.mjs > seen
cat seen
diff - seen <<'SEEN'
without a time, Kafka binary: the time of the reading
without a time, Kafka structured: Invalid time value
without a time, HTTP structured: the time of the reading
Kafka binary     2026-01-31T23:59:59.999999+02:00
Kafka structured 2026-01-31T21:59:59.999Z
HTTP binary      2026-01-31T21:59:59.999Z
SEEN
