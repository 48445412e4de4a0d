#!/usr/bin/env bash
# @platformatic/kafka 1.35.0 and kafkajs 2.2.4 (npm), the partition of a key.
#
# Expected: both use murmur2 as the Java client does, so the same key has the same partition.
# Seen: the hash is the same, but Java and kafkajs clear its sign bit (& 0x7fffffff) where the default partitioner of @platformatic/kafka
# takes it as an unsigned number (>>> 0). Half of the keys have the bit set: they are elsewhere wherever the number of partitions is not a
# power of two. Its compatibilityPartitioner, which one has to ask for, agrees.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund @platformatic/kafka@1.35.0 kafkajs@2.2.4 > /dev/null
cat > run.mjs <<'JS'
import { compatibilityPartitioner, defaultPartitioner } from '@platformatic/kafka';
import kafkajs from 'kafkajs';

const java = kafkajs.Partitioners.DefaultPartitioner();
for (const count of [3, 4, 6, 8, 12]) {
  const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({ partitionId, leader: 1 }));
  let byDefault = 0, compatible = 0;
  for (let i = 0; i < 1000; i++) {
    const key = Buffer.from(`account-${i}`);
    const wanted = java({ topic: 't', partitionMetadata, message: { key } });
    if (defaultPartitioner({}, key) % count !== wanted) byDefault++;
    if (compatibilityPartitioner({}, key) % count !== wanted) compatible++;
  }
  console.log(`${count} partitions: of 1000 keys ${byDefault} elsewhere by default, ${compatible} with compatibilityPartitioner`);
}
JS
node run.mjs > seen
cat seen
diff - seen <<'SEEN'
3 partitions: of 1000 keys 486 elsewhere by default, 0 with compatibilityPartitioner
4 partitions: of 1000 keys 0 elsewhere by default, 0 with compatibilityPartitioner
6 partitions: of 1000 keys 486 elsewhere by default, 0 with compatibilityPartitioner
8 partitions: of 1000 keys 0 elsewhere by default, 0 with compatibilityPartitioner
12 partitions: of 1000 keys 486 elsewhere by default, 0 with compatibilityPartitioner
SEEN
