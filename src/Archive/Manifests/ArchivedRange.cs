namespace KafkaEventSourcing.Archive;

/// <summary>An entry of a manifest: a range of a partition that is archived. A range that has none is not.</summary>
internal sealed record ArchivedRange
{
    /// <summary>The version of this entry and of the files that it names.</summary>
    public int Format { get; init; } = RangePlan.CurrentFormat;

    /// <summary>The topic.</summary>
    public required string Topic { get; init; }

    /// <summary>Kafka's id of the topic; empty where the cluster has none.</summary>
    public required string TopicId { get; init; }

    /// <summary>The partition.</summary>
    public required int Partition { get; init; }

    /// <summary>The first offset.</summary>
    public required long Start { get; init; }

    /// <summary>The first offset behind it.</summary>
    public required long End { get; init; }

    /// <summary>How many records it has.</summary>
    public required long Records { get; init; }

    /// <summary>How many of them are in no table of an event type: they are not events, or their values cannot be read.</summary>
    public required long Untyped { get; init; }

    /// <summary>The bytes of keys, values and headers of its records.</summary>
    public required long RecordBytes { get; init; }

    /// <summary>The earliest of the times that Kafka keeps of its records, in milliseconds since 1970.</summary>
    public required long FirstTimestamp { get; init; }

    /// <summary>The latest of them.</summary>
    public required long LastTimestamp { get; init; }

    /// <summary>The file of the records as they were.</summary>
    public required ArchivedFile Events { get; init; }

    /// <summary>The tables of event types.</summary>
    public required IReadOnlyList<ArchivedTable> Tables { get; init; }

    /// <summary>The schemas of the values.</summary>
    public required IReadOnlyList<ArchivedSchema> Schemas { get; init; }

    /// <summary>The SHA-256 of the entry before this one, in hexadecimal digits; null: it is the first.</summary>
    public string? Previous { get; init; }
}

/// <summary>A file of a range.</summary>
/// <param name="Name">Its name in the archive.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Sha256">The SHA-256 of its bytes, in hexadecimal digits.</param>
/// <param name="Rows">How many rows it has.</param>
internal sealed record ArchivedFile(string Name, long Bytes, string Sha256, long Rows);

/// <summary>A table of an event type.</summary>
/// <param name="Type">The full name of the type.</param>
/// <param name="Date">The day of its events, or the first day of their month or year.</param>
/// <param name="Schema">The schema of the values: its id or GUID in the registry.</param>
/// <param name="File">Its file.</param>
internal sealed record ArchivedTable(string Type, DateOnly Date, string Schema, ArchivedFile File);

/// <summary>A schema of values.</summary>
/// <param name="Id">Its id or GUID in the registry, as values name it.</param>
/// <param name="Text">Its text, with the types of others that it refers to in it; null: the registry does not have it.</param>
internal sealed record ArchivedSchema(string Id, string? Text);
