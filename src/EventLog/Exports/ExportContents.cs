using System.Text.Json;

namespace KafkaEventSourcing.EventLog;

/// <summary>What an exported file has, as its header says it in JSON, under <see cref="Key"/>.</summary>
internal sealed record ExportContents
{
    /// <summary>The name of the entry of the header.</summary>
    public const string Key = "kes.export";

    /// <summary>The version of files that is written, and read.</summary>
    public const int CurrentFormat = 1;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <summary>The version of this file.</summary>
    public int Format { get; init; } = CurrentFormat;

    /// <summary>When the export began.</summary>
    public required DateTimeOffset ExportedAt { get; init; }

    /// <summary>The topics, in the order of their records.</summary>
    public required IReadOnlyList<ExportedTopic> Topics { get; init; }

    /// <summary>Up to where groups had come.</summary>
    public required IReadOnlyList<ExportedPositions> Positions { get; init; }

    /// <summary>The schemas of the values.</summary>
    public required IReadOnlyList<ExportedSchema> Schemas { get; init; }

    /// <summary>How many bytes follow the header.</summary>
    public required long Bytes { get; init; }

    /// <summary>The SHA-256 of these, in hexadecimal digits.</summary>
    public required string Sha256 { get; init; }

    /// <summary>How many records there are.</summary>
    public long Records() => Topics.Sum(t => t.Partitions.Sum(p => p.Records));

    /// <summary>As it is in the header.</summary>
    public byte[] ToUtf8() => JsonSerializer.SerializeToUtf8Bytes(this, Json);

    /// <summary>Reads what <see cref="ToUtf8"/> wrote.</summary>
    /// <exception cref="JsonException">It is something else.</exception>
    public static ExportContents Read(ReadOnlySpan<byte> utf8) =>
        JsonSerializer.Deserialize<ExportContents>(utf8, Json) ?? throw new JsonException("It is null.");
}

/// <summary>A topic of an exported file.</summary>
/// <param name="Name">The topic.</param>
/// <param name="Partitions">All partitions that it had, in the order of their records.</param>
internal sealed record ExportedTopic(string Name, IReadOnlyList<ExportedPartition> Partitions);

/// <summary>A partition of an exported file.</summary>
/// <param name="Partition">Its number.</param>
/// <param name="First">The first offset that it had.</param>
/// <param name="End">Its end, before what was not committed.</param>
/// <param name="Records">How many records of it are in the file.</param>
internal sealed record ExportedPartition(int Partition, long First, long End, long Records);

/// <summary>Up to where a group had come in a topic.</summary>
/// <param name="Group">The group.</param>
/// <param name="Topic">The topic.</param>
/// <param name="Next">The offset that it would read next, by partition.</param>
internal sealed record ExportedPositions(string Group, string Topic, IReadOnlyDictionary<int, long> Next);

/// <summary>A schema of values of an exported file.</summary>
/// <param name="Id">The id that the registry has for it; null: values name it by its GUID.</param>
/// <param name="Guid">Its GUID; null: the registry does not tell it.</param>
/// <param name="Schema">Its text, with the types of others that it refers to in it; null: the registry does not have it.</param>
internal sealed record ExportedSchema(int? Id, Guid? Guid, string? Schema);
