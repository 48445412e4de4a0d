using Confluent.Kafka;
using Confluent.SchemaRegistry;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.Avro.Schemas;

namespace KafkaEventSourcing.EventLog;

/// <summary>
/// Exports topics to a file, with all that it takes to read them without a cluster and a registry. What is committed alone is read, as a
/// member of no group, and nothing is written but the file. For one call.
/// </summary>
internal sealed class RecordExport(KafkaConnection connection, ISchemaRegistryClient registry, TimeProvider time)
{
    private readonly RegisteredSchemas _schemas = new(registry);
    private readonly HashSet<int> _ids = [];
    private readonly HashSet<Guid> _guids = [];
    private long _records;

    /// <summary>Records written so far.</summary>
    public long Records => Interlocked.Read(ref _records);

    /// <summary>
    /// The topics of a family whose records a check reads, as far as they are among <paramref name="all"/>, in the order in which they must
    /// be read: what is folded from events before the events, and what was discarded before them.
    /// </summary>
    public static IReadOnlyList<string> TopicsOf(TopicFamily family, IReadOnlyCollection<string> all) =>
        [.. new[] { family.Snapshots, family.DeadLetters, family.Events, family.Commands }.Where(all.Contains)];

    /// <summary>The families of which there are events among <paramref name="topics"/>, in order.</summary>
    public static IReadOnlyList<TopicFamily> FamiliesOf(IEnumerable<string> topics) =>
        [.. topics.Select(t => FamilyOf(t, TopicFamily.EventsSuffix)).OfType<TopicFamily>().OrderBy(f => f.Events, StringComparer.Ordinal)];

    /// <summary>Exports <paramref name="topics"/>, in their order; blocks.</summary>
    /// <param name="topics">The topics.</param>
    /// <param name="path">The file.</param>
    /// <param name="overwrite">Whether a file of that name may go.</param>
    /// <param name="cancellationToken">Ends the export; no file is left.</param>
    /// <exception cref="KafkaException">The cluster does not answer, or does not have a topic.</exception>
    /// <exception cref="HttpRequestException">The registry does not answer.</exception>
    /// <exception cref="IOException">The file cannot be written, or there is one of its name.</exception>
    public ExportContents Run(IReadOnlyList<string> topics, string path, bool overwrite, CancellationToken cancellationToken)
    {
        DateTimeOffset began = time.GetUtcNow();
        using var source = new TopicRecords(connection, "kes-export", registry);
        using var writer = new ExportWriter(path, overwrite);
        // before any record is read: what is decided meanwhile waits in the file, and its events are not in it or are
        ExportedPositions[] positions = [.. topics.Select(t => FamilyOf(t, TopicFamily.CommandsSuffix)).OfType<TopicFamily>()
            .Select(f => PositionsOf(f, source))];
        foreach (string topic in topics)
        {
            writer.BeginTopic(topic);
            foreach (int partition in source.PartitionsOf(topic).Order())
            {
                var place = new TopicPartition(topic, partition);
                writer.BeginPartition(partition, source.BoundsOf(place, cancellationToken));
                foreach (ConsumeResult<byte[], byte[]> record in source.Read(place, 0, cancellationToken))
                {
                    Note(record);
                    writer.Append(record);
                    Interlocked.Increment(ref _records);
                }

                writer.EndPartition();
            }
        }

        return writer.Finish(began, positions, SchemasOf(topics).GetAwaiter().GetResult());
    }

    private static ExportedPositions PositionsOf(TopicFamily family, TopicRecords source) =>
        new(family.Group, family.Commands, source.PositionsOf(family.Group, family.Commands));

    private static TopicFamily? FamilyOf(string topic, string suffix)
    {
        string name = topic.EndsWith(suffix, StringComparison.Ordinal) ? topic[..^suffix.Length] : "";
        int dot = name.LastIndexOf('.');
        return dot > 0 && dot < name.Length - 1 ? new TopicFamily(name[..dot], name[(dot + 1)..]) : null;
    }

    private void Note(ConsumeResult<byte[], byte[]> record)
    {
        byte[]? header = CloudEventHeaders.Find(record.Message.Headers, WireFormat.ValueSchemaIdHeader);
        Note(header ?? record.Message.Value);
        // an event is read by what its value begins with, whatever its header says
        if (header is not null && record.Topic.EndsWith(TopicFamily.EventsSuffix, StringComparison.Ordinal))
            Note(record.Message.Value);
    }

    private void Note(ReadOnlySpan<byte> named)
    {
        if (WireFormat.TryReadSchemaId(named, out int id))
            _ids.Add(id);
        else if (WireFormat.TryReadSchemaGuid(named, out Guid guid))
            _guids.Add(guid);
    }

    private async Task<ExportedSchema[]> SchemasOf(IReadOnlyList<string> topics)
    {
        var guids = new Dictionary<int, Guid>();
        foreach (string topic in topics)
        {
            foreach ((int id, Guid guid) in await _schemas.GuidsOf(topic).ConfigureAwait(false))
                guids[id] = guid;
        }

        var found = new List<ExportedSchema>();
        foreach (int id in _ids.Order())
            found.Add(new ExportedSchema(id, guids.TryGetValue(id, out Guid guid) ? guid : null,
                await TextOf(() => _schemas.TextsOf(id)).ConfigureAwait(false)));
        foreach (Guid guid in _guids.Where(g => !found.Exists(f => f.Guid == g)).Order())
            found.Add(new ExportedSchema(null, guid, await TextOf(() => _schemas.TextsOf(guid)).ConfigureAwait(false)));
        return [.. found];
    }

    private static async Task<string?> TextOf(Func<Task<IReadOnlyList<string>>> find)
    {
        try
        {
            return SchemaJoin.Of(await find().ConfigureAwait(false));
        }
        catch (UndecodableMessageException missing) when (missing.Reason == UndecodableReason.UnknownSchemaId)
        {
            return null; // which is what a check of the topics finds too
        }
    }
}
