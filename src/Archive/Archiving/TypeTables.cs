using Confluent.Kafka;
using KafkaEventSourcing.Avro;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Archive;

/// <summary>Divides the records of ranges by event type, date and schema. Thread-safe.</summary>
internal sealed class TypeTables(WriterSchemas schemas)
{
    private readonly EventCodec _codec = new(AvroMessageSerde.Reading(schemas.Registered, []));

    /// <summary>Divides <paramref name="records"/>.</summary>
    /// <exception cref="HttpRequestException">The registry cannot be reached.</exception>
    public async Task<RangeTables> Divide(IReadOnlyList<ConsumeResult<byte[], byte[]>> records, ArchiveDates dates,
        CancellationToken cancellationToken)
    {
        var heads = new EventRow[records.Count];
        var used = new SortedDictionary<string, WriterSchema>(StringComparer.Ordinal);
        var tables = new Dictionary<(string Type, DateOnly Date, string Schema), TypeTable>();
        for (int i = 0; i < records.Count; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            ConsumeResult<byte[], byte[]> record = records[i];
            EventHead? head = _codec.TryReadHead(record, out EventHead read) ? read : null;
            WriterSchema? schema = await schemas.Of(record.Message.Value).ConfigureAwait(false);
            heads[i] = new EventRow(head, schema);
            if (schema is not null)
                used.TryAdd(schema.Id, schema);
            if (head is not { } known || schema?.Record is not { } type)
                continue;
            (string, DateOnly, string) table = (type.FullName, DateOf(known.Time, dates), schema.Id);
            if (!tables.TryGetValue(table, out TypeTable? rows))
                tables.Add(table, rows = new TypeTable(type, table.Item2, schema.Id));
            rows.Add(record, known);
        }

        return new RangeTables(heads,
            [.. tables.Values.OrderBy(t => t.Type, StringComparer.Ordinal).ThenBy(t => t.Date)
                .ThenBy(t => t.Schema, StringComparer.Ordinal)],
            [.. used.Values.Select(s => new ArchivedSchema(s.Id, s.Text))]);
    }

    private static DateOnly DateOf(DateTimeOffset time, ArchiveDates dates)
    {
        var day = DateOnly.FromDateTime(time.UtcDateTime);
        return dates switch
        {
            ArchiveDates.Day => day,
            ArchiveDates.Month => new DateOnly(day.Year, day.Month, 1),
            _ => new DateOnly(day.Year, 1, 1),
        };
    }
}

/// <summary>What a range's records are.</summary>
/// <param name="Rows">What each of them is, in their order.</param>
/// <param name="Tables">The tables of event types, in the order of their names.</param>
/// <param name="Schemas">The schemas of their values.</param>
internal sealed record RangeTables(IReadOnlyList<EventRow> Rows, IReadOnlyList<TypeTable> Tables, IReadOnlyList<ArchivedSchema> Schemas);

/// <summary>What a record says of itself.</summary>
/// <param name="Head">Key and headers; null: it is not an event.</param>
/// <param name="Schema">The schema of its value; null: it names none.</param>
internal readonly record struct EventRow(EventHead? Head, WriterSchema? Schema);
