using System.Globalization;
using CsCheck;
using KafkaEventSourcing.Embedded.Kafka.Log;
using KafkaEventSourcing.Embedded.Kafka.Protocol;

namespace KafkaEventSourcing.Embedded.Kafka.Tests.Log;

/// <summary>
/// Random sequences of what can happen to a log, against a model that is a list of records. <c>KES_LOG_MODEL_SEQUENCES</c> says how many
/// sequences are tried (default 100).
/// </summary>
public sealed class LogModelTests
{
    private const int Producers = 3;
    private const int Keys = 5;

    private static readonly long Sequences = long.Parse(Environment.GetEnvironmentVariable("KES_LOG_MODEL_SEQUENCES") ?? "100",
        CultureInfo.InvariantCulture);

    private static readonly Gen<Step> Steps = Gen.Frequency(
        (8, Gen.Select(Gen.Int[1, 4], Gen.Int[0, Keys - 1], Gen.Int[0, 4], (count, key, codec) => (Step)new Produce(count, key, codec))),
        (10, Gen.Select(Gen.Int[0, Producers - 1], Gen.Int[1, 3], Gen.Int[0, Keys - 1],
            (producer, count, key) => (Step)new ProduceInTransaction(producer, count, key))),
        (3, Gen.Int[0, Producers - 1].Select(p => (Step)new Repeat(p))),
        (4, Gen.Select(Gen.Int[0, Producers - 1], Gen.Bool, (p, commit) => (Step)new End(p, commit))),
        (2, Gen.Const((Step)new Tombstone(0)).SelectMany(_ => Gen.Int[0, Keys - 1].Select(k => (Step)new Tombstone(k)))),
        (2, Gen.Const((Step)new Roll())),
        (2, Gen.Int[0, 100].Select(percent => (Step)new DeleteUpTo(percent))),
        (3, Gen.Int[1, 2000].Select(ms => (Step)new CleanAfter(ms))),
        (1, Gen.Const((Step)new Flush())),
        (1, Gen.Const((Step)new RestartCleanly())),
        (3, Gen.Select(Gen.Int[0, 400], Gen.Int[0, 15], (tail, damage) => (Step)new Crash(tail, damage))));

    [Theory]
    [InlineData("delete")]
    [InlineData("compact,delete")]
    public void Log_reads_as_the_model_whatever_happens(string policy) =>
        Steps.List[5, 60].Sample(steps => Run(policy, steps), iter: Sequences, threads: 1,
            print: steps => string.Join(Environment.NewLine, steps));

    private static void Run(string policy, List<Step> steps)
    {
        using var log = new TestLog(
            ("cleanup.policy", policy), ("segment.bytes", "600"), ("index.interval.bytes", "100"), ("min.cleanable.dirty.ratio", "0"),
            ("delete.retention.ms", "1000"), ("file.delete.delay.ms", "500"), ("retention.ms", "-1"));
        var model = new Model(log, policy.Contains("compact", StringComparison.Ordinal));
        foreach (Step step in steps)
        {
            try
            {
                model.Apply(step);
                model.Check();
            }
            catch (Exception diverged)
            {
                string state = string.Join(' ', log.Log.Segments.Select(segment => $"{segment.BaseOffset}:{segment.Size}"));
                throw new InvalidOperationException(
                    $"{step} diverged: {diverged.Message}; segments {state}; snapshots {string.Join(' ', log.Files("*.snapshot"))}; "
                        + $"recovery point {log.Log.RecoveryPoint}", diverged);
            }
        }
    }

    private abstract record Step;

    private sealed record Produce(int Count, int Key, int Codec) : Step;

    private sealed record ProduceInTransaction(int Producer, int Count, int Key) : Step;

    private sealed record Repeat(int Producer) : Step;

    private sealed record End(int Producer, bool Commit) : Step;

    private sealed record Tombstone(int Key) : Step;

    private sealed record Roll : Step;

    private sealed record DeleteUpTo(int Percent) : Step;

    private sealed record CleanAfter(int Ms) : Step;

    private sealed record Flush : Step;

    private sealed record RestartCleanly : Step;

    // What of the unflushed tail is lost, in bytes; and which files: 1 offset index, 2 time index, 4 snapshots, 8 the checkpoints are torn.
    private sealed record Crash(int Tail, int Damage) : Step;

    private sealed record Record(long Offset, string Key, string? Value, long Producer, int Sequence);

    private sealed class Producer(long id)
    {
        public long Id => id;

        public int Sequence { get; set; }

        public long Open { get; set; } = -1;

        public (byte[] Batch, long Offset)? Last { get; set; }
    }

