using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using KafkaEventSourcing.EventLog;

namespace KafkaEventSourcing.Archive;

/// <summary>Plans and entries of manifests as files.</summary>
internal static class ArchiveJson
{
    private const int MaxBytes = 64 * 1024 * 1024;

    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // it is read by people, and embedded nowhere
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectRequiredConstructorParameters = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) },
    };

    /// <summary>The SHA-256 of a file, as entries have it.</summary>
    public static string HashOf(ReadOnlySpan<byte> content) => Convert.ToHexStringLower(SHA256.HashData(content));

    /// <summary>The content of a file.</summary>
    public static byte[] ToUtf8<T>(T value) => JsonSerializer.SerializeToUtf8Bytes(value, Options);

    /// <summary>Reads what <see cref="ToUtf8"/> wrote.</summary>
    /// <exception cref="ArchiveDamagedException">It is something else.</exception>
    public static T Read<T>(string name, string location, ReadOnlySpan<byte> content)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(content, Options) ?? throw new JsonException("It is null.");
        }
        catch (JsonException wrong)
        {
            throw new ArchiveDamagedException($"The file {name} in {location} is not what it should be: {wrong.Message}", wrong);
        }
    }

    /// <summary>All bytes of a small file; null: there is none of that name.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static async Task<byte[]?> FindAsync(IArchiveStore store, string name, CancellationToken cancellationToken)
    {
        if (await store.FindAsync(name, cancellationToken).ConfigureAwait(false) is not { } length)
            return null;
        if (length > MaxBytes)
            throw new ArchiveDamagedException($"The file {name} in {store.Location} has {length} bytes, and is not of an archive.");
        byte[] content = new byte[length];
        try
        {
            int read = await store.ReadAsync(name, 0, content, cancellationToken).ConfigureAwait(false);
            return content[..read];
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }
}
