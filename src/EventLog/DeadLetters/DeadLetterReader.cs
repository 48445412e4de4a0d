using Confluent.Kafka;

namespace KafkaEventSourcing.EventLog;

/// <summary>Reads a dead-letters topic up to its end at the time of the call. The calls block. Thread-safe.</summary>
public sealed class DeadLetterReader
{
    private readonly Func<TopicPartition, long, CancellationToken, IEnumerable<ConsumeResult<byte[], byte[]>>> _read;
    private readonly string _topic;

    /// <summary>A reader of <paramref name="topic"/>.</summary>
    public DeadLetterReader(KafkaConnection connection, string topic) => (_read, _topic) =
        ((partition, from, cancellation) => PartitionLogReader.Read(connection, "dead-letters", partition, from, cancellation), topic);

    internal DeadLetterReader(IRecordSource source, string topic) => (_read, _topic) = (source.Read, topic);

    /// <summary>
    /// The letters of <paramref name="partition"/> from <paramref name="fromOffset"/> on, in order; with those that are resolved if
    /// <paramref name="withResolved"/>.
    /// </summary>
    /// <param name="partition">The partition.</param>
    /// <param name="fromOffset">Where to begin; 0: at the first.</param>
    /// <param name="withResolved">Whether letters that were processed or discarded are wanted too.</param>
    /// <param name="foreign">Called with each record that somebody else has written there; it is passed over.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public IReadOnlyCollection<DeadLetter> Read(int partition, long fromOffset, bool withResolved, Action<string> foreign,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(foreign);
        var letters = new SortedDictionary<long, DeadLetter>();
        foreach (ConsumeResult<byte[], byte[]> record in Records(partition, fromOffset, cancellationToken))
        {
            try
            {
                DeadLetterFormat.Fold(letters, record, withResolved);
            }
            catch (InvalidDataException wrong)
            {
                foreign(wrong.Message);
            }
        }

        return letters.Values;
    }

    /// <summary>The records of <paramref name="letters"/>, which are of one partition and in order.</summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public IReadOnlyList<ConsumeResult<byte[], byte[]>> Fetch(IReadOnlyList<DeadLetter> letters, CancellationToken cancellationToken) =>
        Fetch(letters, long.MaxValue, cancellationToken);

    /// <summary>
    /// The records of the first of <paramref name="letters"/>, which are of one partition and in order: as many as have
    /// <paramref name="maxBytes"/>, and one at least.
    /// </summary>
    /// <exception cref="KafkaException">The cluster does not answer.</exception>
    public IReadOnlyList<ConsumeResult<byte[], byte[]>> Fetch(
        IReadOnlyList<DeadLetter> letters, long maxBytes, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(letters);
        var found = new List<ConsumeResult<byte[], byte[]>>();
        long bytes = 0;
        if (letters.Count == 0)
            return found;
        HashSet<long> wanted = [.. letters.Select(l => l.Offset)];
        foreach (ConsumeResult<byte[], byte[]> record in Records(letters[0].Partition, letters[0].Offset, cancellationToken))
        {
            if (wanted.Contains(record.Offset.Value))
            {
                found.Add(record);
                bytes += record.Message.Value?.Length ?? 0;
            }

            if (found.Count == letters.Count || bytes >= maxBytes)
                break;
        }

        return found;
    }

    private IEnumerable<ConsumeResult<byte[], byte[]>> Records(int partition, long fromOffset, CancellationToken cancellationToken) =>
        _read(new TopicPartition(_topic, partition), fromOffset, cancellationToken);
}
