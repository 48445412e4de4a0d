using System.Text.Json;
using System.Text.Json.Serialization;

namespace KafkaEventSourcing.Archive;

/// <summary>
/// The file that makes a place an archive, and tells one archive from another. It is made once, when somebody makes the archive.
/// </summary>
internal sealed record ArchiveMarker
{
    /// <summary>The file, relative to the place of the archive.</summary>
    public const string FileName = "archive.json";

    /// <summary>The longest that is read, in bytes: a later format may have more in it.</summary>
    public const int MaxBytes = 64 * 1024;

    private const string OurKind = "kafka-event-sourcing";
    private const int OurFormat = 1;

    /// <summary>Whose archive it is: that of this project.</summary>
    [JsonRequired]
    public required string Archive { get; init; }

    /// <summary>The version of the layout of its files.</summary>
    [JsonRequired]
    public required int Format { get; init; }

    /// <summary>Another one for each archive that is made.</summary>
    [JsonRequired]
    public required Guid Id { get; init; }

    /// <summary>The marker of a new archive.</summary>
    public static ArchiveMarker Create() => new() { Archive = OurKind, Format = OurFormat, Id = Guid.CreateVersion7() };

    /// <summary>Reads one.</summary>
    /// <exception cref="IOException">It is not one, or of a later format.</exception>
    public static ArchiveMarker Parse(ReadOnlySpan<byte> utf8, string location)
    {
        ArchiveMarker? marker;
        try
        {
            marker = JsonSerializer.Deserialize(utf8, ArchiveMarkerJson.Default.ArchiveMarker);
        }
        catch (JsonException notJson)
        {
            throw new IOException($"{FileName} in {location} is not that of an archive: {notJson.Message}", notJson);
        }

        if (marker?.Archive != OurKind)
            throw new IOException($"{FileName} in {location} is not that of an archive of events.");
        if (marker.Format is < 1 or > OurFormat)
            throw new IOException(
                $"The archive in {location} has format {marker.Format}, and this version reads {OurFormat}. "
                    + "Use the version that made it, or a later one.");
        return marker;
    }

    /// <summary>The marker of the archive at a place; null: there is none.</summary>
    public static async Task<ArchiveMarker?> ReadAsync(IArchiveStore store, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[MaxBytes];
        try
        {
            int read = await store.ReadAsync(FileName, 0, buffer, cancellationToken);
            return Parse(buffer.AsSpan(0, read), store.Location);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    /// <summary>The text of the file.</summary>
    public byte[] ToUtf8() => JsonSerializer.SerializeToUtf8Bytes(this, ArchiveMarkerJson.Default.ArchiveMarker);

    /// <summary>What is said where there is none.</summary>
    public static ArchiveNotFoundException Missing(string location, Exception? cause = null) => new(
        $"There is no archive in {location}: it does not have the file {FileName}. If there was one, its volume may not be mounted, or the "
            + "place is another; a new archive is made only when asked for.",
        cause);
}

[JsonSerializable(typeof(ArchiveMarker))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
internal sealed partial class ArchiveMarkerJson : JsonSerializerContext;
