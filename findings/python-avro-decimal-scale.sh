#!/usr/bin/env bash
# Apache Avro for Python 1.11.1 (Debian package python3-avro 1.11.1+dfsg-2), decimal with a scale.
#
# Expected: a decimal with fewer digits behind the point than the schema's scale is written as the same amount, or refused.
# Seen: the digits are written as they are, whatever their exponent. With scale 2, 100 becomes 1.00 and 1.5 becomes 0.15, without an error;
# 100.00 and 1.50 are right. (Apache.Avro for C# refuses such a value.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq python3-avro=1.11.1+dfsg-2 > /dev/null
dpkg -x python3-avro_*.deb .
PYTHONPATH="$folder/usr/lib/python3/dist-packages" /usr/bin/python3 - > seen <<'PY'
import io
from decimal import Decimal
import avro.io
import avro.schema

schema = avro.schema.parse('{"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}')
for amount in ["100.00", "100", "1E2", "1.50", "1.5"]:
    written = io.BytesIO()
    avro.io.DatumWriter(schema).write(Decimal(amount), avro.io.BinaryEncoder(written))
    written.seek(0)
    print(amount, "->", avro.io.DatumReader(schema).read(avro.io.BinaryDecoder(written)))
PY
cat seen
diff - seen <<'SEEN'
100.00 -> 100.00
100 -> 1.00
1E2 -> 0.01
1.50 -> 1.50
1.5 -> 0.15
SEEN
