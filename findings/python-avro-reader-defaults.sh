#!/usr/bin/env bash
# Apache Avro for Python 1.11.1 (Debian package python3-avro 1.11.1+dfsg-2), what a reader's schema adds to a record.
#
# Expected, by the specification's schema resolution: a field renamed with "aliases" has the written value; a default of bytes is one byte a
# character (code points 0 to 255); a default of a logical type has the type that read values have.
# Seen: the alias is ignored and the field has its default; the byte FF becomes the two bytes of its UTF-8 form; the default of a timestamp
# is a bare integer where every read value is a datetime. None of them is an error.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq python3-avro=1.11.1+dfsg-2 > /dev/null
dpkg -x python3-avro_*.deb .
PYTHONPATH="$folder/usr/lib/python3/dist-packages" /usr/bin/python3 - > seen <<'PY'
import io
import json
import avro.io
import avro.schema


def record(*fields):
    return avro.schema.parse(json.dumps({"type": "record", "name": "Paid", "fields": list(fields)}))


old = record({"name": "amount", "type": "long"})
written = io.BytesIO()
avro.io.DatumWriter(old).write({"amount": 500}, avro.io.BinaryEncoder(written))
at = {"type": "long", "logicalType": "timestamp-millis"}
for added in [{"name": "cents", "type": "long", "aliases": ["amount"], "default": 0},
              {"name": "mark", "type": "bytes", "default": "\u00ff"},
              {"name": "at", "type": at, "default": 0}]:
    written.seek(0)
    print(avro.io.DatumReader(old, record(added)).read(avro.io.BinaryDecoder(written)))
PY
cat seen
diff - seen <<'SEEN'
{'cents': 0}
{'mark': b'\xc3\xbf'}
{'at': 0}
SEEN
