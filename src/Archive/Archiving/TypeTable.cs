using Confluent.Kafka;
using KafkaEventSourcing.Avro.Schemas;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Archive;

/// <summary>The events of one type, date and schema of a range.</summary>
/// <param name="type">The schema of the values.</param>
/// <param name="date">The date.</param>
/// <param name="schema">The id or GUID of the schema.</param>
internal sealed class TypeTable(RecordSchema type, DateOnly date, string schema)
{
    private readonly List<(ConsumeResult<byte[], byte[]> Record, EventHead Head)> _events = [];

    /// <summary>The full name of the type.</summary>
    public string Type => type.FullName;

    /// <summary>The date.</summary>
    public DateOnly Date => date;

    /// <summary>The id or GUID of the schema.</summary>
    public string Schema => schema;

    /// <summary>Adds an event.</summary>
    public void Add(ConsumeResult<byte[], byte[]> record, EventHead head) => _events.Add((record, head));

    /// <summary>Writes the table, and returns how many rows it has: events whose values are not of the schema are left out.</summary>
    public long WriteTo(Stream output)
    {
        using var writer = new TypedFileWriter(output, type, _events[0].Record.Topic, _events[0].Record.Partition.Value);
        foreach ((ConsumeResult<byte[], byte[]> record, EventHead head) in _events)
            writer.TryAppend(record, head, out _);
        return writer.Complete().Rows;
    }
}