    private sealed class Model(TestLog log, bool compacts)
    {
        private readonly List<Record> _records = [];
        private readonly List<(long Offset, long Producer, bool Commit, long First)> _markers = [];
        private readonly Producer[] _producers = [.. Enumerable.Range(0, Producers).Select(i => new Producer(100 + i))];
        private long _end;
        private long _start;
        private long _flushed;
        private long _knownFrom;
        private long _value;

        public void Apply(Step step)
        {
            switch (step)
            {
                case Produce produce:
                    Append([.. Enumerable.Range(0, produce.Count).Select(i => Next((produce.Key + i) % Keys))], null, produce.Codec);
                    break;
                case Tombstone tombstone:
                    Append([(KeyOf(tombstone.Key), null)], null, 0);
                    break;
                case ProduceInTransaction produce:
                    Append([.. Enumerable.Range(0, produce.Count).Select(i => Next((produce.Key + i) % Keys))],
                        _producers[produce.Producer], 0);
                    break;
                case Repeat { Producer: var index } when _producers[index].Last is { } last:
                    AppendResult again = log.Log.Append(last.Batch.ToArray());
                    (again.Error, again.BaseOffset).ShouldBe((ErrorCode.None, last.Offset));
                    break;
                case End end when _producers[end.Producer].Open >= 0:
                    EndTransaction(_producers[end.Producer], end.Commit);
                    break;
                case Roll:
                    log.Log.RollSegment();
                    break;
                case DeleteUpTo delete:
                    long target = _start + ((_end - _start) * delete.Percent / 100);
                    log.Log.DeleteRecords(target).ShouldBe(ErrorCode.None);
                    _start = target;
                    log.Manager.WriteStartOffsets();
                    break;
                case CleanAfter clean:
                    log.Clock.Advance(TimeSpan.FromMilliseconds(clean.Ms));
                    log.Manager.Clean();
                    _start = Math.Max(_start, log.Log.LogStartOffset);
                    break;
                case Flush:
                    log.Log.Flush();
                    log.Log.RecoveryPoint.ShouldBe(_end);
                    log.Manager.Clean();
                    _start = Math.Max(_start, log.Log.LogStartOffset);
                    _flushed = _end;
                    break;
                case RestartCleanly:
                    log.RestartCleanly();
                    _flushed = _end;
                    break;
                case Crash crash:
                    DoCrash(crash);
                    break;
            }
        }

        public void Check()
        {
            log.Log.LogEndOffset.ShouldBe(_end);
            log.Log.LogStartOffset.ShouldBe(_start);
            long stable = Math.Max(_start, _producers.Where(p => p.Open >= 0).Select(p => p.Open).DefaultIfEmpty(_end).Min());
            log.Log.LastStableOffset.ShouldBe(stable);
            List<(long, string?, string?)> all = [
                .. _records.Where(r => r.Offset >= _start).Select(r => (r.Offset, (string?)r.Key, r.Value))];
            List<(long, string?, string?)> committed = [.. _records.Where(r => r.Offset >= _start && r.Offset < stable && !IsAborted(r))
                .Select(r => (r.Offset, (string?)r.Key, r.Value))];
            if (!compacts)
            {
                log.ReadAll().ShouldBe(all);
                log.ReadAll(readCommitted: true).ShouldBe(committed);
                return;
            }

            // A compaction may take away what a later record of the same key, or an abort, has made void; never anything else, and it adds
            // nothing.
            CheckCompacted(log.ReadAll(), all, committed);
            CheckCompacted(log.ReadAll(readCommitted: true), committed, committed);
        }

        private static void CheckCompacted(List<(long Offset, string? Key, string? Value)> seen,
            List<(long Offset, string? Key, string? Value)> written, List<(long Offset, string? Key, string? Value)> committed)
        {
            seen.Except(written).ShouldBeEmpty();
            seen.Select(s => s.Offset).ShouldBe(seen.Select(s => s.Offset).Order());
            // The last committed value of each key is always there; a tombstone may have gone with what it deleted.
            foreach (IGrouping<string?, (long Offset, string? Key, string? Value)> key in committed.GroupBy(c => c.Key))
            {
                (long Offset, string? Key, string? Value) last = key.Last();
                if (last.Value is not null)
                    seen.ShouldContain(last);
                else
                    seen.Where(s => s.Key == key.Key && committed.Contains(s) && s.Offset > last.Offset).ShouldBeEmpty();
            }
        }

        private static string KeyOf(int key) => "key" + key.ToString(CultureInfo.InvariantCulture);

        private (string Key, string? Value) Next(int key) => (KeyOf(key), (_value++).ToString(CultureInfo.InvariantCulture));

