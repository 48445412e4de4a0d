using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro.Messages;

namespace KafkaEventSourcing.EventLog;

/// <summary>Erases subjects, and re-wraps the keys of the others. It needs no node and, to erase, no master key. Not thread-safe.</summary>
public sealed class SubjectErasure : IDisposable
{
    private readonly KafkaConnection _connection;
    private readonly SubjectKeysTopic _topic;

    private SubjectErasure(KafkaConnection connection, SubjectKeysTopic topic) => (_connection, _topic) = (connection, topic);

    /// <summary>Opens the subject keys of <paramref name="application"/>.</summary>
    /// <exception cref="InvalidInputException">It has none.</exception>
    /// <exception cref="TimeoutException">The cluster does not answer.</exception>
    public static async Task<SubjectErasure> OpenAsync(KafkaConnection connection, ISchemaRegistryClient registry, string application,
        TimeProvider time, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(connection);
        string name = SubjectKeysTopic.NameOf(application);
        using (var admin = new ClusterAdmin(connection))
        {
            Confluent.Kafka.Metadata cluster = await admin.ReadMetadata(cancellationToken).ConfigureAwait(false);
            if (!cluster.Topics.Exists(t => t.Topic == name && !t.Error.IsError))
                throw new InvalidInputException("--app", $"There is no topic {name}: the application '{application}' has no personal data "
                    + $"that is sealed, or is called otherwise.");
        }

        return new SubjectErasure(connection,
            await SubjectKeysTopic.OpenAsync(connection, registry, application, time, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>
    /// Destroys the keys of <paramref name="subject"/>, for good: later messages about it have nothing personal. Then it waits for the
    /// nodes that run.
    /// </summary>
    /// <param name="subject">The id of the aggregate, or what a field names.</param>
    /// <param name="wait">How long to wait for nodes.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public async Task<ErasureResult> EraseAsync(string subject, TimeSpan wait, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(subject);
        SubjectKeyTable table = Read(cancellationToken);
        (bool wasKnown, bool wasErased) = (table.Knows(subject), table.IsErased(subject));
        long offset = await _topic.Write(subject, null, "", null, cancellationToken).ConfigureAwait(false);
        int destroyed = await DestroyLeftovers(cancellationToken).ConfigureAwait(false);
        (string[] confirmed, string[] silent) = await Task.Run(() => Confirmed(table.Nodes.Keys, offset, wait, cancellationToken),
            cancellationToken).ConfigureAwait(false);
        return new ErasureResult(wasKnown, wasErased, destroyed, confirmed, silent);
    }

    /// <summary>A node that has crashed and does not come back is not waited for any more.</summary>
    public Task ForgetNodeAsync(string node, CancellationToken cancellationToken = default) =>
        _topic.WriteRead(node, null, cancellationToken);

    /// <summary>
    /// Wraps every key that another master key has wrapped with the current one of <paramref name="masters"/>, which must have both. What
    /// the keys have sealed stays as it is.
    /// </summary>
    /// <returns>How many keys were wrapped anew.</returns>
    /// <exception cref="MasterKeyException">A master key is missing or another one; what was wrapped before stays so, and the call may be
    /// repeated.</exception>
    public async Task<int> RewrapAsync(IMasterKeys masters, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(masters);
        int wrapped = 0;
        foreach (SubjectKey key in Read(cancellationToken).Keys.Where(k => k.MasterKey != masters.CurrentId).ToList())
        {
            byte[] context = SubjectKey.ContextOf(key.Subject, key.Id);
            byte[] plain = await masters.UnwrapAsync(key.MasterKey, key.Wrapped, context, cancellationToken).ConfigureAwait(false);
            byte[] anew = await masters.WrapAsync(plain, context, cancellationToken).ConfigureAwait(false);
            System.Security.Cryptography.CryptographicOperations.ZeroMemory(plain);
            await _topic.Write(key.Subject, key.Id, masters.CurrentId, anew, cancellationToken).ConfigureAwait(false);
            wrapped++;
        }

        await DestroyLeftovers(cancellationToken).ConfigureAwait(false); // a subject that was erased meanwhile
        return wrapped;
    }

    /// <inheritdoc/>
    public void Dispose() => _topic.Dispose();

    private SubjectKeyTable Read(CancellationToken cancellationToken)
    {
        var table = new SubjectKeyTable();
        foreach (ConsumeResult<byte[], byte[]> record in _topic.Read(0, cancellationToken))
            table.Take(record, _topic.Serde);
        return table;
    }

    // A key that was made while its subject was erased comes after the erasure: until nothing is left.
    private async Task<int> DestroyLeftovers(CancellationToken cancellationToken)
    {
        for (int destroyed = 0; ;)
        {
            List<(string Subject, byte[] KeyId)> left = [.. Read(cancellationToken).Leftovers];
            if (left.Count == 0)
                return destroyed;
            foreach ((string subject, byte[] keyId) in left)
                await _topic.Write(subject, keyId, "", null, cancellationToken).ConfigureAwait(false);
            destroyed += left.Count;
        }
    }

    private (string[] Confirmed, string[] Silent) Confirmed(IEnumerable<string> nodes, long offset, TimeSpan wait,
        CancellationToken cancellationToken)
    {
        var silent = new SortedSet<string>(nodes, StringComparer.Ordinal);
        var confirmed = new SortedSet<string>(StringComparer.Ordinal);
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        late.CancelAfter(wait);
        using PartitionLogReader reader = PartitionLogReader.Tailing(_connection, "subject-keys", withHeaders: false);
        reader.Begin(new TopicPartitionOffset(_topic.Partition, Offset.Beginning));
        var table = new SubjectKeyTable();
        try
        {
            using IEnumerator<ConsumeResult<byte[], byte[]>> records = reader.Follow(_ => { }, late.Token).GetEnumerator();
            while (silent.Count > 0 && records.MoveNext())
            {
                table.Take(records.Current, _topic.Serde);
                foreach (string node in silent.Where(n => table.Next > offset && !table.Nodes.ContainsKey(n)).ToList())
                    silent.Remove(node); // it has ended
                foreach (SubjectKeysRead read in table.Nodes.Values.Where(n => n.Offset >= offset && silent.Remove(n.Node)))
                    confirmed.Add(read.Node);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Those that are left have not answered.
        }

        return ([.. confirmed], [.. silent]);
    }
}

/// <summary>What an erasure has found and done.</summary>
/// <param name="WasKnown">Whether the subject had a key, or was erased before.</param>
/// <param name="WasErased">Whether it was erased before.</param>
/// <param name="DestroyedKeys">How many keys were destroyed now.</param>
/// <param name="Confirmed">The nodes that have dropped its keys and what they opened from memory.</param>
/// <param name="Silent">The nodes that have not said so: cut off, or crashed. What has crashed has nothing in memory.</param>
public sealed record ErasureResult(
    bool WasKnown, bool WasErased, int DestroyedKeys, IReadOnlyList<string> Confirmed, IReadOnlyList<string> Silent);
