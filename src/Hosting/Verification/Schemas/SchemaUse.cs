using KafkaEventSourcing.Avro;

namespace KafkaEventSourcing.Hosting.Verification;

/// <summary>What was found of the records of one topic that one writer's schema has written.</summary>
internal sealed class SchemaUse(string topic, SchemaReading reading)
{
    public string Topic => topic;

    public SchemaReading Reading => reading;

    /// <summary>How many records there are, those that cannot be read among them.</summary>
    public long Records { get; private set; }

    /// <summary>How many of them cannot be read.</summary>
    public long Failures { get; private set; }

    /// <summary>Where the first of them that cannot be read is; null: all can.</summary>
    public RecordFailure? FirstFailure { get; private set; }

    /// <summary>How many of them are read as events of other types, as which they are upcast.</summary>
    public long Upcast { get; private set; }

    /// <summary>How many of them are passed over: their type is withdrawn, or they are upcast to no event.</summary>
    public long Ignored { get; private set; }

    public void Add() => Records++;

    public void AddUpcast()
    {
        Records++;
        Upcast++;
    }

    public void AddIgnored()
    {
        Records++;
        Ignored++;
    }

    public void AddFailure(int partition, long offset, string why)
    {
        Records++;
        Failures++;
        FirstFailure ??= new RecordFailure(partition, offset, why);
    }
}

/// <summary>A record that cannot be read, and why.</summary>
internal sealed record RecordFailure(int Partition, long Offset, string Why);