        private void Append((string Key, string? Value)[] records, Producer? producer, int codec)
        {
            byte[] batch = producer is null
                ? TestLog.Batch([.. records.Select(r => ((string?)r.Key, r.Value))], log.Clock.Ms, codec: codec)
                : TestLog.Batch([.. records.Select(r => ((string?)r.Key, r.Value))], log.Clock.Ms, producer.Id, 0, producer.Sequence,
                    transactional: true);
            byte[] copy = [.. batch];
            AppendResult result = log.Log.Append(batch);
            (result.Error, result.BaseOffset).ShouldBe((ErrorCode.None, _end), result.Message);
            _records.AddRange(records.Select((r, i) =>
                new Record(_end + i, r.Key, r.Value, producer?.Id ?? -1, (producer?.Sequence ?? 0) + i)));
            if (producer is not null)
            {
                producer.Sequence += records.Length;
                producer.Last = (copy, _end);
                if (producer.Open < 0)
                    producer.Open = _end;
            }

            _end += records.Length;
        }

        private void EndTransaction(Producer producer, bool commit)
        {
            log.Log.AppendEndTransactionMarker(producer.Id, 0, commit, 0).BaseOffset.ShouldBe(_end);
            _markers.Add((_end, producer.Id, commit, producer.Open));
            producer.Open = -1;
            _end++;
        }

        private bool IsAborted(Record record) => record.Producer >= 0
            && _markers.Any(m => m.Producer == record.Producer && m.First <= record.Offset && record.Offset < m.Offset && !m.Commit);

        private void DoCrash(Crash crash)
        {
            // What was on disk once stays there, even if a torn checkpoint makes the log forget that it is.
            long flushed = _flushed = Math.Max(_flushed, log.Log.RecoveryPoint);
            // Without snapshots only what is in the log is known of transactions: those whose first records were deleted start later.
            if ((crash.Damage & 4) != 0)
                _knownFrom = log.Log.Segments[0].BaseOffset;
            LogSegment active = log.Log.Segments[^1];
            string path = active.Path;
            // The tail of the active segment is lost as far as it was not flushed.
            long keep = 0;
            long cutAt = _end;
            long size = active.Size;
            active.Scan(0, size, false, (batch, position) =>
            {
                if (batch.NextOffset <= flushed)
                    keep = position + batch.Size;
            });
            long left = Math.Max(keep, size - crash.Tail);
            active.Scan(0, size, false, (batch, position) =>
            {
                if (position + batch.Size > left)
                    cutAt = Math.Min(cutAt, batch.BaseOffset);
            });
            log.Crash(() =>
            {
                using (FileStream file = File.OpenWrite(path))
                    file.SetLength(left);
                if ((crash.Damage & 1) != 0)
                    Delete("*" + LogSegment.IndexExtension);
                if ((crash.Damage & 2) != 0)
                    Delete("*" + LogSegment.TimeIndexExtension);
                if ((crash.Damage & 4) != 0)
                    Delete("*" + ProducerSnapshotFile.Extension);
                if ((crash.Damage & 8) != 0)
                    File.WriteAllText(Path.Combine(log.Root, "recovery-point-offset-checkpoint"), "0\n7\ntop");
            });
            Truncate(cutAt);
        }

        private void Delete(string pattern)
        {
            foreach (string file in Directory.EnumerateFiles(log.Folder, pattern).ToArray())
                File.Delete(file);
        }

        private void Truncate(long end)
        {
            // A log that lost all from its start on goes on from there, and knows no producer any more.
            if (end < _start)
                _knownFrom = _start;
            _end = Math.Max(end, _start);
            _flushed = Math.Min(_flushed, _end);
            _records.RemoveAll(r => r.Offset >= end);
            _markers.RemoveAll(m => m.Offset >= end);
            foreach (Producer producer in _producers)
            {
                Record[] own = [.. _records.Where(r => r.Producer == producer.Id)];
                // A producer of whom nothing, or only a marker, is left, starts anew.
                producer.Sequence = own.Where(r => r.Offset >= _knownFrom).Select(r => r.Sequence + 1).DefaultIfEmpty(0).Last();
                // a start from a snapshot knows the last batch, one from the log the last five: which repetition is known depends on it
                producer.Last = null;
                long lastMarker = _markers.Where(m => m.Producer == producer.Id).Select(m => m.Offset).DefaultIfEmpty(-1).Max();
                producer.Open = own.Where(r => r.Offset > lastMarker && r.Offset >= _knownFrom).Select(r => r.Offset)
                    .DefaultIfEmpty(-1).First();
            }
        }
    }
}
